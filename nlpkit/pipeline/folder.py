"""The run folder: whether it may be used, one run at a time in it, and what dead runs left behind."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import read_json

RUN_FILE = "run.json"
RUN_FORMAT = "nlpkit-run"
RUN_VERSION = 1
LOCK_FILE = ".lock"


def check_run_folder(out: Path, name: str) -> None:
    """Refuse a run folder that is a file, holds something else, or holds the run of another recipe.

    Raises:
        UsageError: naming the folder, what it holds, and the fix.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: choose a folder for --out, or move the file away.")
    if not out.is_dir() or not _entries(out):
        return
    if not (out / RUN_FILE).is_file():
        raise UsageError(f"{out} holds other files and no run: choose an empty or new folder for --out.")
    try:
        content = read_json(out / RUN_FILE)
    except CorruptFileError:
        return  # written whole or not at all, so damaged by hand: the stages tell what stands
    if content.get("format") != RUN_FORMAT:
        raise UsageError(f"{out / RUN_FILE} is not nlpkit's: choose an empty or new folder for --out.")
    if content.get("name") != name:
        raise UsageError(
            f"{out} holds a run of recipe {content.get('name')}, not {name}: choose another folder for --out."
        )


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the run folder for this process; the system lets go of it however the process ends.

    Raises:
        NlpkitError: another process holds it.
    """
    with (out / LOCK_FILE).open("wb") as file:
        if not _try_lock(file):
            raise NlpkitError(
                f"another run is at work in {out}: wait for it, or choose another folder for --out."
            )
        yield


def remove_leftovers(out: Path) -> None:
    """Delete the temporary files and folders of runs that were killed; call it while `locked`."""
    for pattern in (".*.tmp", ".*.old"):
        for path in out.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _entries(out: Path) -> list[Path]:
    """What lies in the folder, apart from what a run that had no time to begin leaves there."""
    return [path for path in out.iterdir() if path.name != LOCK_FILE and path.suffix != ".tmp"]


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
