"""Temporary folders that go with their process; a killed one's go when the next process makes one."""

import os
import shutil
import sys
import tempfile
import weakref
from pathlib import Path

_PREFIX = "nlpkit-"
_LOCK = "lock"


def temporary_folder(owner: object, purpose: str) -> Path:
    """A new folder `nlpkit-PURPOSE-…` where temporary files belong; it is removed when `owner` goes.

    Its owner's process holds a lock in it, which ends with the process, however that ends: folders whose lock
    nobody holds are removed here. (Windows has no such locks; there the folders of killed processes stay.)
    """
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
    weakref.finalize(owner, _remove, folder, _hold_lock(folder))
    return folder


def _remove(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _lock(descriptor: int) -> bool:
    """Take the lock on an open file; is it ours now?"""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by its process, or the file system knows no locks
        return False
    return True


def _hold_lock(folder: Path) -> int | None:
    unlocked = folder / f"{_LOCK}.new"
    descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o600)
    if _lock(descriptor):
        unlocked.rename(folder / _LOCK)  # so that nobody ever finds it without its lock
        return descriptor
    os.close(descriptor)
    return None


def _remove_abandoned() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:
            continue  # another user's, or gone by now
        if _lock(descriptor):
            shutil.rmtree(lock.parent, ignore_errors=True)
        os.close(descriptor)
