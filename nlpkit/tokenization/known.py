"""OpenAI's published vocabularies by name, from files on this machine whose SHA-256 is checked.

Nothing is downloaded: files are found in nlpkit's cache or in tiktoken's, and where one is missing, the error
says where it comes from and where to put it.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.text.corpora import cache_folder
from nlpkit.tokenization import vocabulary_files
from nlpkit.tokenization.bpe.special_tokens import END_OF_TEXT
from nlpkit.tokenization.tokenizer import Tokenizer

_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/"
_FILL_IN = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_END_OF_PROMPT = "<|endofprompt|>"


@dataclass(frozen=True, slots=True)
class _Known:
    """A published vocabulary, as tiktoken 0.14 has it in openai_public.py."""

    ranks: str  # the file
    pattern: str
    special_tokens: dict[str, int]


_SHA256 = {
    "r50k_base.tiktoken": "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    "p50k_base.tiktoken": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "cl100k_base.tiktoken": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base.tiktoken": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}

_GPT2_END = {END_OF_TEXT: 50256}
_O200K_SPECIAL = {END_OF_TEXT: 199999, _END_OF_PROMPT: 200018}
_HARMONY_NAMES = {
    199998: "startoftext", 200002: "return", 200003: "constrain", 200005: "channel", 200006: "start",
    200007: "end", 200008: "message", 200012: "call",
}  # fmt: skip
_HARMONY_SPECIAL = {  # <|reserved_200018|> shares its id with <|endofprompt|>, which comes first
    f"<|{_HARMONY_NAMES.get(token, f'reserved_{token}')}|>": token
    for token in range(199998, 201088)
    if token != 199999
}
_KNOWN = {
    "gpt2": _Known("r50k_base.tiktoken", "gpt2", _GPT2_END),
    "r50k_base": _Known("r50k_base.tiktoken", "r50k", _GPT2_END),
    "p50k_base": _Known("p50k_base.tiktoken", "p50k", _GPT2_END),
    "p50k_edit": _Known(
        "p50k_base.tiktoken", "p50k", _GPT2_END | dict(zip(_FILL_IN, range(50281, 50284), strict=True))
    ),
    "cl100k_base": _Known(
        "cl100k_base.tiktoken",
        "cl100k",
        {
            END_OF_TEXT: 100257,
            **dict(zip(_FILL_IN, range(100258, 100261), strict=True)),
            _END_OF_PROMPT: 100276,
        },
    ),
    "o200k_base": _Known("o200k_base.tiktoken", "o200k", _O200K_SPECIAL),
    "o200k_harmony": _Known("o200k_base.tiktoken", "o200k", _O200K_SPECIAL | _HARMONY_SPECIAL),
}


def list_encoding_names() -> list[str]:
    """The names that `get_encoding` knows."""
    return list(_KNOWN)


def get_encoding(name: str, *, folder: Path | None = None) -> Tokenizer:
    """A published vocabulary, read once and then shared.

    Args:
        name: one of `list_encoding_names`.
        folder: where its `.tiktoken` file is. By default it is `vocabularies` in nlpkit's cache folder
            (`$NLPKIT_CACHE`, or `nlpkit` in `$XDG_CACHE_HOME` or `~/.cache`), else tiktoken's cache.

    Raises:
        UsageError: the name is unknown, or the file is missing; says where it comes from and where to put it.
        CorruptFileError: the file is not the published one.
    """
    if name not in _KNOWN:
        raise UsageError(f"no encoding is named {name!r}: use one of {', '.join(_KNOWN)}.")
    return _load(name, _locate(_KNOWN[name].ranks, folder), folder)


def _locate(ranks: str, folder: Path | None) -> Path:
    """Where the file is, or else where it should be put."""
    if folder is not None:
        return folder / ranks
    own = cache_folder() / "vocabularies" / ranks
    tiktokens = _tiktoken_cache() / hashlib.sha1(f"{_SOURCE}{ranks}".encode()).hexdigest()
    return tiktokens if tiktokens.is_file() and not own.is_file() else own


def _tiktoken_cache() -> Path:
    """Where tiktoken keeps what it downloaded, each file under its address's SHA-1 (tiktoken/load.py)."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable])
    return Path(tempfile.gettempdir()) / "data-gym-cache"


@lru_cache(maxsize=16)
def _load(name: str, path: Path, folder: Path | None) -> Tokenizer:
    known = _KNOWN[name]
    if not path.is_file():
        raise UsageError(
            f"the vocabulary of {name} is not on this machine: get {_SOURCE}{known.ranks} "
            f"and put it at {path}."
        )

    def check(found: str) -> None:
        if found != _SHA256[known.ranks]:
            raise CorruptFileError(
                f"{path} is not the published {known.ranks} (its SHA-256 is {found[:12]}…, not "
                f"{_SHA256[known.ranks][:12]}…): get {_SOURCE}{known.ranks} again."
            )

    tokenizer = Tokenizer(
        name,
        pat_str=known.pattern,
        mergeable_ranks=vocabulary_files.read_tiktoken(path, check),
        special_tokens=dict(known.special_tokens),
    )
    tokenizer._remake = partial(get_encoding, name, folder=folder)
    return tokenizer


def is_published_file(path: Path) -> bool:
    """Whether a `.tiktoken` file has a published one's name; its content is checked when it is read."""
    return path.name in _SHA256
