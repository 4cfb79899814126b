"""Corpora by name: the sample, python-docs, the registry, the cache."""

import ast
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.text import Corpus
from nlpkit.text.corpora import (
    cache_folder,
    corpus_names,
    describe_corpora,
    find_corpus,
    locate_corpus,
    registered_corpora,
)
from nlpkit.text.python_docs import build_python_docs, python_docs, python_docs_name

Write = Callable[[str, bytes | str], Path]


@pytest.fixture(scope="session")
def docs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus python-docs of the Python that runs, built once."""
    path = tmp_path_factory.mktemp("docs") / "python-docs.jsonl"
    build_python_docs(path)
    return path


def test_the_sample_is_read_by_its_name() -> None:
    documents = list(Corpus(["corpus:sample"]))
    assert len(documents) >= 12
    assert sum(len(document.text.encode()) for document in documents) >= 60_000


def test_a_named_corpus_keeps_its_field(own_cache: Path) -> None:
    (own_cache / python_docs_name()).write_text('{"text": "kept", "body": "other"}\n')
    assert [document.text for document in Corpus(["corpus:python-docs"], field="body")] == ["kept"]


def test_python_docs_is_built_once_into_the_cache(own_cache: Path, docs_file: Path) -> None:
    assert find_corpus("python-docs") is None
    path = locate_corpus("python-docs")
    assert path == find_corpus("python-docs") == own_cache / python_docs_name()
    assert path.read_bytes() == docs_file.read_bytes()
    built = path.stat().st_mtime_ns
    assert locate_corpus("python-docs") == path
    assert path.stat().st_mtime_ns == built


def test_python_docs_is_megabytes_of_distinct_documents(docs_file: Path) -> None:
    records = [json.loads(line) for line in docs_file.read_text(encoding="utf-8").split("\n") if line]
    texts = [record["text"] for record in records]
    assert len(set(texts)) == len(texts) > 300
    assert 1_500_000 < sum(len(text.encode()) for text in texts) < 4_000_000
    sources = [record["source"] for record in records]
    assert {"topic lambda", "module json", "module json.decoder", "module argparse"} <= set(sources)
    assert not [name for name in sources if re.search(r"\b(test|idlelib|site-packages|lib2to3)\b", name)]


def test_python_docs_takes_docstrings_in_source_order_once(tmp_path: Path) -> None:
    code = {
        "b/__init__.py": '"""Package b."""\nclass A:\n "Class A."\n def f(self):\n  """Say."""\n',
        "b/c.py": 'if True:\n def g():\n  """Say."""\n  async def h():\n   "Wait."\n"loose"',
        "b/d.py": 'def g():\n    """Say."""\n',
        "b/test/test_c.py": '"""A test."""\n',
        "config-3.11-linux/x.py": '"""Of this machine."""\n',
        "a.py": 'r"""A \\d escape."""\nx = "\\d"\ndef f():\n "Twice."\ndef g():\n "Twice."\n',
    }
    for name, text in code.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    modules = {name: text for name, text in python_docs(tmp_path) if name.startswith("module ")}
    assert list(modules.items()) == [
        ("module a", "A \\d escape.\n\nTwice.\n"),
        ("module b", "Package b.\n\nClass A.\n\nSay.\n"),
        ("module b.c", "Wait.\n"),
    ]


def test_python_docs_equals_the_docstrings_that_python_reports(docs_file: Path) -> None:
    records = map(json.loads, docs_file.read_text(encoding="utf-8").splitlines())
    text = next(record["text"] for record in records if record["source"] == "module textwrap")
    import textwrap

    tree = ast.parse(Path(textwrap.__file__).read_bytes())
    first = ast.get_docstring(tree)
    assert first is not None
    assert text.startswith(f"{first}\n\n")
    for function in (textwrap.wrap, textwrap.fill, textwrap.dedent, textwrap.TextWrapper.fill):
        assert (function.__doc__ or "").split("\n")[0] in text


def test_a_python_without_sources_is_named(tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match="holds no Python sources"):
        list(python_docs(tmp_path))


def test_the_registry_is_whole() -> None:
    for corpus in registered_corpora().values():
        assert re.fullmatch("[0-9a-f]{64}", corpus.sha256), corpus.name
        assert re.search(r"/[0-9a-f]{40}/", corpus.url), f"{corpus.name} is not at a fixed commit"
        assert urlsplit(corpus.url).scheme == "https"
        assert corpus.kind in ("text", "analogies", "similarity")
        assert corpus.bytes > 0
        assert corpus.licence
        assert corpus.file == corpus.name + Path(corpus.url).suffix
    assert len(set(corpus_names())) == len(corpus_names())


LOCAL = {  # where NLPKIT_DATA holds a registered file
    "tinyshakespeare": "text/lm/tinyshakespeare/input.txt.gz",
    "wikitext-2-train": "text/lm/wikitext-2/wiki.train.tokens.gz",
    "wikitext-2-validation": "text/lm/wikitext-2/wiki.valid.tokens.gz",
    "wikitext-2-test": "text/lm/wikitext-2/wiki.test.tokens.gz",
    "google-analogies": "text/embed/google/questions-words.txt",
    "ca8-semantic": "text/embed/chinese/CA8-semantic.txt",
    "ca8-morphological": "text/embed/chinese/CA8-morphological.txt",
}


@pytest.mark.skipif("NLPKIT_DATA" not in os.environ, reason="NLPKIT_DATA is not set")
@pytest.mark.parametrize("name", LOCAL)
def test_the_registry_describes_the_real_files(name: str) -> None:
    import gzip

    path = Path(os.environ["NLPKIT_DATA"]) / LOCAL[name]
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    corpus = registered_corpora()[name]
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (corpus.sha256, corpus.bytes)


def test_a_downloaded_corpus_is_found_by_its_name(own_cache: Path) -> None:
    (own_cache / "tinyshakespeare.txt").write_text("First Citizen:\nBefore we proceed")
    assert find_corpus("tinyshakespeare") == own_cache / "tinyshakespeare.txt"
    assert len(list(Corpus(["corpus:tinyshakespeare"], lines=True))) == 2


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("NLPKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "nlpkit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "nlpkit"


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(NlpkitError, match=r"cannot be written \(.*\): set NLPKIT_CACHE to a folder that can"):
        locate_corpus("python-docs")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="no corpus 'shakespeare': choose among sample, python-docs, tiny"):
        locate_corpus("shakespeare")


def test_descriptions_say_what_is_here(own_cache: Path, docs_file: Path) -> None:
    before = {corpus.name: corpus for corpus in describe_corpora()}
    assert list(before) == corpus_names()
    assert [name for name, corpus in before.items() if corpus.here] == ["sample"]
    assert before["python-docs"].bytes is None
    assert (before["sample"].bytes or 0) > 60_000
    shutil.copy(docs_file, own_cache / python_docs_name())
    after = {corpus.name: corpus for corpus in describe_corpora()}
    assert after["python-docs"].here
    assert after["python-docs"].bytes == docs_file.stat().st_size
