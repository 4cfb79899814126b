"""The examples of the documentation run as they stand: the sh and python blocks of a page, in their order."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nlpkit.text import Corpus
from nlpkit.tokenization import Tokenizer, encode_corpus

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
ELSEWHERE = {
    "losses.md",
    "embeddings.md",
}  # in tests/losses/test_docs.py and tests/cli/test_embeddings_docs.py
PAGES = sorted(
    page.name
    for page in (ROOT / "docs").glob("*.md")
    if page.name not in ELSEWHERE and BLOCK.search(page.read_text(encoding="utf-8"))
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    shutil.copy(ROOT / "README.md", tmp_path)
    texts = [document.text for document in Corpus(["corpus:sample"])]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "medical.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "notes.txt").write_text(texts[0], encoding="utf-8")
    for name in ("more", "articles"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "questions-words.txt").write_text(": places\nthe river a which\na which the river\n")
    for name in ("men.tsv", "simlex.tsv"):
        (tmp_path / name).write_text("the\triver\t9\nriver\twhich\t2\nthe\twhich\t5\na\triver\t3\n")
    return tmp_path


@pytest.fixture
def shards(folder: Path) -> None:
    """What pages that go on from token shards take from the page before."""
    tokenizer = Tokenizer.train((document.text for document in Corpus(["corpus:sample"])), vocab_size=500)
    encode_corpus(Corpus(["corpus:sample"]), tokenizer, folder / "shards")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("shards")
def test_the_examples_of_a_page_run(page: str) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    for language, code in BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(code, page, "exec"), names)
        else:
            command = ["bash", "-euo", "pipefail", "-c", code]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
