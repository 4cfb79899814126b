"""nlpkit: train your own tokenizer, word vectors and small language models, on one machine."""

from importlib.metadata import version as _version

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError

__version__ = _version("nlpkit")

__all__ = ["CorruptFileError", "NlpkitError", "UsageError", "VocabularyMismatchError", "__version__"]
