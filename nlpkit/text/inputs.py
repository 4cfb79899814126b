"""From what a user names (files, folders, globs, `-`, `corpus:NAME`) to the list of files to read."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlpkit.errors import UsageError
from nlpkit.text.corpora import locate_corpus
from nlpkit.text.streams import COMPRESSIONS

TEXT_SUFFIXES = (".txt", ".jsonl", ".csv", ".tsv", ".parquet")
"""What is read from a folder, each also with one of `COMPRESSIONS` behind it."""

CORPUS_PREFIX = "corpus:"
"""Before the name of a bundled, built or downloaded corpus."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read.

    Attributes:
        path: where it is; None is standard input.
        suffix: what it holds, one of `TEXT_SUFFIXES`.
        compression: one of `COMPRESSIONS`, or empty.
        field: where the text is, when the corpus it belongs to says so.
        given: how the user names it, when that is not by its path.
    """

    path: Path | None
    suffix: str = ".txt"
    compression: str = ""
    field: str | None = None
    given: str = ""

    @property
    def name(self) -> str:
        """How messages and `Document.source` call it."""
        return self.given or str(self.path)


def find_inputs(inputs: Sequence[str | Path]) -> list[InputFile]:
    """The files behind `inputs`, in the order given; those of a folder or glob sorted by path.

    A folder stands for its text files by their suffix, at any depth, without hidden ones. A glob stands
    for the files that it matches. A file named itself, or by a glob, is plain text where its suffix says
    nothing.

    Raises:
        UsageError: nothing is given, a path does not exist, or a folder or glob holds no text file.
    """
    if not inputs:
        raise UsageError("No input is given: name a file, a folder, a glob, - or corpus:NAME.")
    return [file for given in inputs for file in _find(str(given))]


def _find(given: str) -> Iterator[InputFile]:
    if given == "-":
        yield InputFile(None, given="standard input")
    elif given.startswith(CORPUS_PREFIX):
        place = locate_corpus(given.removeprefix(CORPUS_PREFIX))
        for file in _find_path(place):
            within = str(file.path).removeprefix(str(place)).replace(os.sep, "/")
            yield replace(file, field="text", given=given + within)
    elif Path(given).exists():
        yield from _find_path(Path(given))
    elif glob.has_magic(given):
        matches = map(Path, glob.glob(given, recursive=True))  # noqa: PTH207 (takes absolute patterns)
        files = sorted(match for match in matches if not match.is_dir())
        if not files:
            raise UsageError(f"{given} matches no file: check the pattern.")
        yield from map(_named_file, files)
    else:
        raise UsageError(f"{given} does not exist: check the path.")


def _find_path(path: Path) -> Iterable[InputFile]:
    if not path.is_dir():
        return [_named_file(path)]
    found = [file for file in map(_classify, sorted(_walk(path))) if file.suffix in TEXT_SUFFIXES]
    if not found:
        known = " ".join(TEXT_SUFFIXES)
        raise UsageError(
            f"{path} holds no text file ({known}, also {' '.join(COMPRESSIONS)}): check the path."
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error  # os.walk passes over unreadable folders otherwise


def _classify(path: Path) -> InputFile:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    return InputFile(path, suffixes[-1] if suffixes else "", compression)


def _named_file(path: Path) -> InputFile:
    file = _classify(path)
    if file.suffix in TEXT_SUFFIXES:
        return file
    if file.suffix == ".json":
        raise UsageError(f"{path} is JSON, which cannot be streamed: make it .jsonl, one object a line.")
    return InputFile(path, ".txt", file.compression)
