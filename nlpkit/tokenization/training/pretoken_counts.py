"""`PretokenCounts`: how often each pre-token of a text occurs.

Counting is the part of training that reads all text. Counts can be added up, so a large text can be counted
in parts, on several machines if need be, and the vocabulary is the same as from the whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.batches import gather
from nlpkit.tokenization.patterns import named_scheme, pattern_string, split
from nlpkit.tokenization.training.counts_files import check_same_rules, open_counts, write_counts
from nlpkit.tokenization.training.memory_limit import MemoryLimit
from nlpkit.tokenization.training.merge_limits import MergeLimits
from nlpkit.tokenization.training.sorted_runs import SortedRuns
from nlpkit.tokenization.training.text_parts import TextCutter, TextPart, slices

DEFAULT_SPECIAL_TOKENS = ("<|endoftext|>",)


class PretokenCounts:
    """Counted pre-tokens, in memory or, as far as `max_memory` wants it, in sorted temporary files.

    A document bounds pre-tokens. So does a special token in it, which is left out: nothing is learnt from
    special tokens.

    Args:
        pattern: the split pattern, by name or as a regex.
        special_tokens: texts that are control tokens.
        max_memory: bytes that counting, and later merging, may take; None is no limit.

    Attributes:
        pat_str: the split pattern.
        special_tokens: as given.
        documents: how many documents were counted.

    Raises:
        UsageError: the pattern is not valid, or `max_memory` is too little to work in.
    """

    def __init__(
        self,
        pattern: str = "cl100k",
        *,
        special_tokens: Sequence[str] = DEFAULT_SPECIAL_TOKENS,
        max_memory: int | None = None,
    ) -> None:
        self._limit = MemoryLimit(max_memory)
        self.pat_str = pattern_string(pattern)
        self.special_tokens = tuple(special_tokens)
        self.documents = 0
        self._scheme = named_scheme(self.pat_str)
        self._cutter = TextCutter(self.special_tokens, cut=self._scheme is not None)
        self._runs = SortedRuns()
        self._table = _core.PretokenCounts(self._limit.tables, self._runs.prefix)
        self._bytes = 0

    # ====================
    # Counting
    # ====================

    def add(
        self,
        documents: Iterable[str],
        *,
        weight: int = 1,
        threads: int = 0,
        progress: ProgressCallback = no_progress,
    ) -> None:
        """Count texts, each `weight` times.

        Args:
            documents: the texts, read once; none of them is kept.
            weight: how often each is counted.
            threads: 0 means all; the counts are the same for any number.
            progress: called with the phase "counting" and the bytes read since this object was made, and
                with "adding up" where counts went to disk.

        Raises:
            UsageError: `weight` is below 1.
            NlpkitError: a text holds a lone surrogate, the pattern does not cover it, or the disk is full.
        """
        parts = (part for document in documents for part in slices(document, self._limit.part))
        self.add_parts(parts, weight=weight, threads=threads, progress=progress)

    def add_parts(
        self,
        parts: Iterable[TextPart],
        *,
        weight: int = 1,
        threads: int = 0,
        progress: ProgressCallback = no_progress,
    ) -> None:
        """As `add`, for documents that come in parts, as `Corpus.parts` gives them.

        A document is counted as the whole that it is. It is put together first where the pattern is a regex
        without a scanner, otherwise only as far as it holds no place to cut.
        """
        if weight < 1:
            raise UsageError(f"a weight of {weight} is too small: give a whole number from 1 on.")
        texts = self._cutter.texts(parts, self.documents)
        for batch in gather(texts, lambda text: text.size, self._limit.batch):
            with self._runs.disk_named():
                self._add_batch([piece for text in batch for piece in text.pieces], weight, threads, progress)
            self.documents += sum(text.ends for text in batch)
            self._bytes += sum(text.size for text in batch)
            progress("counting", self._bytes, 0)
            self._runs.add(self._table.take_runs(), progress)
            if self._limit.given is not None:
                _core.release_freed_memory()

    def _add_batch(
        self, texts: list[str | bytes], weight: int, threads: int, progress: ProgressCallback
    ) -> None:
        if self._scheme is None:
            whole = (text if isinstance(text, str) else text.decode() for text in texts)
            counts = Counter(piece for text in whole for piece in split(text, self.pat_str))
            times = [weight * number for number in counts.values()]
            self._table.add_pieces([piece.encode() for piece in counts], times)
            return
        before = self._bytes
        self._table.add_documents(
            texts, self._scheme, weight, threads, lambda done, total: progress("counting", before + done, 0)
        )

    def _spill(self, progress: ProgressCallback = no_progress) -> None:
        """Move the counts in memory to disk."""
        with self._runs.disk_named():
            self._table.spill()
        self._runs.add(self._table.take_runs(), progress)
        _core.release_freed_memory()

    def items(self) -> list[tuple[bytes, int]]:
        """All pre-tokens with their counts, in order of their bytes; in memory, so for small texts."""
        if not len(self._runs):
            return self._table.items()
        self._spill()
        everything = _core.PretokenCounts()
        everything.read_records(self._runs.merged())
        return everything.items()

    # ====================
    # Files
    # ====================

    def save(self, path: Path, *, progress: ProgressCallback = no_progress) -> None:
        """Write a counts file (docs/formats.md), whole or not at all."""
        append: Callable[[str], int] = self._table.append_records
        if self._on_disk():
            self._spill(progress)
            append = partial(self._runs.append_to, progress=progress)
        write_counts(Path(path), self.pat_str, self.special_tokens, self.documents, append)

    def _on_disk(self) -> bool:
        """Do the counts lie on disk, or belong there before anything else is done with them?"""
        return len(self._runs) > 0 or self._table.memory > self._limit.kept

    @classmethod
    def load(cls, paths: Sequence[Path], *, max_memory: int | None = None) -> "PretokenCounts":
        """The sum of counts files.

        Raises:
            UsageError: a file does not exist.
            CorruptFileError: a file is no counts file, or damaged.
            NlpkitError: the files were counted with different patterns or special tokens.
        """
        files = [open_counts(Path(path)) for path in paths]
        if not files:
            raise UsageError("no counts file was given: give at least one.")
        check_same_rules(files)
        counts = cls(files[0].pat_str, special_tokens=files[0].special_tokens, max_memory=max_memory)
        counts.documents = sum(file.documents for file in files)
        counts._runs.add([file.records for file in files])
        return counts

    # ====================
    # Training
    # ====================

    def learn_merges(
        self,
        wanted: int,
        limits: MergeLimits,
        *,
        ranks: dict[bytes, int] | None,
        first_id: int,
        progress: ProgressCallback,
    ) -> tuple[npt.NDArray[np.uint32], int, int]:
        """Merges on top of the bytes or of `ranks`; the (n, 2) merged ids, and the text's tokens and bytes.

        What `nlpkit.tokenization.training` calls; it describes the arguments.

        Raises:
            NlpkitError: `max_memory` is too little; says how much is needed, or what to leave out.
        """
        options: dict[str, Any] = {
            "min_count": limits.min_count,
            "prune_below": limits.prune_below,
            "ranks": ranks,
            "first_id": first_id,
            "progress": lambda done, total: progress("merging", done, total),
        }
        if limits.max_token_bytes is not None:
            options["max_token_bytes"] = limits.max_token_bytes
        try:
            learn: Callable[..., tuple[npt.NDArray[np.uint32], int, int]] = self._table.learn_merges
            if self._on_disk():
                self._spill(progress)
                learn = partial(_core.learn_merges_of_records, self._runs.merged(progress))
            if (left := self._limit.merging(first_id + wanted)) is not None:
                options["max_memory"] = max(0, left - self._table.memory)
            return learn(wanted, **options)
        except _core.MemoryNeeded as error:
            raise NlpkitError(self._memory_sentence(first_id + wanted, *error.args)) from error
        except _core.DamagedRecords as error:
            raise CorruptFileError(
                f"{error} has damaged records: restore it or count the text again."
            ) from error
        except OverflowError as error:
            raise NlpkitError(f"{error}: count less of it, or with smaller weights.") from error

    def _memory_sentence(
        self,
        tokens: int,
        merging: int,
        prune_below: int,
        pretokens: int,
        dropped: int,
        occurrences: int,
        dropped_occurrences: int,
    ) -> str:
        least = -(-self._limit.least(merging, tokens) // 1_000_000)
        sentence = (
            f"merging {pretokens:,} unique pre-tokens to {tokens:,} tokens does not fit into --max-memory "
            f"{self._limit.given:,}: give it at least {least}MB"
        )
        if prune_below:
            share = dropped_occurrences / occurrences
            sentence += (
                f", or --prune-below {prune_below}, which leaves out {dropped:,} unique pre-tokens "
                f"({share:.2%} of the text's)"
            )
        return sentence + "."
