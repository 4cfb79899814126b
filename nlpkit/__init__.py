"""nlpkit: train your own tokenizer, word vectors and small language models, on one machine."""

from typing import TYPE_CHECKING, Any

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError

if TYPE_CHECKING:
    from nlpkit.tokenization import (
        Tokenizer,
        encoding_for_model,
        encoding_name_for_model,
        get_encoding,
        list_encoding_names,
    )

    Encoding = Tokenizer

__version__: str

__all__ = [
    "CorruptFileError",
    "Encoding",
    "NlpkitError",
    "Tokenizer",
    "UsageError",
    "VocabularyMismatchError",
    "__version__",
    "encoding_for_model",
    "encoding_name_for_model",
    "get_encoding",
    "list_encoding_names",
]

_OF_TOKENIZATION = {
    "Encoding": "Tokenizer",  # tiktoken's name for it
    "Tokenizer": "Tokenizer",
    "encoding_for_model": "encoding_for_model",
    "encoding_name_for_model": "encoding_name_for_model",
    "get_encoding": "get_encoding",
    "list_encoding_names": "list_encoding_names",
}


def __getattr__(name: str) -> Any:
    """Look up when asked for: what tiktoken has at its top, and the version; neither is free at the start."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nlpkit")
    if name in _OF_TOKENIZATION:
        from nlpkit import tokenization

        return getattr(tokenization, _OF_TOKENIZATION[name])
    raise AttributeError(f"module 'nlpkit' has no attribute {name!r}")
