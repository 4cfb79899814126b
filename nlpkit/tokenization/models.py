"""Which published vocabulary a model of OpenAI's uses: the table of tiktoken 0.14 (model.py)."""

from pathlib import Path

from nlpkit.tokenization.known import get_encoding
from nlpkit.tokenization.tokenizer import Tokenizer

_MODELS = {
    "o200k_base": "o1 o3 o4-mini gpt-5 gpt-4.1 gpt-4o",
    "cl100k_base": "gpt-4 gpt-3.5-turbo gpt-3.5 gpt-35-turbo davinci-002 babbage-002 text-embedding-ada-002 "
    "text-embedding-3-small text-embedding-3-large",
    "p50k_base": "text-davinci-003 text-davinci-002 code-davinci-002 code-davinci-001 code-cushman-002 "
    "code-cushman-001 davinci-codex cushman-codex",
    "p50k_edit": "text-davinci-edit-001 code-davinci-edit-001",
    "r50k_base": "text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada "
    "text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001 "
    "text-similarity-ada-001 text-search-davinci-doc-001 text-search-curie-doc-001 "
    "text-search-babbage-doc-001 text-search-ada-doc-001 code-search-babbage-code-001 "
    "code-search-ada-code-001",
    "gpt2": "gpt2 gpt-2",
}
_PREFIXES = {
    "o200k_base": "o1- o3- o4-mini- gpt-5 gpt-4.5- gpt-4.1- chatgpt-4o- gpt-4o- ft:gpt-4o",
    "o200k_harmony": "gpt-oss-",
    "cl100k_base": "gpt-4- gpt-3.5-turbo- gpt-35-turbo- ft:gpt-4 ft:gpt-3.5-turbo ft:davinci-002 "
    "ft:babbage-002",
}

_ENCODING_OF_MODEL = {model: encoding for encoding, models in _MODELS.items() for model in models.split()}
_ENCODING_OF_PREFIX = {prefix: name for name, prefixes in _PREFIXES.items() for prefix in prefixes.split()}


def encoding_name_for_model(model_name: str) -> str:
    """The name of the vocabulary that a model uses: the model itself, or the longest prefix that is known.

    Prefixes spare a table of every dated version, and so names of no model can match too, as in tiktoken.

    Raises:
        KeyError: the model is not known.
    """
    if model_name in _ENCODING_OF_MODEL:
        return _ENCODING_OF_MODEL[model_name]
    prefixes = [prefix for prefix in _ENCODING_OF_PREFIX if model_name.startswith(prefix)]
    if not prefixes:
        raise KeyError(
            f"no vocabulary is known for the model {model_name!r}: choose one by name with get_encoding."
        )
    return _ENCODING_OF_PREFIX[max(prefixes, key=len)]


def encoding_for_model(model_name: str, *, folder: Path | None = None) -> Tokenizer:
    """The vocabulary that a model uses; `folder` as in `get_encoding`.

    Raises:
        KeyError: the model is not known.
        UsageError: the vocabulary is not on this machine; says where it comes from and where to put it.
        CorruptFileError: its file is not the published one.
    """
    return get_encoding(encoding_name_for_model(model_name), folder=folder)
