"""Vectors in other programs' files: word2vec's text and binary format, GloVe's text, fastText's .vec.

- text: a line `rows dim`, then a line for each word: the word and its numbers, separated by spaces. GloVe's
  files lack the first line; fastText's .vec is the same as word2vec's text.
- binary: the same first line, then for each word the word, a space, its float32s (little-endian), a newline.

A word in such a file can hold neither a newline nor, for most readers, a space.
"""

import warnings
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nlpkit.embeddings.search import Table, Vector
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_file
from nlpkit.text.streams import COMPRESSIONS, damage_named, decompress

SPACE_SYMBOL = "▁"
"""U+2581 stands for a space inside a token, as in SentencePiece's vocabularies."""

OTHER_KINDS = (".npy", ".npz", ".json", ".pkl", ".model", ".safetensors")
"""Suffixes of files that people try."""

READ_AT_ONCE = 2**20  # bytes


def write_word2vec(tokens: Iterable[bytes], vectors: Table, path: Path, *, binary: bool = False) -> int:
    """Write word2vec's format; returns how many words were left out because it cannot hold them.

    A space inside a token (BPE tokens begin with one) is written as "▁"; tokens with other white space, or
    that are not UTF-8, are left out, and so is the later one of two that come out alike.
    """
    rows = _writable_rows(tokens)
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        file.write(f"{len(rows)} {vectors.shape[1]}\n".encode())
        for name, row in rows.items():
            vector = vectors[row].astype(np.float32, copy=False)
            numbers = vector.astype("<f4").tobytes() if binary else " ".join(vector.astype(str)).encode()
            file.write(name.encode() + b" " + numbers + b"\n")
    return len(vectors) - len(rows)


def _writable_rows(tokens: Iterable[bytes]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, token in enumerate(tokens):
        try:
            name = token.decode("utf-8").replace(" ", SPACE_SYMBOL)
        except UnicodeDecodeError:
            continue
        if name and not any(c.isspace() for c in name):
            rows.setdefault(name, row)
    return rows


def read_word2vec(
    path: Path, *, binary: bool | None = None, limit: int | None = None
) -> tuple[list[bytes], Vector]:
    """Read word2vec's text or binary format, GloVe's text or fastText's .vec, also .gz, .bz2, .xz and .zst.

    Of a word that comes twice the first one counts, with a warning.

    Args:
        path: the file.
        binary: whether it is in the binary format; None takes a file named .bin for one.
        limit: read the first so many words only.

    Returns:
        The words, and their vectors in the same order, shape (words, dim).

    Raises:
        UsageError: there is no such file.
        NlpkitError: it is of another kind.
        CorruptFileError: it is malformed; the message names the line or the word.
    """
    if not path.is_file():
        raise UsageError(
            f"{path} does not exist: give a folder of `nlpkit embeddings train` or a vector file."
        )
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    kind = path.with_suffix("").suffix if compression else path.suffix
    if kind in OTHER_KINDS:
        raise NlpkitError(
            f"{path} is no vector file that can be read: give word2vec's text or binary format."
        )
    binary = kind == ".bin" if binary is None else binary
    with path.open("rb") as raw, damage_named(str(path)):
        file = decompress(raw, compression)
        words = _read_binary(file, path, limit) if binary else _read_text(file, path, limit)
        return _collect(words, path)


def _collect(
    words: Iterator[tuple[bytes, "array[float] | Vector"]], path: Path
) -> tuple[list[bytes], Vector]:
    rows: dict[bytes, None] = {}
    numbers = array("f")
    repeated = 0
    dim = 0
    for word, vector in words:
        if word in rows:
            repeated += 1
            continue
        rows[word] = None
        dim = len(vector)
        numbers.frombytes(vector.tobytes())
    if not rows:
        raise CorruptFileError(f"{path} holds no vectors: fetch or make it again.")
    if repeated:
        warnings.warn(
            f"{path}: {repeated} words come more than once; the first of each counts.", stacklevel=4
        )
    return list(rows), np.frombuffer(numbers, np.float32).reshape(len(rows), dim)


def _read_text(file: BinaryIO, path: Path, limit: int | None) -> Iterator[tuple[bytes, "array[float]"]]:
    first = file.readline().rstrip()
    header = _header(first)
    if header is None and (not first or b" " not in first):
        raise CorruptFileError(f"{path}, line 1: neither `rows dim` nor a word with its numbers.")
    rows, dim = header or (None, len(first.split(b" ")) - 1)
    found = 0
    lines = enumerate(file, start=2) if header else _with_first(first, file)
    for number, line in lines:
        if found == limit:
            return
        if line.strip():
            yield _parse_line(line, dim, path, number)
            found += 1
    if rows is not None and found < rows and found != limit:
        raise CorruptFileError(f"{path} ends after {found} of {rows} words: fetch or make it again.")


def _with_first(first: bytes, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    yield 1, first
    yield from enumerate(file, start=2)


def _header(line: bytes) -> tuple[int, int] | None:
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]) > 0:
        return int(fields[0]), int(fields[1])
    return None


def _parse_line(line: bytes, dim: int, path: Path, number: int) -> tuple[bytes, "array[float]"]:
    fields = (
        line.rstrip(b" \r\n\t").replace(b"\t", b" ").rsplit(b" ", dim)
    )  # GloVe has words that hold spaces
    if len(fields) != dim + 1:
        raise CorruptFileError(f"{path}, line {number}: {len(fields) - 1} numbers instead of {dim}.")
    try:
        vector = array("f", map(float, fields[1:]))
    except ValueError as error:
        raise CorruptFileError(
            f"{path}, line {number}: {error}; {dim} numbers must follow the word."
        ) from error
    if not np.isfinite(vector).all():
        raise CorruptFileError(f"{path}, line {number}: a number is not finite.")
    return fields[0], vector


def _read_binary(file: BinaryIO, path: Path, limit: int | None) -> Iterator[tuple[bytes, Vector]]:
    header = _header(file.readline(100))
    if header is None:
        raise CorruptFileError(f"{path}, line 1: no `rows dim`: is it in the binary format?")
    rows, dim = header
    buffer, start = b"", 0
    for row in range(rows if limit is None else min(rows, limit)):
        while (end := buffer.find(b" ", start)) < 0 or len(buffer) < end + 1 + 4 * dim:
            more = file.read(max(READ_AT_ONCE, 8 * dim))
            if not more:
                raise CorruptFileError(f"{path} ends after {row} of {rows} words: fetch or make it again.")
            buffer, start = buffer[start:] + more, 0
        vector = np.frombuffer(buffer, "<f4", dim, end + 1)
        if not np.isfinite(vector).all():
            raise CorruptFileError(f"{path}, word {row + 1} of {rows}: a number is not finite.")
        yield buffer[start:end].lstrip(b"\n"), vector.astype(np.float32, copy=False)
        start = end + 1 + 4 * dim
