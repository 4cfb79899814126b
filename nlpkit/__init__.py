"""nlpkit: train your own tokenizer, word vectors and small language models, on one machine."""

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError

__version__: str

__all__ = ["CorruptFileError", "NlpkitError", "UsageError", "VocabularyMismatchError", "__version__"]


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: the machinery to do so costs a fifth of `nlpkit --help`."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nlpkit")
    raise AttributeError(f"module 'nlpkit' has no attribute {name!r}")
