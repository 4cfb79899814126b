"""`nlpkit corpus list|get|stats`: what is printed, and every bad input as one sentence with its exit code."""

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

Result = tuple[int, str, str]
Run = Callable[..., Result]


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def run(nlpkit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `nlpkit corpus …` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(nlpkit, "corpus")


def test_list_shows_each_corpus_and_whether_it_is_here(run: Run, own_cache: Path) -> None:
    (own_cache / "tinyshakespeare.txt").write_text("First Citizen:")
    code, out, error = run("list")
    assert (code, error) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines)[:3] == ["name", "sample", "python-docs"]
    assert lines["tinyshakespeare"].split()[3:6] == ["1,115,394", "yes", "public"]
    assert lines["wikitext-2-test"].split()[3:6] == ["1,256,449", "no", "CC"]


def test_list_as_json(run: Run) -> None:
    corpora = json.loads(run("list", "--json")[1])
    sample = corpora[0]
    assert (sample["name"], sample["here"], sample["licence"]) == ("sample", True, "MIT")
    assert sample["bytes"] > 60_000


def test_get_prints_where_the_corpus_is(run: Run, tmp_path: Path) -> None:
    code, out, error = run("get", "sample", "--out", tmp_path / "here")
    assert (code, out, error) == (0, f"{tmp_path}/here/sample.jsonl\n", "")
    assert run("stats", tmp_path / "here")[1] == run("stats", out.strip())[1]


def test_stats_are_fields_of_figures(run: Run) -> None:
    Path("a.txt").write_text("one two\nтри\n")
    code, out, error = run("stats", "a.txt", "--lines")
    assert (code, error) == (0, "")
    fields = dict(line.split("  ", 1) for line in out.splitlines())
    assert {name: value.strip() for name, value in fields.items()} == {
        "documents": "2",
        "bytes": "13",
        "characters": "10",
        "words": "3",
        "lines": "2",
        "distinct characters": "9",
        "longest document": "7",
        "longest source": "a.txt:1",
        "duplicates": "0",
        "skipped": "0",
        "scripts": "Latin 66.7%, Cyrillic 33.3%",
    }


def test_stats_read_standard_input(run: Run) -> None:
    code, out, _ = run("stats", "-", "--json", stdin="hello 世界".encode())
    assert code == 0
    figures = json.loads(out)
    assert (figures["documents"], figures["characters"], figures["bytes"]) == (1, 8, 12)
    assert figures["longest_source"] == "standard input"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["stats", "missing.txt"], 2, "missing.txt does not exist: check the path."),
        (["stats", "none/*.txt"], 2, "none/*.txt matches no file: check the pattern."),
        (["stats", "images"], 2, "images holds no text file (.txt .jsonl .csv .tsv .parquet, also .gz"),
        (["stats", "empty.txt"], 1, "empty.txt holds no text: give at least one document."),
        (["stats", "-"], 1, "- holds no text: give at least one document."),
        (["stats", "binary.txt"], 1, "binary.txt is a binary file (NUL at byte 4): give UTF-8 text."),
        (["stats", "latin.txt"], 1, "latin.txt is not UTF-8 at byte 3 (0xe9): convert it to UTF-8, or pass"),
        (["stats", "latin.txt", "--errors", "skip"], 1, "(--errors skip left out 1)"),
        (["stats", "latin.txt", "--errors", "guess"], 2, "--errors guess is unknown: choose strict, replace"),
        (["stats", "cut.txt.gz"], 1, "cut.txt.gz is truncated or damaged (Compressed file ended before"),
        (["stats", "a.jsonl"], 2, "a.jsonl:1 has no field 'text': choose --field among 'body'."),
        (["stats", "a.jsonl", "--field", "body"], 1, "a.jsonl:2 is not valid JSON (Expecting"),
        (["stats", "a.json"], 2, "a.json is JSON, which cannot be streamed"),
        (["stats", "a.csv", "--field", "x"], 2, "a.csv has no field 'x': choose --field among 'id', 'text'."),
        (["stats", "corpus:wikitext-2-test"], 2, "run `nlpkit corpus get wikitext-2-test`."),
        (["stats", "corpus:nothing"], 2, "There is no corpus 'nothing': choose among sample"),
        (["get", "nothing"], 2, "There is no corpus 'nothing': give a URL, or choose among sample"),
        (["get", "http://127.0.0.1:9/a.txt"], 2, "needs --sha256 with the 64 hexadecimal digits"),
        (["get", "http://127.0.0.1:9/a.txt", "--sha256", "0" * 64], 1, "cannot be reached"),
        (["get", "tinyshakespeare", "--from", "latin.txt"], 1, "it was not taken; get it again, or check"),
        (["get", "tinyshakespeare", "--from", "missing.txt"], 2, "missing.txt does not exist: check --from."),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(
    arguments: list[str], code: int, said: str, run: Run, own_cache: Path
) -> None:
    Path("images").mkdir()
    Path("images/a.png").write_bytes(b"\x89PNG")
    Path("empty.txt").touch()
    Path("binary.txt").write_bytes(b"\x7fELF\0\0")
    Path("latin.txt").write_bytes("café".encode("latin-1"))
    Path("cut.txt.gz").write_bytes(gzip.compress(b"text" * 100)[:-9])
    Path("a.jsonl").write_text('{"body": "fine"}\n{body}\n')
    Path("a.json").write_text("[]")
    Path("a.csv").write_text("id,text\n1,a\n")
    ended, printed, error = run(*arguments)
    assert (ended, printed) == (code, "")
    assert error.startswith("nlpkit: ")
    assert error.endswith(".\n")
    assert len(error.splitlines()) == 1
    assert said in error
    assert list(own_cache.iterdir()) == []
