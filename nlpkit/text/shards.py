"""Token shards: the files of token ids that every trainer reads.

A shard folder holds one split of an encoded corpus (docs/formats.md):

- `shard_00000.bin`, `shard_00001.bin`, …: the ids, little-endian, uint16 where the vocabulary has fewer
  than 65,536 ids, else uint32; `SHARD_TOKENS` ids a file, the last one shorter;
- `documents.npy`: uint64 offsets, one more than there are documents: document i is ids
  `offsets[i]:offsets[i + 1]` of the whole sequence;
- `index.json`: version, dtype, the vocabulary's fingerprint, counts, and each file's SHA-256.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit.errors import CorruptFileError, UsageError, VocabularyMismatchError
from nlpkit.files import read_json, sha256_file

SHARD_TOKENS = 2**26
"""Ids in one shard file: 128 MiB of uint16, small enough to copy, large enough to be few."""

FORMAT = "nlpkit-shards"
VERSION = 1

Ids: TypeAlias = npt.NDArray[np.integer[Any]]


def ids_dtype(n_vocab: int) -> np.dtype[Any]:
    """The dtype that holds every id of a vocabulary of `n_vocab` ids on disk."""
    return np.dtype("<u2" if n_vocab <= 2**16 else "<u4")


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One file of ids, as `index.json` lists it."""

    file: str
    tokens: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """What `index.json` says of a shard folder."""

    dtype: str
    fingerprint: str
    n_vocab: int
    tokens: int
    documents: int
    text_bytes: int
    shards: tuple[ShardFile, ...]
    documents_sha256: str


class TokenShards:
    """One split of an encoded corpus, memory-mapped: opening reads no ids.

    Example:
        >>> shards = TokenShards(Path("shards/train"))  # doctest: +SKIP
        >>> shards.read(0, 1024)  # doctest: +SKIP

    Args:
        folder: a folder written by `ShardWriter`.
        fingerprint: the vocabulary's that the caller goes on with; another one is refused.

    Raises:
        UsageError: `folder` is not a shard folder.
        CorruptFileError: a file is missing or has the wrong size.
        VocabularyMismatchError: the shards were made with another vocabulary.
    """

    def __init__(self, folder: Path, *, fingerprint: str | None = None) -> None:
        self.folder = folder
        self.index = _read_index(folder)
        if fingerprint is not None and fingerprint != self.index.fingerprint:
            raise VocabularyMismatchError(
                f"{folder} was encoded with vocabulary {self.index.fingerprint[:12]}, not with "
                f"{fingerprint[:12]}: encode the corpus again with the vocabulary that you use."
            )
        self._dtype = np.dtype(self.index.dtype).newbyteorder("<")
        self._maps = [self._map(shard) for shard in self.index.shards]
        self._starts = np.cumsum([0, *(shard.tokens for shard in self.index.shards)])
        self.document_offsets = self._read_offsets()

    def _map(self, shard: ShardFile) -> Ids:
        path = self.folder / shard.file
        expected = shard.tokens * self._dtype.itemsize
        actual = path.stat().st_size if path.is_file() else -1
        if actual != expected:
            found = "is missing" if actual < 0 else f"has {actual} bytes instead of {expected}"
            raise CorruptFileError(f"{path} {found}: encode the corpus again.")
        # as a plain array: slicing a np.memmap runs Python code each time
        return np.asarray(np.memmap(path, dtype=self._dtype, mode="r"))

    def _read_offsets(self) -> npt.NDArray[np.uint64]:
        path = self.folder / "documents.npy"
        try:
            offsets = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise CorruptFileError(f"{path} cannot be read ({error}): encode the corpus again.") from error
        if offsets.dtype != np.dtype("<u8") or offsets.shape != (self.index.documents + 1,):
            raise CorruptFileError(f"{path} does not fit index.json: encode the corpus again.")
        if int(offsets[0]) != 0 or int(offsets[-1]) != self.index.tokens:
            raise CorruptFileError(f"{path} does not span the ids: encode the corpus again.")
        return np.asarray(offsets)

    def __len__(self) -> int:
        """The number of ids."""
        return self.index.tokens

    def read(self, start: int, stop: int) -> Ids:
        """Ids `start:stop` in the dtype on disk; a view of the file where they lie in one shard."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"ids {start}:{stop} of {len(self)}")
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts = []
        for shard in range(first, len(self._maps)):
            base = int(self._starts[shard])
            if base >= stop:
                break
            parts.append(self._maps[shard][max(0, start - base) : stop - base])
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, dtype=self._dtype)

    def document(self, index: int) -> Ids:
        """The ids of one document."""
        return self.read(int(self.document_offsets[index]), int(self.document_offsets[index + 1]))

    def verify(self) -> None:
        """Read every file and compare its checksum.

        Raises:
            CorruptFileError: naming the first file whose content has changed.
        """
        files = [(shard.file, shard.sha256) for shard in self.index.shards]
        for name, expected in [*files, ("documents.npy", self.index.documents_sha256)]:
            if sha256_file(self.folder / name) != expected:
                raise CorruptFileError(
                    f"{self.folder / name} does not match its checksum: encode the corpus again."
                )


def _read_index(folder: Path) -> ShardIndex:
    path = folder / "index.json"
    if not path.is_file():
        raise UsageError(
            f"{folder} is no shard folder (it has no index.json): make one with `nlpkit tokenizer encode`."
        )
    fields = read_json(path)
    if fields.pop("format", None) != FORMAT:
        raise CorruptFileError(f"{path} does not describe token shards: encode the corpus again.")
    version = fields.pop("version", None)
    if version != VERSION:
        raise CorruptFileError(
            f"{path} has format version {version}, this nlpkit reads {VERSION}: encode the corpus again."
        )
    try:
        shards = tuple(ShardFile(**shard) for shard in fields.pop("shards"))
        index = ShardIndex(shards=shards, **fields)
        if index.dtype not in ("uint16", "uint32") or sum(s.tokens for s in shards) != index.tokens:
            raise ValueError("dtype or counts do not fit")
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path} is damaged ({error}): encode the corpus again.") from error
    return index
