"""`get_corpus`: a corpus onto this machine, checked."""

import json
import re
import shutil
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_file, fsync_path, sha256_file
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.corpora import (
    PYTHON_DOCS,
    SAMPLE,
    RegisteredCorpus,
    cache_folder,
    corpus_names,
    locate_corpus,
    registered_corpora,
)
from nlpkit.text.documents import Corpus
from nlpkit.text.download import DownloadError, download


def get_corpus(
    name_or_url: str,
    *,
    out: Path | None = None,
    sha256: str | None = None,
    from_file: Path | None = None,
    progress: ProgressCallback = no_progress,
) -> Path:
    """Put a corpus on this machine and return where it is.

    A registered set is downloaded and its SHA-256 compared with the registry's; an interrupted download
    goes on where it stopped, and what is there already is not fetched again. `sample` and `python-docs`
    need no network: they are written to `out` as .jsonl, or only located where `out` is None.

    Args:
        name_or_url: a name of `corpus_names()`, or the address of any one file.
        out: the folder to write to. Default: a registered set goes to the cache, where `corpus:NAME`
            finds it; the file behind a URL goes to the current folder.
        sha256: what the file behind a URL must have; needed with a URL, refused with a name.
        from_file: take this file instead of downloading; its SHA-256 is checked the same way.
        progress: called with phase `download` and bytes.

    Raises:
        UsageError: an unknown name, a URL without `sha256`, or a `from_file` that does not exist.
        CorruptFileError: the file has another SHA-256; a downloaded one has been removed.
        NlpkitError: the download failed; the message says how to bring the file by hand.
    """
    if name_or_url in (SAMPLE, PYTHON_DOCS):
        if sha256 is not None or from_file is not None:
            raise UsageError(f"{name_or_url} comes with nlpkit: leave out --sha256 and --from.")
        return locate_corpus(name_or_url) if out is None else _export(name_or_url, out)
    url, expected, size, target = _describe(name_or_url, out, sha256)
    if target.is_file() and sha256_file(target) == expected:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    if from_file is not None:
        _take(from_file, target, expected)
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        download(url, part, total=size, progress=progress)
    except DownloadError as error:
        command = f"nlpkit corpus get {name_or_url}" + (f" --sha256 {sha256}" if sha256 else "")
        raise NlpkitError(
            f"{error}: run the command again to go on, or fetch the file in another way and run "
            f"`{command} --from FILE`."
        ) from error
    _require_sha256(part, expected, url, remove=True)
    fsync_path(part)
    part.replace(target)
    fsync_path(target.parent)
    return target


def _describe(name_or_url: str, out: Path | None, sha256: str | None) -> tuple[str, str, int, Path]:
    """(URL, SHA-256, size or 0, where to put it) of what is to be downloaded."""
    corpus: RegisteredCorpus | None = registered_corpora().get(name_or_url)
    if corpus is not None:
        if sha256 is not None:
            raise UsageError(f"{name_or_url} has its SHA-256 in the registry: leave out --sha256.")
        return corpus.url, corpus.sha256, corpus.bytes, (out or cache_folder()) / corpus.file
    if "://" not in name_or_url:
        names = ", ".join(corpus_names())
        raise UsageError(f"There is no corpus {name_or_url!r}: give a URL, or choose among {names}.")
    if sha256 is None or not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UsageError(f"{name_or_url} needs --sha256 with the 64 hexadecimal digits its publisher gives.")
    file = PurePosixPath(unquote(urlsplit(name_or_url).path)).name
    if not file:
        raise UsageError(f"{name_or_url} names no file: give the address of one.")
    return name_or_url, sha256.lower(), 0, (out or Path()) / file


def _take(file: Path, target: Path, expected: str) -> None:
    if not file.is_file():
        raise UsageError(f"{file} does not exist: check --from.")
    with atomic_file(target) as temporary:
        shutil.copyfile(file, temporary)
        _require_sha256(temporary, expected, str(file), remove=False)


def _require_sha256(path: Path, expected: str, origin: str, *, remove: bool) -> None:
    found = sha256_file(path)
    if found == expected:
        return
    if remove:
        path.unlink()
    done = "what came was removed" if remove else "it was not taken"
    raise CorruptFileError(
        f"{origin} has SHA-256 {found}, not {expected}: {done}; get it again, or check where it comes from."
    )


def _export(name: str, out: Path) -> Path:
    """Write a corpus that comes with nlpkit to `out` as one .jsonl file."""
    path = out / f"{name}.jsonl"
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for document in Corpus([f"corpus:{name}"]):
            record = {"text": document.text, "source": Path(document.source).name}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path
