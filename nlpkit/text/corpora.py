"""Corpora that have a name: bundled with nlpkit, built on the spot, or registered for download.

`corpus:NAME` stands for one of them wherever a corpus is asked for. The registry is `corpora/corpora.toml`;
what is built or downloaded lies in `cache_folder()`.
"""

import importlib.resources
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.text.python_docs import build_python_docs, python_docs_name

SAMPLE = "sample"
PYTHON_DOCS = "python-docs"


@dataclass(frozen=True, slots=True)
class RegisteredCorpus:
    """A public set of one file, as `corpora/corpora.toml` lists it.

    Attributes:
        name: its name behind `corpus:`.
        description: what it is, in a few words.
        language: ISO 639-1 code.
        kind: `text`; or a set to evaluate word vectors by, `analogies` or `similarity`.
        url: where it is served, at a fixed version.
        sha256: of the file that is served.
        bytes: its size.
        licence: as its source states it.
    """

    name: str
    description: str
    language: str
    kind: Literal["text", "analogies", "similarity"]
    url: str
    sha256: str
    bytes: int
    licence: str

    @property
    def file(self) -> str:
        """What the file is called in the cache: its name here and its suffix there."""
        return self.name + PurePosixPath(self.url).suffix


@dataclass(frozen=True, slots=True)
class CorpusDescription:
    """A line of `nlpkit corpus list`; `bytes` is None while the corpus has not been built."""

    name: str
    kind: str
    language: str
    bytes: int | None
    here: bool
    licence: str
    description: str


@cache
def registered_corpora() -> dict[str, RegisteredCorpus]:
    """The public sets that can be downloaded, by name."""
    text = importlib.resources.files("nlpkit.corpora").joinpath("corpora.toml").read_text(encoding="utf-8")
    corpora = [RegisteredCorpus(**entry) for entry in tomllib.loads(text)["corpus"]]
    return {corpus.name: corpus for corpus in corpora}


def corpus_names() -> list[str]:
    """Every name that may stand behind `corpus:`."""
    return [SAMPLE, PYTHON_DOCS, *registered_corpora()]


def cache_folder() -> Path:
    """Where corpora are kept: `$NLPKIT_CACHE`, or `nlpkit` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if given := os.environ.get("NLPKIT_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nlpkit"


def find_corpus(name: str) -> Path | None:
    """The file or folder of a named corpus, or None while it is neither built nor downloaded.

    Raises:
        UsageError: there is no such name.
    """
    if name == SAMPLE:
        return Path(str(importlib.resources.files("nlpkit.corpora").joinpath("sample")))
    if name == PYTHON_DOCS:
        path = cache_folder() / python_docs_name()
    elif name in registered_corpora():
        path = cache_folder() / registered_corpora()[name].file
    else:
        raise UsageError(f"There is no corpus {name!r}: choose among {', '.join(corpus_names())}.")
    return path if path.exists() else None


def describe_corpora() -> list[CorpusDescription]:
    """Every named corpus: those that come with nlpkit first, then those to download."""
    sample, docs = find_corpus(SAMPLE), find_corpus(PYTHON_DOCS)
    built_in = [
        CorpusDescription(
            SAMPLE,
            "text",
            "many",
            _size(sample),
            True,
            "MIT",
            "Short texts in six scripts, written for nlpkit",
        ),
        CorpusDescription(
            PYTHON_DOCS,
            "text",
            "en",
            _size(docs),
            docs is not None,
            "PSF-2.0",
            "Documentation that ships with Python, built when first used",
        ),
    ]
    return built_in + [
        CorpusDescription(
            corpus.name,
            corpus.kind,
            corpus.language,
            corpus.bytes,
            find_corpus(corpus.name) is not None,
            corpus.licence,
            corpus.description,
        )
        for corpus in registered_corpora().values()
    ]


def _size(path: Path | None) -> int | None:
    if path is None:
        return None
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def locate_corpus(name: str) -> Path:
    """The file or folder of a named corpus; `python-docs` is built when it is first asked for.

    Raises:
        UsageError: there is no such name, or it has not been downloaded.
        NlpkitError: `python-docs` cannot be written to the cache.
    """
    path = find_corpus(name)
    if path is not None:
        return path
    if name == PYTHON_DOCS:
        path = cache_folder() / python_docs_name()
        try:
            build_python_docs(path)
        except OSError as error:  # the user named no folder, so the message names where it comes from
            raise NlpkitError(
                f"{path} cannot be written ({error.strerror}): set NLPKIT_CACHE to a folder that can."
            ) from error
        return path
    raise UsageError(f"corpus:{name} is not on this machine yet: run `nlpkit corpus get {name}`.")
