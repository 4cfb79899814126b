"""A folder that appears at once when it is complete, and whose making goes on where it was stopped.

What is under way lies beside it, in `.NAME.partial`, with a journal of the last checkpoint. Whoever makes the
same folder from the same things again, after Ctrl-C, a crash or a kill, goes on from there.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlpkit.errors import CorruptFileError, NlpkitError
from nlpkit.files import read_json, replace_folder, require_replaceable, write_json

CHECKPOINT_SECONDS = 15.0
"""Time between checkpoints: the most work that a kill costs."""

_JOURNAL, _LOCK = "journal.json", "lock"


class Journal:
    """The folder under way.

    Attributes:
        folder: where to write.
        state: what the last checkpoint held; None where the work begins.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any] | None) -> None:
        self.folder = folder
        self._identity = identity
        self._last = time.monotonic()
        self.state = self._read()

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self._identity is not None and time.monotonic() - self._last >= CHECKPOINT_SECONDS

    def save(self, state: Mapping[str, Any]) -> None:
        """Write down how far the work is; everything up to there is on the disk."""
        write_json(self.folder / _JOURNAL, {"identity": self._identity, "state": state})
        self._last = time.monotonic()

    @property
    def is_kept(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder / _JOURNAL).is_file()

    def _read(self) -> dict[str, Any] | None:
        """The state of the last checkpoint of the same work."""
        if self._identity is None or not self.is_kept:
            return None
        try:
            fields = read_json(self.folder / _JOURNAL)
        except CorruptFileError:
            return None  # then the work begins anew, as without a journal
        same = fields.get("identity") == self._identity
        state: dict[str, Any] | None = fields.get("state") if same else None
        return state


@contextmanager
def resumable_folder(path: Path, identity: Mapping[str, Any] | None) -> Iterator[Journal]:
    """Yield the journal of a folder; when the block ends well, the folder is renamed to `path`.

    When the block raises before the first checkpoint, nothing is left behind; later, what there is stays for
    another run with the same identity.

    Args:
        path: the folder to make; one of nlpkit's that is there is replaced.
        identity: all that the content follows from, as JSON; None where the work cannot go on later.

    Raises:
        UsageError: `path` is a file, or a folder that holds somebody else's files.
        NlpkitError: another process is making it.
    """
    require_replaceable(path)
    work = path.parent / f".{path.name}.partial"
    work.mkdir(parents=True, exist_ok=True)
    with _locked(work / _LOCK, path):
        journal = Journal(work, identity)
        if journal.state is None:
            _clear(work)
        try:
            yield journal
        except BaseException:
            if not journal.is_kept:
                shutil.rmtree(work, ignore_errors=True)
            raise
        for name in (_JOURNAL, _LOCK):
            (work / name).unlink(missing_ok=True)
        replace_folder(work, path)


def _clear(work: Path) -> None:
    for entry in work.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != _LOCK:
            entry.unlink()


@contextmanager
def _locked(lock: Path, path: Path) -> Iterator[None]:
    """Keep other processes out; the system opens the lock of a process that dies."""
    with lock.open("wb") as file:
        if os.name == "posix":  # elsewhere two runs at once are the user's care
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise NlpkitError(
                    f"another nlpkit is writing {path}: wait for it, or choose another folder."
                ) from error
        yield
