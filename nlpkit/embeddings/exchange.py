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
from typing import BinaryIO, TypeAlias

import numpy as np

from nlpkit._core import read_binary_rows, read_text_rows
from nlpkit.embeddings.search import Table, Vector
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_file
from nlpkit.text.streams import COMPRESSIONS, damage_named, decompress

SPACE_SYMBOL = "▁"
"""U+2581 stands for a space inside a token, as in SentencePiece's vocabularies."""

OTHER_KINDS = (".npy", ".npz", ".json", ".pkl", ".model", ".safetensors")
"""Suffixes of files that people try."""

READ_AT_ONCE = 2**22  # bytes

LONGEST_LINE = 2**24
LONGEST_WORD = 2**16
"""Bytes: what is longer is no part of a vector file, which may be of any kind."""

Block: TypeAlias = tuple[list[bytes], Vector]
"""Words, and their vectors."""


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
        blocks = _read_binary(file, path, limit) if binary else _read_text(file, path, limit)
        return _collect(blocks, path)


def _collect(blocks: Iterator[Block], path: Path) -> tuple[list[bytes], Vector]:
    """All blocks as one, without words that came before."""
    rows: dict[bytes, None] = {}
    numbers = array("f")
    repeated = dim = 0
    for words, vectors in blocks:
        before, dim = len(rows), vectors.shape[1]
        rows.update(dict.fromkeys(words))
        if len(rows) < before + len(words):
            repeated += before + len(words) - len(rows)
            vectors = vectors[_first_places(words, set(list(rows)[:before]))]
        numbers.frombytes(vectors.reshape(-1).view(np.uint8).data)
    if not rows:
        raise CorruptFileError(f"{path} holds no vectors: fetch or make it again.")
    if repeated:
        warnings.warn(
            f"{path}: {repeated} words come more than once; the first of each counts.", stacklevel=4
        )
    return list(rows), np.frombuffer(numbers, np.float32).reshape(len(rows), dim)


def _first_places(words: list[bytes], known: set[bytes]) -> list[int]:
    """Where each word comes first, of those that are not known."""
    places: dict[bytes, int] = {}
    for place, word in enumerate(words):
        if word not in known:
            places.setdefault(word, place)
    return list(places.values())


def _read_text(file: BinaryIO, path: Path, limit: int | None) -> Iterator[Block]:
    first = file.readline(LONGEST_LINE)
    header = _header(first)
    fields = first.rstrip().split(b" ")
    if header is None and len(fields) < 2:
        raise CorruptFileError(f"{path}, line 1: neither `rows dim` nor a word with its numbers.")
    rows, dim = header or (None, len(fields) - 1)
    line, found = (2, 0) if header else (1, 0)  # the number of the block's first line, words so far
    for lines in _whole_lines(file, b"" if header else first, path):
        left = len(lines) if limit is None else limit - found
        words, vectors, fault = read_text_rows(lines, dim=dim, most=left)
        if fault is not None:
            raise CorruptFileError(f"{path}, line {line + fault[0]}: {fault[1]}.")
        found += len(words)
        if rows is not None and found > rows:
            raise CorruptFileError(f"{path} holds more than the {rows} words that its first line tells.")
        yield words, vectors
        if found == limit:
            return
        line += lines.count(b"\n")
    if rows is not None and found < rows:
        raise CorruptFileError(f"{path} ends after {found} of {rows} words: fetch or make it again.")


def _whole_lines(file: BinaryIO, rest: bytes, path: Path) -> Iterator[bytes]:
    """Blocks of a file, behind `rest`, that end where a line does."""
    while block := file.read(READ_AT_ONCE):
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
            if len(rest) > LONGEST_LINE:
                raise CorruptFileError(f"{path} has a line of more than {LONGEST_LINE:,} bytes: is it text?")
    if rest:
        yield rest


def _header(line: bytes) -> tuple[int, int] | None:
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]) > 0:
        return int(fields[0]), int(fields[1])
    return None


def _read_binary(file: BinaryIO, path: Path, limit: int | None) -> Iterator[Block]:
    header = _header(file.readline(100))
    if header is None:
        raise CorruptFileError(f"{path}, line 1: no `rows dim`: is it in the binary format?")
    rows, dim = header
    wanted = rows if limit is None else min(rows, limit)
    found, rest = 0, b""
    while found < wanted:
        more = file.read(max(READ_AT_ONCE, 8 * dim))
        block = rest + more
        words, vectors, used, fault = read_binary_rows(block, dim=dim, most=wanted - found)
        if fault is not None:
            raise CorruptFileError(f"{path}, word {found + fault[0] + 1} of {rows}: {fault[1]}.")
        found, rest = found + len(words), block[used:]
        if found < wanted and (not more or len(rest) > LONGEST_WORD + 4 * dim):
            raise CorruptFileError(f"{path} ends after {found} of {rows} words: fetch or make it again.")
        yield words, vectors
