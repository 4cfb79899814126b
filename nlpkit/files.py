"""Writing that is whole or not at all, and small readers with one-sentence errors.

Writing is always: temporary file beside the target, flush, fsync, rename. A reader of the target sees the
old file or the new one, never half of either, also after a crash or a full disk.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlpkit.errors import CorruptFileError, UsageError


def fsync_path(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder; its renames are journalled
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, sync it and rename it to `path`.

    When the block raises, the temporary file is removed and `path` is as it was.

    Raises:
        UsageError: `path` is a folder, a device or a pipe.
    """
    require_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; the result is an ordinary one
        fsync_path(temporary)
        temporary.replace(path)
        fsync_path(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def require_file(path: Path) -> None:
    """Refuse to write where a file cannot be replaced; `atomic_file` calls it, and what works long before.

    Raises:
        UsageError: `path` is a folder, a device or a pipe.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise UsageError(f"{path} is {kind}: choose a file for --out.")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well, sync its files and rename it.

    An existing folder at `path` is replaced where it is empty or nlpkit wrote it. When the block raises,
    the temporary folder is removed and `path` is as it was.

    Raises:
        UsageError: `path` is a file, or a folder that holds somebody else's files.
    """
    require_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


_DESCRIPTIONS = ("config.json", "index.json", "nlpkit.json", "run.json", "stage.json", "state.json")


def require_replaceable(path: Path) -> None:
    """Refuse to replace what nlpkit did not write, so that `--out ~` costs nobody a home folder.

    `atomic_folder` calls it; call it earlier where much work comes before. Every folder that nlpkit writes
    has a description file in it or one level below, or is a stage of a run, whose description lies beside it.

    Raises:
        UsageError: `path` is a file, or a folder that holds somebody else's files.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise UsageError(f"{path} is a file: choose a folder for --out, or move the file away.")
    if not any(path.iterdir()) or (path.parent / "run.json").is_file():
        return
    if not any((path / name).is_file() or any(path.glob(f"*/{name}")) for name in _DESCRIPTIONS):
        raise UsageError(f"{path} holds files that nlpkit did not write: choose another folder for --out.")


def replace_folder(new: Path, path: Path) -> None:
    """Sync folder `new` and rename it to `path`, a neighbour; a folder that was there is replaced."""
    for file in sorted(new.rglob("*")):
        fsync_path(file)
    fsync_path(new)
    _swap_in(new, path)
    fsync_path(path.parent)


def _swap_in(new: Path, path: Path) -> None:
    """Rename folder `new` to `path`, moving what was there aside first (a folder cannot be overwritten)."""
    if not path.exists():
        new.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    path.rename(old / "old")
    try:
        new.rename(path)
    except BaseException:
        (old / "old").rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`.

    Raises:
        UsageError: there is no such file.
        CorruptFileError: the file does not hold a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path} does not exist: check the path.") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise CorruptFileError(f"{path} is not valid JSON ({error}): make it again or restore it.") from error
    if not isinstance(value, dict):
        raise CorruptFileError(f"{path} holds no JSON object: make it again or restore it.")
    return value


def sha256_file(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
