"""`Corpus`: a stream of documents from anything that holds text."""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from nlpkit._core import TextBatch
from nlpkit.errors import NlpkitError
from nlpkit.files import sha256_file
from nlpkit.temporary import temporary_folder
from nlpkit.text.batches import BatchBuilder
from nlpkit.text.inputs import TEXT_SUFFIXES, InputFile, find_inputs
from nlpkit.text.parquet import read_parquet
from nlpkit.text.readers import (
    Document,
    read_csv,
    read_file_document,
    read_file_parts,
    read_jsonl,
    read_line_documents,
)
from nlpkit.text.streams import damage_named, decompress
from nlpkit.text.utf8 import Utf8Decoder, is_utf8

__all__ = ["Corpus", "Document"]

_Read = TypeVar("_Read")  # what a file is read as: documents, or parts of them


class Corpus:
    """The documents of some files, as a stream that can be read again and again in constant memory.

    Text comes out as it stands in the files: line ends are kept, nothing is trimmed, only a byte order
    mark at a file's start is dropped. Texts without a character are no documents.

    Example:
        >>> corpus = Corpus(["corpus:sample"])
        >>> sum(len(document.text) for document in corpus) > 10_000
        True

    Args:
        inputs: files (.txt .jsonl .csv .tsv .parquet, also .gz .bz2 .xz .zst), folders, globs, `-` for
            plain text on standard input, and `corpus:NAME` for a corpus of `nlpkit corpus list`.
        field: where the text is in .jsonl, .csv, .tsv and .parquet.
        lines: in plain text, one document a line instead of one a file.
        errors: on invalid UTF-8, `strict` stops, `replace` puts U+FFFD, `skip` leaves the document out.

    Attributes:
        skipped: documents that the last iteration left out because of invalid UTF-8.

    Raises:
        UsageError: an input does not exist or holds no text file.
    """

    def __init__(
        self,
        inputs: Sequence[str | Path],
        *,
        field: str = "text",
        lines: bool = False,
        errors: str = "strict",
    ) -> None:
        self.inputs = tuple(str(given) for given in inputs)
        self.field = field
        self.lines = lines
        self.errors = errors
        self._decoder = Utf8Decoder(errors)
        self._files = find_inputs(inputs)
        self._standard_input: Path | None = None
        self._reading: BinaryIO | None = None
        self._finished_bytes = 0

    def __iter__(self) -> Iterator[Document]:
        """The documents in the order of the inputs.

        Raises:
            NlpkitError: there is not one document.
            CorruptFileError: a file is damaged, binary, not UTF-8, or not what its suffix says.
            UsageError: a file has no such field.
        """
        return self._not_empty(self._read_file(file, self._documents) for file in self._files)

    def parts(self) -> Iterator[tuple[Document, bool]]:
        """The documents in parts, each with whether it ends its document, so that none need fit into memory.

        A plain-text file that is one document comes a block at a time, cut anywhere between two characters
        (under `errors="skip"` it is read twice, since its last byte may tell that it is to be left out); any
        other document comes as a whole.
        """
        return self._not_empty(self._read_file(file, self._document_parts) for file in self._files)

    def _not_empty(self, files: Iterable[Iterator[_Read]]) -> Iterator[_Read]:
        """What the files hold, one after the other."""
        self._decoder = Utf8Decoder(self.errors)
        self._finished_bytes = 0
        found = chain.from_iterable(files)
        first = next(found, None)
        if first is None:
            raise self._no_text()
        yield first
        del first
        yield from found

    def batches(self, nbytes: int) -> Iterator[TextBatch]:
        """The same documents as UTF-8 in batches of about `nbytes` bytes, several times as fast.

        A batch ends with the document that fills it. Raises what iterating raises.
        """
        self._decoder = Utf8Decoder(self.errors)
        self._finished_bytes = 0
        builder = BatchBuilder(nbytes)
        is_empty = True
        for file in self._files:
            for batch in self._read_batches(file, builder):
                is_empty = False
                yield batch
        if len(builder.batch):
            yield builder.take()
        elif is_empty:
            raise self._no_text()

    @property
    def skipped(self) -> int:
        """Documents that the iteration under way, or the last one, left out because of invalid UTF-8."""
        return self._decoder.skipped

    @property
    def total_bytes(self) -> int:
        """The size of the files as they are on the disk, to measure progress by."""
        return sum(self._path(file).stat().st_size for file in self._files)

    @property
    def bytes_read(self) -> int:
        """How much of `total_bytes` the iteration under way has read."""
        return self._finished_bytes + (self._reading.tell() if self._reading is not None else 0)

    def fingerprint(self) -> str:
        """The SHA-256 of the files' content and of the options that choose the text in it.

        Names and folders do not count, so that a moved corpus keeps its fingerprint.
        """
        files = [
            (file.suffix, file.compression, file.field, sha256_file(self._path(file))) for file in self._files
        ]
        options = [self.field, self.lines, self.errors]
        return hashlib.sha256(json.dumps([files, options]).encode()).hexdigest()

    def signature(self) -> list[Any] | None:
        """Names, sizes and times of the files, and the options: what changes when the files do, as JSON.

        It costs no reading, but says less than `fingerprint`. None for standard input, which comes only once.
        """
        if any(file.path is None for file in self._files):
            return None
        stats = [(file, self._path(file).stat()) for file in self._files]
        files = [[file.name, file.field, stat.st_size, stat.st_mtime_ns] for file, stat in stats]
        return [files, self.field, self.lines, self.errors]

    def _no_text(self) -> NlpkitError:
        because = f" (--errors skip left out {self.skipped})" if self.skipped else ""
        return NlpkitError(f"{' '.join(self.inputs)} holds no text{because}: give at least one document.")

    def _read_file(
        self, file: InputFile, read: Callable[[InputFile, BinaryIO, ExitStack], Iterator[_Read]]
    ) -> Iterator[_Read]:
        with self._open(file) as (stream, stack):
            yield from read(file, stream, stack)

    def _read_batches(self, file: InputFile, builder: BatchBuilder) -> Iterator[TextBatch]:
        with self._open(file) as (stream, stack):
            if file.suffix == ".jsonl":
                yield from builder.add_jsonl(stream, file.name, self._decoder, file.field or self.field)
            elif file.suffix not in TEXT_SUFFIXES[1:] and self.lines:
                yield from builder.add_lines(stream, file.name, self._decoder)
            else:
                yield from builder.add_documents(self._documents(file, stream, stack))

    @contextmanager
    def _open(self, file: InputFile) -> Iterator[tuple[BinaryIO, ExitStack]]:
        """The plain bytes of a file, and what else is to be closed with it."""
        path = self._path(file)
        try:
            with ExitStack() as stack:
                stack.enter_context(damage_named(file.name))
                self._reading = raw = stack.enter_context(path.open("rb"))
                yield decompress(raw, file.compression), stack
        finally:
            self._reading = None
        self._finished_bytes += path.stat().st_size

    def _document_parts(
        self, file: InputFile, stream: BinaryIO, stack: ExitStack
    ) -> Iterator[tuple[Document, bool]]:
        if file.suffix == ".txt" and not self.lines:
            if self.errors == "skip" and not self._is_utf8(file):
                self._decoder.skipped += 1
                return iter(())
            return read_file_parts(stream, file.name, self._decoder)
        return ((document, True) for document in self._documents(file, stream, stack))

    def _is_utf8(self, file: InputFile) -> bool:
        """Read a file to its end, a block at a time, to tell."""
        with damage_named(file.name), self._path(file).open("rb") as raw:
            return is_utf8(decompress(raw, file.compression), file.name)

    def _documents(self, file: InputFile, stream: BinaryIO, stack: ExitStack) -> Iterator[Document]:
        field = file.field or self.field
        match file.suffix:
            case ".jsonl":
                return read_jsonl(stream, file.name, self._decoder, field)
            case ".csv":
                return read_csv(stream, file.name, self._decoder, field, delimiter=",")
            case ".tsv":
                return read_csv(stream, file.name, self._decoder, field, delimiter="\t")
            case ".parquet":
                if file.compression:  # Parquet is read from its end: unpack it first
                    stream = _spooled(stream, stack)
                return read_parquet(stream, file.name, self._decoder, field)
        read = read_line_documents if self.lines else read_file_document
        return read(stream, file.name, self._decoder)

    def _path(self, file: InputFile) -> Path:
        """Where the file's bytes are; standard input comes only once, so it is kept in a temporary file."""
        if file.path is not None:
            return file.path
        if self._standard_input is None:
            self._standard_input = temporary_folder(self, "stdin") / "stdin"
            with self._standard_input.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        return self._standard_input


def _spooled(stream: BinaryIO, stack: ExitStack) -> BinaryIO:
    """A seekable copy of a stream in a temporary file."""
    spool = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115
    shutil.copyfileobj(stream, spool)
    spool.seek(0)
    return spool
