"""`PretokenCounts`: how often each pre-token of a text occurs.

Counting is the part of training that reads all text. Counts can be added up, so a large text can be counted
in parts, on several machines if need be, and the vocabulary is the same as from the whole.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization.patterns import named_scheme, pattern_string, split
from nlpkit.tokenization.training.counts_files import check_same_rules, open_counts, write_counts
from nlpkit.tokenization.training.sorted_runs import SortedRuns

DEFAULT_SPECIAL_TOKENS = ("<|endoftext|>",)

_BATCH = 1 << 23
"""Characters handed to the core at a time: enough for its threads, little beside the text."""
_LEAST_MEMORY = 8_000_000
"""Below this, `max_memory` would go into buffers alone."""


@dataclass(frozen=True, slots=True)
class MergeLimits:
    """What is not merged.

    Args:
        min_count: a pair must occur this often (1 is the default of Hugging Face's trainer too).
        max_token_bytes: no token gets longer than this; None is any length.
        prune_below: pre-tokens that occur fewer times are left out, to save memory; 1 keeps all.

    Raises:
        UsageError: one of them is below 1, or does not fit 32 bits.
    """

    min_count: int = 1
    max_token_bytes: int | None = None
    prune_below: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not 1 <= value < 2**32:
                option = f"--{field.name.replace('_', '-')} {value}"
                raise UsageError(
                    f"{option} is too {'small' if value < 1 else 'large'}: give 1 to {2**32 - 1}."
                )

    def __str__(self) -> str:
        limits = [f"occur {self.min_count} times"] if self.min_count > 1 else []
        if self.max_token_bytes is not None:
            limits.append(f"make at most {self.max_token_bytes} bytes")
        pairs = f"pairs that {' and '.join(limits)}" if limits else "pairs to merge"
        if self.prune_below == 1:
            return pairs
        return f"{pairs} (in pre-tokens that occur {self.prune_below} times)"


NO_LIMITS = MergeLimits()


class PretokenCounts:
    """Counted pre-tokens, in memory or, as far as `max_memory` wants it, in sorted temporary files.

    A document bounds pre-tokens. So does a special token in it, which is left out: nothing is learnt from
    special tokens.

    Args:
        pattern: the split pattern, by name or as a regex.
        special_tokens: texts that are control tokens.
        max_memory: bytes that counting, and later training, may take beside the documents handed over.

    Attributes:
        pat_str: the split pattern.
        special_tokens: as given.
        documents: how many documents were counted.

    Raises:
        UsageError: the pattern is not valid, or `max_memory` is below 8 MB.
    """

    def __init__(
        self,
        pattern: str = "cl100k",
        *,
        special_tokens: Sequence[str] = DEFAULT_SPECIAL_TOKENS,
        max_memory: int | None = None,
    ) -> None:
        if max_memory is not None and max_memory < _LEAST_MEMORY:
            raise UsageError(f"--max-memory {max_memory} is too small to work in: give at least 8MB.")
        self.pat_str = pattern_string(pattern)
        self.special_tokens = tuple(special_tokens)
        self.documents = 0
        self._max_memory = max_memory
        self._scheme = named_scheme(self.pat_str)
        self._special = re.compile("|".join(map(re.escape, sorted(special_tokens, key=len, reverse=True))))
        self._table = _core.PretokenCounts()
        self._runs = SortedRuns()
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
            progress: called with the phase "counting" and the bytes read since this object was made.

        Raises:
            UsageError: `weight` is below 1.
            NlpkitError: a text holds a lone surrogate, or the pattern does not cover it.
        """
        if weight < 1:
            raise UsageError(f"a weight of {weight} is too small: give a whole number from 1 on.")
        for batch in self._batches(documents):
            try:
                self._bytes += self._add_batch(batch, weight, threads, progress)
            except UnicodeEncodeError as error:
                raise NlpkitError(self._surrogate(batch, error)) from error
            self.documents += len(batch)
            progress("counting", self._bytes, 0)
            self._make_room()

    def _batches(self, documents: Iterable[str]) -> Iterator[list[str]]:
        # A batch of nothing but new pre-tokens takes about ten times its size.
        room = _BATCH if self._max_memory is None else min(_BATCH, self._max_memory // 40)
        size = 0
        batch: list[str] = []
        for document in documents:
            batch.append(document)
            size += len(document)
            if size >= room:
                yield batch
                size, batch = 0, []
        if batch:
            yield batch

    def _add_batch(self, batch: list[str], weight: int, threads: int, progress: ProgressCallback) -> int:
        if any(token in document for token in self.special_tokens for document in batch):
            batch = [part for document in batch for part in self._special.split(document)]
        if self._scheme is None:
            pieces = Counter(piece for document in batch for piece in split(document, self.pat_str))
            self._table.add_pieces(list(pieces), [weight * times for times in pieces.values()])
            return sum(len(piece.encode()) * times for piece, times in pieces.items())
        before = self._bytes
        return self._table.add_documents(
            batch, self._scheme, weight, threads, lambda done, total: progress("counting", before + done, 0)
        )

    def _surrogate(self, batch: list[str], error: UnicodeEncodeError) -> str:
        place = next(i for i, document in enumerate(batch) if error.object in document)
        character = batch[place].index(error.object) + error.start
        return (
            f"document {self.documents + place + 1} holds the lone surrogate "
            f"U+{ord(error.object[error.start]):04X} at character {character}, which UTF-8 cannot express: "
            "mend or leave out the document."
        )

    def _make_room(self) -> None:
        # A quarter stays for the next batch, whose size follows from max_memory.
        if self._max_memory is not None and self._table.memory > self._max_memory * 3 // 4:
            self._runs.add_table(self._table)

    def items(self) -> list[tuple[bytes, int]]:
        """All pre-tokens with their counts, in order of their bytes; in memory, so for small texts."""
        self._read_runs()
        return self._table.items()

    def _read_runs(self) -> None:
        """Take all counts into memory."""
        if len(self._runs):
            self._table.read_records(self._runs.merged())
            self._runs = SortedRuns()

    # ====================
    # Files
    # ====================

    def save(self, path: Path) -> None:
        """Write a counts file (docs/formats.md), whole or not at all."""
        if len(self._runs):
            self._runs.add_table(self._table)
        append = self._runs.append_to if len(self._runs) else self._table.append_records
        write_counts(Path(path), self.pat_str, self.special_tokens, self.documents, append)

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
        for file in files:
            counts._runs.add_file(file.records)
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
            if self._max_memory is None:
                self._read_runs()
                return self._table.learn_merges(wanted, **options)
            if self._table.memory > self._max_memory // 8 or len(self._runs):
                self._runs.add_table(self._table)
            options["max_memory"] = self._max_memory - self._table.memory
            if not len(self._runs):
                return self._table.learn_merges(wanted, **options)
            return _core.learn_merges_of_records(self._runs.merged(), wanted, **options)
        except _core.MemoryNeeded as error:
            raise NlpkitError(_memory_sentence(self._max_memory, *error.args)) from error
        except _core.DamagedRecords as error:
            raise CorruptFileError(
                f"{error} has damaged records: restore it or count the text again."
            ) from error


def _memory_sentence(
    given: int | None,
    least: int,
    prune_below: int,
    pretokens: int,
    dropped: int,
    occurrences: int,
    dropped_occurrences: int,
) -> str:
    sentence = (
        f"merging {pretokens:,} unique pre-tokens does not fit into --max-memory {given:,}: give it at least "
        f"{-(-least // 1_000_000)}MB"
    )
    if prune_below:
        share = dropped_occurrences / occurrences
        sentence += (
            f", or --prune-below {prune_below}, which leaves out {dropped:,} unique pre-tokens "
            f"({share:.2%} of the text's)"
        )
    return sentence + "."
