"""Corpus to shards: documents encoded in batches, split into training and validation, written once.

Memory is bounded by some batches (or the largest document). The bytes written depend on the documents, the
vocabulary and the options alone: not on threads, nor on where the work was stopped and went on; and for the
split by documents not on their order either, because a document's side follows from its content.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from nlpkit._core import TextBatch
from nlpkit.errors import NlpkitError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Corpus, Document, ShardProgress, ShardWriter
from nlpkit.tokenization.encoding.documents import DocumentEncoder
from nlpkit.tokenization.encoding.journal import Journal, resumable_folder
from nlpkit.tokenization.encoding.reading import BATCH_BYTES, read_ahead, read_batches
from nlpkit.tokenization.encoding.splits import (
    TRAIN,
    VALIDATION,
    NoSplit,
    Split,
    SplitByContent,
    SplitTail,
    Splitter,
    check_split,
)
from nlpkit.tokenization.vocabulary import Vocabulary

VOCABULARY = "vocabulary"
"""The folder for the copy of the vocabulary inside the output folder."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What one split came to; `seconds` went into encoding and writing it, in this run."""

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


class EncodeOptions(TypedDict, total=False):
    """The options of `encode_corpus`."""

    validation: float
    split: Split
    bos: str | None
    eos: bool
    dropout: float
    seed: int
    threads: int
    progress: ProgressCallback


def encode_corpus(
    corpus: Iterable[Document],
    vocabulary: Vocabulary,
    out: Path,
    *,
    validation: float = 0.1,
    split: Split = "documents",
    bos: str | None = None,
    eos: bool = True,
    dropout: float = 0.0,
    seed: int = 0,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> EncodeSummary:
    """Encode a corpus to `out/train`, `out/validation` and `out/vocabulary`, whole or not at all.

    When it is stopped after a while, by Ctrl-C or a kill, calling it again with the same corpus (a `Corpus`
    of files that have not changed), vocabulary and options goes on from the last checkpoint.

    Args:
        corpus: the documents; read twice for `split="tail"`.
        vocabulary: a `Tokenizer` or `WordVocabulary`.
        out: the folder to write; an existing one is replaced.
        validation: the share that goes to validation, 0 for none.
        split: "documents" chooses whole documents by the hash of their text, so that copies of a document
            land on one side; "tail" takes the last share of the bytes, cutting inside a document at a
            character if need be, so that it also works on a single one.
        bos: the special token that begins each document, such as `<|bos|>`; none by default.
        eos: end each document with the vocabulary's document-end id, if it has one.
        dropout: how likely each merge is left out (`Tokenizer.encode`), for a `Tokenizer`.
        seed: fixes what is left out.
        threads: 0 means all; the files are the same for any number.
        progress: called with the phase "encode" (and "measure" before it for the tail), and the bytes done
            and in all: of the files for a `Corpus`, else of text, the total as far as it is known.

    Raises:
        UsageError: an option is not one of the above.
        NlpkitError: the corpus is empty, or one of the splits would be; or another process writes `out`.
        OSError: `out` cannot be written.
    """
    check_split(validation, split)
    encoder = DocumentEncoder(vocabulary, bos=bos, eos=eos, dropout=dropout, seed=seed, threads=threads)
    total = _total_bytes(corpus, progress) if split == "tail" and validation > 0 else 0
    splitter = _splitter(validation, split, total)
    options = {"validation": validation, "split": split, "total": total, **encoder.identity}
    with resumable_folder(Path(out), _identity(corpus, options)) as journal, ExitStack() as stack:
        parts = {
            name: stack.enter_context(_SplitWriter(journal, name, vocabulary, encoder))
            for name in splitter.names
        }
        done = _encode_all(corpus, splitter, parts, journal, _reporter("encode", corpus, total, progress))
        if isinstance(splitter, SplitTail) and done != total:
            raise NlpkitError(
                f"the corpus changed while it was read ({total:,} bytes, then {done:,}): try again."
            )
        summaries = {name: part.summary() for name, part in parts.items()}
        _refuse_empty(summaries, split, validation)
        vocabulary.save(journal.folder / VOCABULARY)
        stack.close()
    return EncodeSummary(summaries[TRAIN], summaries.get(VALIDATION))


def _encode_all(
    corpus: Iterable[Document],
    splitter: Splitter,
    parts: Mapping[str, "_SplitWriter"],
    journal: Journal,
    report: Callable[[int], None],
) -> int:
    """Encode every batch that no checkpoint covers; returns the bytes of all text."""
    covered = journal.state["batches"] if journal.state else 0
    text_bytes = 0
    with read_ahead(read_batches(corpus, BATCH_BYTES)) as batches:
        for number, read in enumerate(batches, start=1):
            text_bytes += read.texts.nbytes
            if number <= covered:
                splitter.skip(read.texts)
                continue
            for name, texts in splitter.divide(read.texts):
                parts[name].write(texts)
            report(read.done)
            if journal.is_due:
                progress = {name: asdict(part.writer.checkpoint()) for name, part in parts.items()}
                journal.save({"batches": number, "splits": progress})
    return text_bytes


class _SplitWriter:
    """Encodes and writes the documents of one split; a context manager, as the `ShardWriter` in it."""

    def __init__(self, journal: Journal, name: str, vocabulary: Vocabulary, encoder: DocumentEncoder) -> None:
        self._encoder = encoder
        self._seconds = 0.0
        self.writer = ShardWriter(
            journal.folder / name,
            fingerprint=vocabulary.fingerprint,
            n_vocab=vocabulary.n_vocab,
            resume=ShardProgress.from_json(journal.state["splits"][name]) if journal.state else None,
        )

    def write(self, texts: TextBatch) -> None:
        started = time.perf_counter()
        ragged = self._encoder.encode(texts, first_document=self.writer.documents)
        self.writer.write(ragged.ids, np.diff(ragged.offsets), texts.nbytes)
        self._seconds += time.perf_counter() - started

    def summary(self) -> SplitSummary:
        writer = self.writer
        return SplitSummary(writer.documents, writer.tokens, writer.text_bytes, self._seconds)

    def __enter__(self) -> "_SplitWriter":
        self.writer.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self.writer.__exit__(*raised)


def _identity(corpus: Iterable[Document], options: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the shards follow from; None for documents that cannot be told from others later."""
    signature = corpus.signature() if isinstance(corpus, Corpus) else None
    return None if signature is None else {"corpus": signature, "batch_bytes": BATCH_BYTES, **options}


def _total_bytes(corpus: Iterable[Document], progress: ProgressCallback) -> int:
    total = 0
    report = _reporter("measure", corpus, 0, progress)
    for read in read_batches(corpus, BATCH_BYTES):
        total += read.texts.nbytes
        report(read.done)
    return total


def _reporter(
    phase: str, corpus: Iterable[Document], total: int, progress: ProgressCallback
) -> Callable[[int], None]:
    """A function to call with the bytes done."""
    in_all = corpus.total_bytes if isinstance(corpus, Corpus) else total
    return lambda done: progress(phase, done, in_all)


def _splitter(validation: float, split: Split, total: int) -> Splitter:
    if validation == 0:
        return NoSplit()
    if split == "documents":
        return SplitByContent(validation)
    return SplitTail(int(total * (1 - validation)))


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
