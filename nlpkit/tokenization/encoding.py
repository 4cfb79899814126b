"""Corpus to shards: documents encoded in batches, split into training and validation, written once.

Memory is bounded by one batch (or the largest document). The bytes written depend on the documents, the
vocabulary, `validation` and `split` alone: not on threads, and for the split by documents not on their
order either, because a document's side follows from its content.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.files import atomic_folder
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Corpus, Document, ShardWriter
from nlpkit.tokenization.vocabulary import Vocabulary

Split: TypeAlias = Literal["documents", "tail"]
"""How validation text is chosen: whole documents by content hash, or the last part of the text."""

TRAIN, VALIDATION, VOCABULARY = "train", "validation", "vocabulary"
"""The folders inside the output folder."""

BATCH_BYTES = 2**23
"""Text encoded at once: enough to keep all threads busy, little beside everything else in memory."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What one split came to."""

    documents: int
    tokens: int
    text_bytes: int
    seconds: float

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text for one id, the ids that end documents included; 0 without ids."""
        return self.text_bytes / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class EncodeSummary:
    """What `encode_corpus` wrote; `validation` is None where none was asked for."""

    train: SplitSummary
    validation: SplitSummary | None

    @property
    def splits(self) -> dict[str, SplitSummary]:
        """The splits written, by folder name."""
        both = {TRAIN: self.train, VALIDATION: self.validation}
        return {name: split for name, split in both.items() if split is not None}


def encode_corpus(
    corpus: Iterable[Document],
    vocabulary: Vocabulary,
    out: Path,
    *,
    validation: float = 0.1,
    split: Split = "documents",
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> EncodeSummary:
    """Encode a corpus to `out/train`, `out/validation` and `out/vocabulary`, whole or not at all.

    Each document is ended by the vocabulary's document-end id, if it has one.

    Args:
        corpus: the documents; read twice for `split="tail"`.
        vocabulary: a `Tokenizer` or `WordVocabulary`.
        out: the folder to write; an existing one is replaced.
        validation: the share that goes to validation, 0 for none.
        split: "documents" chooses whole documents by the hash of their text, so that copies of a document
            land on one side; "tail" takes the last share of the bytes, cutting inside a document at a
            character if need be, so that it also works on a single one.
        threads: 0 means all; the files are the same for any number.
        progress: called with the phase "encode" (and "measure" before it for the tail), and the bytes done
            and in all: of the files for a `Corpus`, else of text, the total as far as it is known.

    Raises:
        UsageError: `validation` or `split` is not one of the above.
        NlpkitError: the corpus is empty, or one of the splits would be.
        OSError: `out` cannot be written.
    """
    if split not in get_args(Split):
        raise UsageError(f"--split {split!r} does not exist: use {' or '.join(get_args(Split))}.")
    if not 0 <= validation < 1:
        raise UsageError(
            f"--validation {validation} is not a share: use 0 (none) up to below 1, such as 0.1."
        )
    total = _total_bytes(corpus, progress) if split == "tail" and validation > 0 else 0
    with atomic_folder(Path(out)) as folder, ExitStack() as stack:
        names = [TRAIN, VALIDATION] if validation > 0 else [TRAIN]
        parts = {
            name: _SplitEncoder(stack.enter_context(_writer(folder / name, vocabulary)), vocabulary, threads)
            for name in names
        }
        done = 0
        report = _reporter("encode", corpus, total, progress)
        for name, text, size in _assign(corpus, validation, split, total):
            parts[name].add(text, size)
            done += size
            report(done)
        if split == "tail" and validation > 0 and done != total:
            raise NlpkitError(
                f"the corpus changed while it was read ({total:,} bytes, then {done:,}): try again."
            )
        summaries = {name: part.finish() for name, part in parts.items()}
        _refuse_empty(summaries, split, validation)
        vocabulary.save(folder / VOCABULARY)
        stack.close()
    return EncodeSummary(summaries[TRAIN], summaries.get(VALIDATION))


def _writer(folder: Path, vocabulary: Vocabulary) -> ShardWriter:
    return ShardWriter(folder, fingerprint=vocabulary.fingerprint, n_vocab=vocabulary.n_vocab)


def _total_bytes(corpus: Iterable[Document], progress: ProgressCallback) -> int:
    total = 0
    report = _reporter("measure", corpus, 0, progress)
    for document in corpus:
        total += utf8_size(document.text)
        report(total)
    return total


def _reporter(
    phase: str, corpus: Iterable[Document], total: int, progress: ProgressCallback
) -> Callable[[int], None]:
    """A function to call with the bytes of text done."""
    if isinstance(corpus, Corpus):
        in_files = corpus.total_bytes
        return lambda done: progress(phase, corpus.bytes_read, in_files)
    return lambda done: progress(phase, done, total)


def _assign(
    corpus: Iterable[Document], validation: float, split: Split, total: int
) -> Iterator[tuple[str, str, int]]:
    """Each document, or part of one, with its split and its size in bytes."""
    if validation == 0:
        for document in corpus:
            yield TRAIN, document.text, utf8_size(document.text)
    elif split == "documents":
        for document in corpus:
            data = document.text.encode("utf-8", "replace")
            yield VALIDATION if content_fraction(data) < validation else TRAIN, document.text, len(data)
    else:
        yield from _assign_tail(corpus, int(total * (1 - validation)))


def content_fraction(data: bytes) -> float:
    """A number in [0, 1) that depends on the content alone and is spread evenly."""
    return int.from_bytes(hashlib.sha256(data).digest()[:6], "big") / 2**48


def _assign_tail(corpus: Iterable[Document], train_bytes: int) -> Iterator[tuple[str, str, int]]:
    """The first `train_bytes` bytes, down to a whole character, for training, the rest for validation."""
    before = 0
    for document in corpus:
        text = document.text
        size = utf8_size(text)
        room = train_bytes - before
        before += size
        if size <= room:
            yield TRAIN, text, size
            continue
        cut = len(text.encode("utf-8", "surrogatepass")[: max(0, room)].decode("utf-8", "ignore"))
        head, tail = text[:cut], text[cut:]
        if head:
            yield TRAIN, head, utf8_size(head)
        yield VALIDATION, tail, utf8_size(tail)


def utf8_size(text: str) -> int:
    """The bytes of a text in UTF-8, surrogates counted as the U+FFFD that they become."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _refuse_empty(summaries: dict[str, SplitSummary], split: Split, validation: float) -> None:
    documents = sum(summary.documents for summary in summaries.values())
    if documents == 0 or not any(summary.text_bytes for summary in summaries.values()):
        raise NlpkitError("the corpus has no text: nothing was written.")
    for name, summary in summaries.items():
        if summary.text_bytes == 0:
            cure = "--split tail, which cuts inside a document," if split == "documents" else "more text"
            raise NlpkitError(
                f"no text fell into {name} (the corpus has {documents:,} documents, --validation "
                f"{validation:g}): use {cure} or another --validation."
            )


class _SplitEncoder:
    """Gathers the documents of one split, and encodes and writes them batch by batch."""

    def __init__(self, writer: ShardWriter, vocabulary: Vocabulary, threads: int) -> None:
        self._writer = writer
        self._vocabulary = vocabulary
        self._threads = threads
        self._texts: list[str] = []
        self._bytes = 0
        self._seconds = 0.0

    def add(self, text: str, size: int) -> None:
        self._texts.append(text)
        self._bytes += size
        if self._bytes >= BATCH_BYTES:
            self._write()

    def finish(self) -> SplitSummary:
        if self._texts:
            self._write()
        writer = self._writer
        return SplitSummary(writer.documents, writer.tokens, writer.text_bytes, self._seconds)

    def _write(self) -> None:
        started = time.perf_counter()
        ragged = self._vocabulary.encode_documents(
            self._texts, document_end=self._vocabulary.document_end is not None, threads=self._threads
        )
        self._writer.write(ragged.ids, np.diff(ragged.offsets), self._bytes)
        self._seconds += time.perf_counter() - started
        self._texts, self._bytes = [], 0
