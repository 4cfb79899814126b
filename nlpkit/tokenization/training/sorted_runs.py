"""Counts on disk while they are made: sorted files, added up to one when asked for."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

from nlpkit import _core
from nlpkit.errors import NlpkitError
from nlpkit.tokenization.training.counts_files import RecordRange

_OPEN_FILES = 64
"""Files added up at once: their buffers (64 KiB each) stay small, and well below any limit on open files."""


class SortedRuns:
    """Sorted records in any number of files; the temporary ones go when this object does."""

    def __init__(self) -> None:
        self._ranges: list[RecordRange] = []
        self._folder: Path | None = None
        self._written = 0

    def __len__(self) -> int:
        return len(self._ranges)

    def add_file(self, records: RecordRange) -> None:
        """Add the records of a file that belongs to someone else."""
        self._ranges.append(records)
        if len(self._ranges) >= _OPEN_FILES:
            self.merged()

    def add_table(self, table: _core.PretokenCounts) -> None:
        """Move a table's counts to a new file."""
        self.add_file(self._write(table.append_records))
        table.clear()

    def merged(self) -> RecordRange:
        """All records added up in one file."""
        if len(self._ranges) > 1:
            merged = self._write(self.append_to)
            for name, _, _ in self._ranges:
                if Path(name).parent == self._folder:
                    Path(name).unlink()
            self._ranges = [merged]
        return self._ranges[0]

    def append_to(self, path: str) -> int:
        """Add up all records behind what the file at `path` holds; returns how many they are."""
        return _core.merge_records(self._ranges, path)

    def _write(self, append_records: Callable[[str], int]) -> RecordRange:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="nlpkit-counts-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._written += 1
        path = self._folder / str(self._written)
        try:
            append_records(str(path))
        except OSError as error:
            raise NlpkitError(
                f"the counts that do not fit into --max-memory could not be written to {path} "
                f"({error.strerror}): make room there, or set TMPDIR to a folder that has some."
            ) from error
        return str(path), 0, path.stat().st_size
