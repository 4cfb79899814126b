"""Temporary folders go with their owner, and with the next process where theirs was killed."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nlpkit.temporary import temporary_folder

HOLD = """
from nlpkit.temporary import temporary_folder
class Owner: pass
owner = Owner()
folder = temporary_folder(owner, "test")
(folder / "data").write_bytes(b"data")
print(folder, flush=True)
input()
"""


class Owner:
    pass


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def holder() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process with a temporary folder, and the folder."""
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_goes_with_its_owner() -> None:
    owner = Owner()
    folder = temporary_folder(owner, "test")
    (folder / "data").write_bytes(b"data")
    assert folder.name.startswith("nlpkit-test-")
    del owner
    gc.collect()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no lock ends with its process")
def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(place: Path) -> None:
    with holder() as (_, living), holder() as (killed, abandoned):
        killed.kill()
        killed.wait()
        assert (abandoned / "data").exists()
        owner = Owner()
        mine = temporary_folder(owner, "test")
        assert {path for path in place.iterdir() if path.is_dir()} == {living, mine}


def test_what_nlpkit_did_not_lock_stays(place: Path) -> None:
    others = [place / "nlpkit-counts-old", place / "nlpkit-file", place / "other"]
    others[0].mkdir()
    others[1].write_text("mine")
    others[2].mkdir()
    (others[2] / "lock").touch()
    temporary_folder(Owner(), "test")
    assert sorted(place.iterdir()) == sorted(others)
