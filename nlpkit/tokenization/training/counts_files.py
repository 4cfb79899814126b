"""Counts files: the pre-tokens of a text with their counts, to be added up and trained from later.

Little-endian: magic, version, sizes, the split pattern and special tokens as JSON, the records of
csrc/bpe_training/counts_file.hpp in ascending order of the pre-tokens' bytes, and the SHA-256 of all that.
The order makes files of any size addable in constant memory. docs/formats.md describes the format.
"""

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_file

MAGIC = b"nlpkitPC"
VERSION = 1
_HEADER = struct.Struct("<8sIIQQ")  # magic, version, bytes of JSON, documents, records
_CHECKSUM = hashlib.sha256().digest_size

RecordRange: TypeAlias = tuple[str, int, int]
"""A file's path, and where its records begin and end."""


@dataclass(frozen=True, slots=True)
class CountsFile:
    """A counts file that is known to be whole."""

    path: Path
    pat_str: str
    special_tokens: tuple[str, ...]
    documents: int
    records: RecordRange


def write_counts(
    path: Path,
    pat_str: str,
    special_tokens: tuple[str, ...],
    documents: int,
    append_records: Callable[[str], int],
) -> None:
    """Write a counts file, whole or not at all; `append_records(path)` appends them and returns how many."""
    description = json.dumps({"pat_str": pat_str, "special_tokens": special_tokens}).encode()
    with atomic_file(path) as temporary:
        temporary.write_bytes(bytes(_HEADER.size) + description)
        records = append_records(str(temporary))
        with temporary.open("r+b") as file:
            file.write(_HEADER.pack(MAGIC, VERSION, len(description), documents, records))
            file.seek(0)
            checksum = hashlib.file_digest(file, "sha256").digest()
            file.write(checksum)


def open_counts(path: Path) -> CountsFile:
    """Check a counts file and say what is in it.

    Raises:
        UsageError: there is no such file, or it is a folder.
        CorruptFileError: it is no counts file, of another version, truncated or changed.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size or not header.startswith(MAGIC):
                raise CorruptFileError(
                    f"{path} is no counts file: make one with `nlpkit tokenizer pretokenize`."
                )
            _, version, json_size, documents, _ = _HEADER.unpack(header)
            if version != VERSION:
                raise CorruptFileError(
                    f"{path} has format version {version}, this nlpkit reads {VERSION}: count the text again."
                )
            description = file.read(json_size)
            end = path.stat().st_size - _CHECKSUM
            _check_sum(path, end)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist: check the path.") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path} is a folder: name the counts files in it.") from error
    begin = _HEADER.size + json_size
    try:
        fields: dict[str, Any] = json.loads(description)
        pat_str, special_tokens = str(fields["pat_str"]), tuple(map(str, fields["special_tokens"]))
        if begin > end:
            raise ValueError("the file is shorter")
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{path} has a damaged description: restore it or count the text again."
        ) from error
    return CountsFile(path, pat_str, special_tokens, documents, (str(path), begin, end))


def _check_sum(path: Path, end: int) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = end
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        if digest.digest() != file.read(_CHECKSUM):
            raise CorruptFileError(
                f"{path} does not match its checksum (it was changed or truncated): restore it or count the "
                "text again."
            )


def check_same_rules(files: list[CountsFile]) -> None:
    """Refuse to add up counts of different patterns or special tokens.

    Raises:
        NlpkitError: naming the files.
    """
    first = files[0]
    for other in files[1:]:
        if (other.pat_str, other.special_tokens) != (first.pat_str, first.special_tokens):
            what = "split patterns" if other.pat_str != first.pat_str else "special tokens"
            raise NlpkitError(
                f"{first.path} and {other.path} were counted with different {what}: count both texts again "
                "with the same --pattern and --special-token."
            )
