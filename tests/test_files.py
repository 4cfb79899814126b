"""Writing whole or not at all: what a reader finds after success, failure and interruption."""

import os
import stat
from pathlib import Path

import pytest

from nlpkit import files
from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import atomic_file, atomic_folder, read_json, sha256_file, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_with_its_missing_parents(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.bin"
    with atomic_file(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert names(path.parent) == ["a.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic_file(path) as temporary:
            temporary.write_text("half of the ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes among its files")
def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="pipe is no ordinary file: choose a file for --out"):
        write_text(path, "text")
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_files_and_folders_get_ordinary_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
        with atomic_folder(tmp_path / "b") as folder:
            (folder / "c").write_text("c")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result"
    with atomic_folder(path) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "a").write_text("a")
        assert not path.exists()
    assert (path / "sub" / "a").read_text() == "a"
    assert names(tmp_path / "new") == ["result"]


def write_result(path: Path, **contents: str) -> None:
    with atomic_folder(path) as temporary:
        for name, text in {"index.json": "{}", **contents}.items():
            (temporary / name).write_text(text)


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    write_result(tmp_path / "result", a="old a", b="old b")
    write_result(tmp_path / "result", a="new a")
    assert names(tmp_path) == ["result"]
    assert names(tmp_path / "result") == ["a", "index.json"]
    assert (tmp_path / "result" / "a").read_text() == "new a"


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    write_result(tmp_path / "result", a="new")
    assert (tmp_path / "result" / "a").read_text() == "new"


def test_a_folder_of_folders_that_nlpkit_wrote_is_replaced(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with atomic_folder(tmp_path / "shards") as folder:
            write_result(folder / "train", a=text)
    assert (tmp_path / "shards" / "train" / "a").read_text() == "new"


def test_a_stage_of_a_run_is_replaced_whatever_is_left_of_it(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {})
    write_text(tmp_path / "stage" / "a", "old")
    write_result(tmp_path / "stage", a="new")
    assert (tmp_path / "stage" / "a").read_text() == "new"


@pytest.mark.parametrize("theirs", ["thesis.txt", "train/notes.json", ".git/config"])
def test_a_folder_with_files_of_the_users_own_is_never_replaced(tmp_path: Path, theirs: str) -> None:
    path = tmp_path / "result" / theirs
    path.parent.mkdir(parents=True)
    path.write_text("years of work")
    with (
        pytest.raises(UsageError, match=r"result holds files that nlpkit did not write: choose another"),
        atomic_folder(tmp_path / "result"),
    ):
        pytest.fail("refused before the work, not after it")
    assert path.read_text() == "years of work"
    assert names(tmp_path) == ["result"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_folder_leaves_the_old_one(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with atomic_folder(tmp_path / "result") as temporary:
            (temporary / "a").write_text("half")
            raise error

    write_result(tmp_path / "result", a="old")
    with pytest.raises(error):
        write_half()
    assert names(tmp_path) == ["result"]
    assert (tmp_path / "result" / "a").read_text() == "old"


def test_a_swap_that_fails_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_result(tmp_path / "result", a="old")
    rename = Path.rename

    def refuse_the_new(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(OSError, match="No space left"):
        write_result(tmp_path / "result", a="new")
    assert names(tmp_path) == ["result"]
    assert (tmp_path / "result" / "a").read_text() == "old"


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("a file")
    with pytest.raises(UsageError, match="result is a file: choose a folder for --out"):
        write_result(tmp_path / "result", a="new")
    assert (tmp_path / "result").read_text() == "a file"


def test_what_is_renamed_was_on_the_disk_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (done.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (done.append("rename"), replace(self, to))[1])
    write_text(tmp_path / "a", "text")
    assert done == ["fsync", "rename", "fsync"]


def test_json_and_text_are_written_as_they_are(tmp_path: Path) -> None:
    value = {"文": ["é\r\n", 1.5, None]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert "文" in (tmp_path / "a.json").read_text(encoding="utf-8")
    write_text(tmp_path / "a.txt", "one\r\ntwo\n")
    assert (tmp_path / "a.txt").read_bytes() == b"one\r\ntwo\n"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"3"])
def test_what_is_no_json_object_is_corrupt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"a\.json (is not valid JSON|holds no JSON object)"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("path", ["missing.json", "file/missing.json"])
def test_a_missing_json_file_is_a_usage_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="does not exist: check the path"):
        read_json(tmp_path / path)


def test_the_checksum_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert sha256_file(tmp_path / "a") == expected


def test_the_umask_is_left_as_it_was() -> None:
    before = files._umask()
    assert files._umask() == before
