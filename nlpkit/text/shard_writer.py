"""Writing token shards (`shards.py` says what they are), in constant memory, and going on after a crash."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nlpkit.files import sha256_file, write_json
from nlpkit.text.shards import FORMAT, SHARD_TOKENS, VERSION, Ids, ShardFile, ShardIndex, ids_dtype

_OFFSETS_START = 128  # of documents.npy: NumPy pads the header of any one-dimensional array to this


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far a `ShardWriter` was at a checkpoint; JSON holds it as `dataclasses.asdict` gives it."""

    tokens: int
    documents: int
    text_bytes: int
    shards: tuple[ShardFile, ...]

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ShardProgress":
        """What `asdict` made."""
        return cls(**{**fields, "shards": tuple(ShardFile(**shard) for shard in fields["shards"])})


class ShardWriter:
    """Writes a shard folder; use as a context manager.

    The folder is complete only once the block ends well (`index.json` is written last). Wrap it in
    `nlpkit.files.atomic_folder` to make the folder appear at once.

    Args:
        folder: where to write; made if missing, and expected empty.
        fingerprint: the vocabulary's.
        n_vocab: one more than the largest id that may come.
        shard_tokens: ids in one file.
        resume: go on in a folder that a writer with the same arguments left behind, from this checkpoint of
            its; what it wrote later is dropped.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: str,
        n_vocab: int,
        shard_tokens: int = SHARD_TOKENS,
        resume: ShardProgress | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.fingerprint = fingerprint
        self.n_vocab = n_vocab
        self.tokens = resume.tokens if resume else 0
        """Ids written so far."""
        self.documents = resume.documents if resume else 0
        """Documents written so far."""
        self.text_bytes = resume.text_bytes if resume else 0
        """Bytes of their text."""
        self._dtype = ids_dtype(n_vocab)
        self._shard_tokens = shard_tokens
        self._shards = list(resume.shards) if resume else []
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._in_file = 0
        self._offsets = self._open_offsets(resume)
        if resume:
            self._reopen_shard()

    def _open_offsets(self, resume: ShardProgress | None) -> BinaryIO:
        path = self.folder / "documents.npy"
        if resume is not None:
            return _reopen(path, _OFFSETS_START + 8 * (self.documents + 1))
        file = path.open("wb")
        file.write(bytes(_OFFSETS_START + 8))  # the header comes at the end; the first offset is 0
        return file

    def _reopen_shard(self) -> None:
        """Go on in the file under way, which has to be read again for its checksum."""
        self._in_file = self.tokens - sum(shard.tokens for shard in self._shards)
        path = self.folder / self._shard_name()
        if self._in_file:
            self._file = _reopen(path, self._in_file * self._dtype.itemsize)
            with path.open("rb") as file:
                self._digest = hashlib.file_digest(file, "sha256")

    def write(self, ids: Ids, lengths: Sequence[int] | npt.NDArray[np.integer[Any]], text_bytes: int) -> None:
        """Append documents: their ids end to end, each one's number of ids, the bytes of their text.

        Raises:
            ValueError: the lengths do not add up to the ids, or an id is outside the vocabulary.
        """
        lengths = np.asarray(lengths, dtype=np.uint64)
        if int(lengths.sum()) != len(ids):
            raise ValueError(f"document lengths add up to {int(lengths.sum())}, but there are {len(ids)} ids")
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.n_vocab:
            raise ValueError(f"ids must lie in [0, {self.n_vocab}), got {int(ids.min())} to {int(ids.max())}")
        offsets = np.cumsum(lengths, dtype=np.uint64) + np.uint64(self.tokens)
        self._offsets.write(offsets.astype("<u8").data)
        self.tokens += len(ids)
        self.documents += len(lengths)
        self.text_bytes += text_bytes
        self._append(np.ascontiguousarray(ids, dtype=self._dtype))

    def checkpoint(self) -> ShardProgress:
        """Bring all that was written to the disk, and say how far it is."""
        for file in (self._offsets, self._file):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())
        return ShardProgress(self.tokens, self.documents, self.text_bytes, tuple(self._shards))

    def _shard_name(self) -> str:
        return f"shard_{len(self._shards):05d}.bin"

    def _append(self, ids: Ids) -> None:
        while len(ids):
            if self._file is None:
                self._file = (self.folder / self._shard_name()).open("wb")
                self._digest = hashlib.sha256()
                self._in_file = 0
            part = ids[: self._shard_tokens - self._in_file]
            self._file.write(part.data)
            self._digest.update(part.data)
            self._in_file += len(part)
            ids = ids[len(part) :]
            if self._in_file == self._shard_tokens:
                self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._shards.append(ShardFile(self._shard_name(), self._in_file, self._digest.hexdigest()))
            self._file = None

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for file in (self._offsets, self._file):
                if file is not None:
                    file.close()
            return
        self._close_file()
        self._finish_offsets()
        index = ShardIndex(
            dtype=self._dtype.name,
            fingerprint=self.fingerprint,
            n_vocab=self.n_vocab,
            tokens=self.tokens,
            documents=self.documents,
            text_bytes=self.text_bytes,
            shards=tuple(self._shards),
            documents_sha256=sha256_file(self.folder / "documents.npy"),
        )
        write_json(self.folder / "index.json", {"format": FORMAT, "version": VERSION, **asdict(index)})

    def _finish_offsets(self) -> None:
        """Write the header of documents.npy, now that its length is known."""
        self._offsets.seek(0)
        np.lib.format.write_array_header_1_0(
            self._offsets, {"descr": "<u8", "fortran_order": False, "shape": (self.documents + 1,)}
        )
        if self._offsets.tell() != _OFFSETS_START:
            raise RuntimeError(f"NumPy's header has {self._offsets.tell()} bytes, not {_OFFSETS_START}")
        self._offsets.close()


def _reopen(path: Path, size: int) -> BinaryIO:
    """A file to write on behind its first `size` bytes; the rest is dropped."""
    file = path.open("r+b")
    file.truncate(size)
    file.seek(size)
    return file
