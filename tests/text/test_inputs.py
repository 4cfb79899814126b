"""Folders, globs and names: which files a corpus is made of, in which order."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit.errors import UsageError
from nlpkit.text import Corpus
from nlpkit.text.inputs import find_inputs

Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def folder(write: Write, tmp_path: Path) -> Path:
    """A folder with text at two depths, and what is not text or hidden."""
    for name in ("b.txt", "a/z.jsonl.gz", "a/y.CSV", "a.tsv.zst", "c.parquet", "a/b/x.txt.bz2"):
        write(f"texts/{name}", "text")
    for name in (
        ".hidden.txt",
        ".git/a.txt",
        "a/.b/c.txt",
        "image.png",
        "README",
        "notes.md",
        "x.json",
        "a.gz",
    ):
        write(f"texts/{name}", "no text")
    return tmp_path / "texts"


def names(given: list[str | Path], root: Path) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in find_inputs(given) if file.path is not None]


def test_a_folder_is_its_text_files_at_any_depth_in_order(folder: Path) -> None:
    expected = ["a/b/x.txt.bz2", "a/y.CSV", "a/z.jsonl.gz", "a.tsv.zst", "b.txt", "c.parquet"]
    assert names([folder], folder) == expected


def test_files_are_called_as_they_were_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert [file.name for file in find_inputs(["texts/b.txt", "texts/a"])][:2] == [
        str(Path("texts/b.txt")),
        str(Path("texts/a/b/x.txt.bz2")),
    ]
    sample = [file.name for file in find_inputs(["corpus:sample"])]
    assert "corpus:sample/en-river.txt" in sample
    monkeypatch.setenv("NLPKIT_CACHE", str(folder))
    (folder / "tinyshakespeare.txt").write_text("First Citizen:", encoding="utf-8")
    assert [file.name for file in find_inputs(["corpus:tinyshakespeare", "-"])] == [
        "corpus:tinyshakespeare",
        "standard input",
    ]


def test_suffixes_are_told_apart_in_any_case(folder: Path) -> None:
    found = {file.path.name: (file.suffix, file.compression) for file in find_inputs([folder]) if file.path}
    assert found["y.CSV"] == (".csv", "")
    assert found["x.txt.bz2"] == (".txt", ".bz2")


def test_globs_are_sorted_and_may_cross_folders(folder: Path) -> None:
    assert names([f"{folder}/*.t*"], folder) == ["a.tsv.zst", "b.txt"]
    assert names([f"{folder}/**/[yz].*"], folder) == ["a/y.CSV", "a/z.jsonl.gz"]


def test_a_glob_stands_for_files_and_never_for_one_twice(folder: Path) -> None:
    (folder / "x.json").unlink()
    found = names([f"{folder}/**"], folder)
    assert len(set(found)) == len(found)
    assert {"a/y.CSV", "b.txt", "notes.md"} < set(found)
    with pytest.raises(UsageError, match=r"a/b\* matches no file"):
        Corpus([f"{folder}/a/b*"])


def test_inputs_stay_in_the_order_given(folder: Path) -> None:
    assert names([folder / "c.parquet", f"{folder}/b.*", folder / "a"], folder)[:2] == ["c.parquet", "b.txt"]


def test_a_file_named_itself_is_text_whatever_it_is_called(folder: Path) -> None:
    given = [folder / name for name in ("README", "notes.md", ".hidden.txt", "a.gz")]
    assert [(file.suffix, file.compression) for file in find_inputs(given)] == [(".txt", "")] * 3 + [
        (".txt", ".gz")
    ]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(write: Write) -> None:
    path = write("a[1].txt", "text")
    assert [file.path for file in find_inputs([path])] == [path]


def test_links_to_folders_are_not_followed_round_in_circles(folder: Path) -> None:
    (folder / "a" / "loop").symlink_to(folder)
    assert len(names([folder], folder)) == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "No input is given"),
        (["missing.txt"], "missing.txt does not exist: check the path"),
        (["missing/*.txt"], "missing/*.txt matches no file: check the pattern"),
        (["empty"], "empty holds no text file (.txt .jsonl .csv .tsv .parquet, also .gz .bz2 .xz .zst)"),
        (["x.json"], "x.json is JSON, which cannot be streamed: make it .jsonl"),
        (["corpus:nothing"], "There is no corpus 'nothing': choose among sample, python-docs"),
        (["corpus:tinyshakespeare"], "is not on this machine yet: run `nlpkit corpus get tinyshakespeare`"),
    ],
)
def test_what_cannot_be_found_is_a_sentence(
    given: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        Corpus(given)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unreadable_folder_is_not_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read every folder
    with pytest.raises(PermissionError):
        Corpus([folder])
