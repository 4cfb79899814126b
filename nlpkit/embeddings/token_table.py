"""The names of a table's rows: byte strings in one file, found by a hash index, never loaded whole.

Tokens are bytes: a BPE's may hold spaces, newlines and halves of characters. To Python they are `str` by
UTF-8 with surrogateescape, which any bytes survive unchanged.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit.errors import CorruptFileError

Array: TypeAlias = npt.NDArray[Any]

FILES = ("tokens.npy", "token_offsets.npy", "token_index.npy")


def token_to_key(token: bytes) -> str:
    """The token as text; bytes that are no UTF-8 become lone surrogates."""
    return token.decode("utf-8", errors="surrogateescape")


def key_to_token(key: str) -> bytes:
    """The inverse of `token_to_key`."""
    return key.encode("utf-8", errors="surrogateescape")


class TokenTable:
    """Tokens by row, and rows by token.

    Args:
        text: uint8, all tokens end to end.
        offsets: uint64, one more than there are tokens: token i is `text[offsets[i]:offsets[i + 1]]`.
        index: uint64, sorted: CRC-32 of the token in the upper half, its row in the lower.
    """

    def __init__(self, text: Array, offsets: Array, index: Array) -> None:
        self._text = text
        self._offsets = offsets
        self._index = index

    @classmethod
    def build(cls, tokens: Iterable[bytes]) -> "TokenTable":
        """A table in memory.

        Raises:
            ValueError: a token comes twice.
        """
        tokens = list(tokens)
        if len(set(tokens)) != len(tokens):
            raise ValueError("a token comes twice")
        hashes = np.fromiter(map(zlib.crc32, tokens), np.uint64, len(tokens))
        offsets = np.zeros(len(tokens) + 1, np.uint64)
        np.cumsum(np.fromiter(map(len, tokens), np.uint64, len(tokens)), out=offsets[1:])
        index = np.sort((hashes << np.uint64(32)) | np.arange(len(tokens), dtype=np.uint64))
        return cls(np.frombuffer(b"".join(tokens), np.uint8), offsets, index)

    @classmethod
    def load(cls, folder: Path, rows: int) -> "TokenTable":
        """Map the table that `save` wrote.

        Raises:
            CorruptFileError: a file is missing, or they do not fit each other.
        """
        text, offsets, index = (load_array(folder / name) for name in FILES)
        kinds = [array.dtype.name for array in (text, offsets, index)]
        if (
            kinds != ["uint8", "uint64", "uint64"]
            or (offsets.shape, index.shape) != ((rows + 1,), (rows,))
            or text.shape != (int(offsets[-1]),)
        ):
            raise CorruptFileError(f"{folder}: its token files do not fit its vectors: make it again.")
        return cls(text, offsets, index)

    def save(self, folder: Path) -> None:
        """Write the three arrays as .npy files."""
        for name, array in zip(FILES, (self._text, self._offsets, self._index), strict=True):
            np.save(folder / name, array)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, row: int) -> bytes:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self._text[int(self._offsets[row]) : int(self._offsets[row + 1])].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        for row in range(len(self)):
            yield self[row]

    def row(self, token: bytes) -> int | None:
        """The token's row, or None."""
        hashed = zlib.crc32(token)
        first = int(np.searchsorted(self._index, np.uint64(hashed << 32)))
        for entry in range(first, len(self)):
            value = int(self._index[entry])
            if value >> 32 != hashed:
                break
            if self[value & 0xFFFFFFFF] == token:
                return value & 0xFFFFFFFF
        return None


class KeyIndex(Mapping[str, int]):
    """Words to rows, without a dictionary in memory."""

    def __init__(self, tokens: TokenTable) -> None:
        self._tokens = tokens

    def __getitem__(self, key: str) -> int:
        row = self._tokens.row(key_to_token(key))
        if row is None:
            raise KeyError(key)
        return row

    def __iter__(self) -> Iterator[str]:
        return map(token_to_key, self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)


def load_array(path: Path) -> Array:
    """An array from an .npy file, memory-mapped.

    Raises:
        CorruptFileError: the file is missing, truncated or no .npy file.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorruptFileError(f"{path} cannot be read ({error}): make it again or restore it.") from error
    return np.asarray(array)  # a plain view of the map: slicing np.memmap costs several times as much
