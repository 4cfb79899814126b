"""Which documents a vocabulary is trained on: sources with weights, a sample, and a share held out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Corpus
from nlpkit.tokenization.training.choosing import Chooser
from nlpkit.tokenization.training.pretoken_counts import PretokenCounts
from nlpkit.tokenization.training.text_parts import TextPart

MAX_WEIGHT = 1_000_000
"""The most often that a document may count: with it, the pairs of a terabyte of text still fit 64 bits."""


class TrainingText:
    """The documents of some inputs.

    Whether a document belongs to the sample or is held out follows from its text alone (and the seed), so it
    depends neither on the order of the inputs nor on how they are divided.

    Args:
        inputs: files, folders, globs, `-` or `corpus:NAME`, as `Corpus` takes them.
        field: where the text is in .jsonl, .csv, .tsv and .parquet.
        lines: in plain text, one document a line instead of one a file.
        errors: on invalid UTF-8, `strict`, `replace` or `skip`.
        weights: how often the documents of an input count, by the input as it was given; 1 for the others.
        sample: the share of the documents that is read for training.
        seed: chooses the sample.
        held_out: the share of the documents that is not trained on; the ones that `encode_corpus` chooses
            for validation with the same share.

    Raises:
        UsageError: an input does not exist, a share is none, or a weight is not of an input or not possible.
    """

    def __init__(
        self,
        inputs: Sequence[str | Path],
        *,
        field: str = "text",
        lines: bool = False,
        errors: str = "strict",
        weights: Mapping[str, int] | None = None,
        sample: float = 1.0,
        seed: int = 1,
        held_out: float = 0.0,
    ) -> None:
        self._chooser = Chooser(sample=sample, seed=seed, held_out=held_out)
        weight_of = _weight_of_each([str(given) for given in inputs], weights or {})
        self._corpora = {
            weight: Corpus(
                [given for given in weight_of if weight_of[given] == weight],
                field=field,
                lines=lines,
                errors=errors,
            )
            for weight in sorted(set(weight_of.values()))
        }

    def count(
        self, counts: PretokenCounts, *, threads: int = 0, progress: ProgressCallback = no_progress
    ) -> None:
        """Add the pre-tokens of the documents to train on.

        Args:
            counts: where to add them.
            threads: 0 means all.
            progress: called with the phase "counting", and the bytes read of the files and in all; and with
                "adding up" where counts went to disk.

        Raises:
            NlpkitError: there is no text.
            CorruptFileError: a file is damaged.
        """
        total = sum(corpus.total_bytes for corpus in self._corpora.values())
        finished = 0

        for weight, corpus in self._corpora.items():

            def report(phase: str, done: int, of: int) -> None:
                if phase == "counting":
                    done, of = finished + corpus.bytes_read, total  # noqa: B023  # called in this round
                progress(phase, done, of)

            counts.add_parts(self._parts(corpus), weight=weight, threads=threads, progress=report)
            finished += corpus.total_bytes
        if counts.documents == 0:
            raise NlpkitError(
                f"no document is left to count with --sample {self._chooser.sample:g} and --held-out "
                f"{self._chooser.held_out:g}: choose other shares, or give more documents."
            )

    @property
    def holds_out(self) -> bool:
        """Is a share of the documents held out?"""
        return self._chooser.held_out > 0

    def held_out_parts(self) -> Iterator[TextPart]:
        """The documents of the sample that are held out, in parts."""
        for corpus in self._corpora.values():
            yield from self._chooser.choose(corpus_parts(corpus), held_out=True)

    def _parts(self, corpus: Corpus) -> Iterator[TextPart]:
        """The documents to train on, in parts."""
        parts = corpus_parts(corpus)
        return parts if self._chooser.takes_all else self._chooser.choose(parts, held_out=False)


def corpus_parts(corpus: Corpus) -> Iterator[TextPart]:
    """The text of the documents of a corpus, in parts."""
    return ((document.text, ends) for document, ends in corpus.parts())


def _weight_of_each(inputs: Sequence[str], weights: Mapping[str, int]) -> dict[str, int]:
    for given, weight in weights.items():
        if given not in inputs:
            raise UsageError(
                f"--weight {given}={weight} names no input: write it as among {', '.join(inputs)}."
            )
        if not 1 <= weight <= MAX_WEIGHT:
            raise UsageError(
                f"--weight {given}={weight} is not possible: give a whole number from 1 to {MAX_WEIGHT:,}."
            )
    return {given: weights.get(given, 1) for given in inputs}
