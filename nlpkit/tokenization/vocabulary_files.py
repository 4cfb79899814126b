"""Vocabularies on disk: `.tiktoken` rank files, and the vocabulary folder with its description.

A `.tiktoken` file has one line a token: the bytes in base64, a space, the rank. A vocabulary folder has
`vocabulary.tiktoken` (or `words.jsonl`) and `nlpkit.json`; docs/formats.md describes both.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nlpkit._core import BpeVocabulary
from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import atomic_folder, read_json, write_json
from nlpkit.tokenization import patterns
from nlpkit.tokenization.images import through_image

DESCRIPTION_FILE = "nlpkit.json"
RANKS_FILE = "vocabulary.tiktoken"
FORMAT = "nlpkit-vocabulary"
VERSION = 1
BPE = "bpe"


def read_tiktoken(path: Path, check: Callable[[str], None] = lambda sha256: None) -> BpeVocabulary:
    """The vocabulary of a `.tiktoken` file.

    Args:
        path: the file.
        check: called with the SHA-256 of its content; may refuse it by an exception.

    Raises:
        UsageError: there is no such file.
        CorruptFileError: a line is damaged, or brings a token or a rank a second time; names the line. Or a
            byte has no token.
    """
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            check(sha256)
            size = file.tell()
            file.seek(0)
            return through_image(size, sha256, lambda: parse_tiktoken(file.read(), path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path} does not exist: check the path.") from error


def parse_tiktoken(content: bytes, path: Path) -> BpeVocabulary:
    """As `read_tiktoken`, of the file's content; `path` is for the messages."""
    try:
        return BpeVocabulary.parse(content)
    except ValueError as error:
        check_lines(content, path)
        raise CorruptFileError(f"{path} is damaged: {error}.") from error


def check_lines(content: bytes, path: Path) -> None:
    """Look for what is wrong with a `.tiktoken` file's content, line by line.

    Raises:
        CorruptFileError: as `read_tiktoken` says.
    """
    ranks: dict[bytes, int] = {}
    seen: set[int] = set()
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        token, rank = parse_line(line, path, number)
        if token in ranks:
            raise CorruptFileError(f"{path}, line {number}: token {token!r} comes a second time.")
        if rank in seen:
            raise CorruptFileError(f"{path}, line {number}: rank {rank} comes a second time.")
        ranks[token] = rank
        seen.add(rank)
    for value in range(256):
        if bytes([value]) not in ranks:
            raise CorruptFileError(
                f"{path} has no token for the byte {bytes([value])!r}: it is truncated or no byte-level "
                "vocabulary; restore it or make it again."
            )


def parse_line(line: bytes, path: Path, number: int) -> tuple[bytes, int]:
    """The token and rank of one line of a `.tiktoken` file.

    Raises:
        CorruptFileError: naming file and line.
    """
    fields = line.split()
    try:
        if len(fields) != 2 or not fields[1].isdigit():
            raise ValueError("it is not a base64 token, a space and a rank")
        token, rank = base64.b64decode(fields[0], validate=True), int(fields[1])
        if not token:
            raise ValueError("the token is empty")
        if rank >= 2**32 - 1:
            raise ValueError(f"rank {rank} does not fit 32 bits")
    except (ValueError, binascii.Error) as error:
        raise CorruptFileError(f"{path}, line {number} is damaged: {error}.") from error
    return token, rank


def sha256_of_ranks(vocabulary: BpeVocabulary) -> str:
    """The SHA-256 of the `.tiktoken` file of a vocabulary."""
    return hashlib.sha256(vocabulary.tiktoken()).hexdigest()


def fingerprint(ranks_sha256: str, pat_str: str, special_tokens: Mapping[str, int]) -> str:
    """A vocabulary's identity: the SHA-256 of the canonical JSON of all that decides the ids."""
    return fingerprint_of({"ranks": ranks_sha256, "pat_str": pat_str, "special_tokens": dict(special_tokens)})


def fingerprint_of(value: Mapping[str, Any]) -> str:
    """The SHA-256 of canonical JSON: keys sorted, no spaces, UTF-8 with `\\u` escapes only where needed."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write_bpe(
    folder: Path, name: str, pat_str: str, vocabulary: BpeVocabulary, special_tokens: Mapping[str, int]
) -> None:
    """Write a vocabulary folder, replacing it as a whole; it says whether merging rebuilds every token."""
    content = vocabulary.tiktoken()
    ranks_sha256 = hashlib.sha256(content).hexdigest()
    description = {
        "name": name,
        "pat_str": pat_str,
        "special_tokens": dict(special_tokens),
        "consistent": vocabulary.consistent,
        "ranks_sha256": ranks_sha256,
        "fingerprint": fingerprint(ranks_sha256, pat_str, special_tokens),
    }
    with atomic_folder(folder) as temporary:
        (temporary / RANKS_FILE).write_bytes(content)
        write_description(temporary, BPE, description)


def read_bpe(path: Path, pattern: str | None) -> tuple[str, dict[str, Any]]:
    """The name and the constructor's arguments of the BPE vocabulary at `path`, a folder or `.tiktoken` file.

    Raises:
        UsageError: nothing is there, or `pattern` is missing for a file or given for a folder.
        CorruptFileError: a file is damaged.
    """
    if path.is_dir():
        if pattern is not None:
            raise UsageError(f"{path} says its own pattern: leave out the pattern, or give its {RANKS_FILE}.")
        return _read_bpe_folder(path)
    ranks = read_tiktoken(path)
    if pattern is None:
        raise UsageError(f"{path} has ranks only: say which pattern goes with it, such as cl100k.")
    fields = {"pat_str": patterns.pattern_string(pattern), "mergeable_ranks": ranks, "special_tokens": {}}
    return path.stem, fields


@dataclass(frozen=True, slots=True)
class BpeDescription:
    """What `nlpkit.json` says of a byte-level BPE vocabulary."""

    name: str
    pat_str: str
    special_tokens: dict[str, int]
    ranks_sha256: str


def read_bpe_description(folder: Path) -> BpeDescription:
    """The description of a folder that `write_bpe` wrote.

    Raises:
        UsageError: `folder` is no such folder.
        CorruptFileError: the description is damaged.
    """
    fields = read_description(folder, BPE)
    try:
        description = BpeDescription(
            name=_text(fields, "name"),
            pat_str=_text(fields, "pat_str"),
            special_tokens={str(text): int(token) for text, token in fields["special_tokens"].items()},
            ranks_sha256=_text(fields, "ranks_sha256"),
        )
        expected = fingerprint(description.ranks_sha256, description.pat_str, description.special_tokens)
        if expected != fields["fingerprint"]:
            raise ValueError("its fingerprint does not fit its other fields")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(
            f"{folder / DESCRIPTION_FILE} is damaged ({error}): restore it or make the vocabulary again."
        ) from error
    return description


def _read_bpe_folder(folder: Path) -> tuple[str, dict[str, Any]]:
    description = read_bpe_description(folder)
    path = folder / RANKS_FILE
    arguments = {
        "pat_str": description.pat_str,
        "mergeable_ranks": read_tiktoken(path, partial(check_sha256, path, description.ranks_sha256)),
        "special_tokens": description.special_tokens,
    }
    return description.name, arguments


def write_description(folder: Path, kind: str, fields: Mapping[str, Any]) -> None:
    """Write `nlpkit.json` into a vocabulary folder."""
    write_json(folder / DESCRIPTION_FILE, {"format": FORMAT, "version": VERSION, "kind": kind, **fields})


def read_description(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """The content of `nlpkit.json`; of that kind, where one is asked for.

    Raises:
        UsageError: `folder` is no vocabulary folder, or holds another kind.
        CorruptFileError: the description is damaged or of another version.
    """
    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise UsageError(
            f"{folder} is no vocabulary folder (it has no {DESCRIPTION_FILE}): "
            "make one with `nlpkit tokenizer train`."
        )
    description = read_json(path)
    if description.get("format") != FORMAT:
        raise CorruptFileError(f"{path} does not describe a vocabulary: restore it or make it again.")
    if description.get("version") != VERSION:
        raise CorruptFileError(
            f"{path} has format version {description.get('version')}, this nlpkit reads {VERSION}: "
            "make the vocabulary again, or use the nlpkit that wrote it."
        )
    if kind is not None and description.get("kind") != kind:
        raise UsageError(f"{folder} holds a vocabulary of kind {description.get('kind')!r}, not {kind!r}.")
    return description


def check_sha256(path: Path, expected: str, found: str) -> None:
    """Refuse a file whose content has another SHA-256.

    Raises:
        CorruptFileError: naming the file.
    """
    if found != expected:
        raise CorruptFileError(
            f"{path} does not match its checksum (it was changed or truncated): restore it or make it again."
        )


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UsageError: there is no such file.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path} does not exist: check the path.") from error


def _text(description: Mapping[str, Any], key: str) -> str:
    value = description[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    return value
