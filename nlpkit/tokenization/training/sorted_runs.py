"""Counts on disk while they are made: sorted files, added up to one when asked for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nlpkit import _core
from nlpkit.errors import NlpkitError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.temporary import temporary_folder
from nlpkit.tokenization.training.counts_files import RecordRange

_OPEN_FILES = 64
"""Files added up at once: their buffers (25 KB each) stay small, and well below any limit on open files."""


class SortedRuns:
    """Sorted records in any number of files; the temporary ones go when this object does."""

    def __init__(self) -> None:
        self._ranges: list[RecordRange] = []
        self._folder = temporary_folder(self, "counts")
        self._merged = 0

    def __len__(self) -> int:
        return len(self._ranges)

    @property
    def prefix(self) -> str:
        """How the paths of temporary files begin."""
        return str(self._folder / "run-")

    def add(self, files: Sequence[RecordRange], progress: ProgressCallback = no_progress) -> None:
        """Add the records of files, temporary ones (by their `prefix`) or someone else's."""
        for records in files:
            self._ranges.append(records)
            if len(self._ranges) >= _OPEN_FILES:
                self.merged(progress)

    def merged(self, progress: ProgressCallback = no_progress) -> RecordRange:
        """All records added up in one file; `progress` is called with the phase "adding up"."""
        if len(self._ranges) > 1:
            self._merged += 1
            path = self._folder / f"merged-{self._merged}"
            with self.disk_named():
                self.append_to(str(path), progress)
            for name, _, _ in self._ranges:
                if Path(name).parent == self._folder:
                    Path(name).unlink()
            self._ranges = [(str(path), 0, path.stat().st_size)]
        return self._ranges[0]

    def append_to(self, path: str, progress: ProgressCallback = no_progress) -> int:
        """Add up all records behind what the file at `path` holds; returns how many they are."""
        return _core.merge_records(self._ranges, path, lambda done, total: progress("adding up", done, total))

    @contextmanager
    def disk_named(self) -> Iterator[None]:
        """Say where temporary files could not be written, and what to do about it."""
        try:
            yield
        except OSError as error:
            if error.filename is not None and not str(error.filename).startswith(str(self._folder)):
                raise  # of a counts file that is someone else's
            raise NlpkitError(
                f"the counts that do not fit into --max-memory could not be written to {self._folder} "
                f"({error.strerror}): make room there, or set TMPDIR to a folder that has some."
            ) from error
