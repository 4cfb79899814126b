"""Which tokens a step trains on: a pure function of (seed, step), so that resuming is exact.

- `Windows`: for models without memory. Each epoch cuts the tokens into windows, at a different offset, and
  visits every window once in a random order (Shuffling without replacement, no buffer).
- `Documents`: as windows, but no row crosses a document: for short texts, and for the codes of images.
- `Streams`: for recurrent models. The tokens are cut into one contiguous lane a row, read from left to
  right, so that the hidden state carries over from step to step (Zaremba et al., 2014).

The rows of a whole step are found first and then split, among parts that accumulate one gradient or among
processes; so neither changes what a step sees.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nlpkit.errors import UsageError
from nlpkit.text.shards import TokenShards
from nlpkit.training.permutation import Int64s, Uint64s, hash_key, permute


class Positions(Protocol):
    """Where each row of a step begins."""

    @property
    def context_length(self) -> int:
        """Places of a row."""

    def starts(self, step: int) -> Int64s:
        """The offset of each row's first token, shape (batch_size,)."""

    def lengths(self, step: int) -> Int64s:
        """The number of targets in each row, at most `context_length`, shape (batch_size,)."""

    def begins_anew(self, step: int) -> bool:
        """Whether what the model remembers of the step before must be forgotten."""


@dataclass(frozen=True)
class Windows:
    """Windows of `context_length` inputs, permuted in each epoch.

    Raises:
        UsageError: the data are shorter than one window and its last target.
    """

    tokens: int
    context_length: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        _check_length(self.tokens, self.context_length + 1, "one window")

    @property
    def windows(self) -> int:
        """Windows in an epoch; the offset costs one window where there are many."""
        return max(1, (self.tokens - self.context_length) // self.context_length)

    def starts(self, step: int) -> Int64s:
        """The offset of each row's first token, shape (batch_size,)."""
        samples = step * self.batch_size + np.arange(self.batch_size, dtype=np.int64)
        epochs, indices = np.divmod(samples, self.windows)
        keys = _epoch_keys(self.seed, epochs)
        # Other cuts in other epochs: a token is not always the first of its window.
        spare = min(self.context_length, self.tokens - self.windows * self.context_length)
        offsets = (keys % np.uint64(spare)).astype(np.int64)
        return offsets + self.context_length * permute(indices, self.windows, keys)

    def lengths(self, step: int) -> Int64s:
        """All rows are full."""
        return np.full(self.batch_size, self.context_length)

    def begins_anew(self, step: int) -> bool:
        """Always: windows follow each other at random."""
        return True


class Documents:
    """Rows that lie in one document each, permuted in each epoch; a long document is cut into several.

    Args:
        offsets: where each document begins, and the last one's end, shape (documents + 1,).
        context_length: targets of a row; the last one of a document may have fewer.
        batch_size: rows of a step.
        seed: of the order.
        end_before: whether the id before a document ends the one before it, so that a row may begin with it
            and the document's first id is predicted too; else a document's first id is only read.

    Raises:
        UsageError: no document has two ids.
    """

    def __init__(
        self,
        offsets: npt.NDArray[np.uint64],
        context_length: int,
        batch_size: int,
        seed: int,
        *,
        end_before: bool,
    ) -> None:
        self.context_length, self.batch_size, self.seed = context_length, batch_size, seed
        begins = offsets[:-1].astype(np.int64)
        self._begins = begins - ((begins > 0) & end_before)
        self._targets = np.maximum(0, offsets[1:].astype(np.int64) - self._begins - 1)
        self._rows = np.cumsum(-(-self._targets // context_length))  # up to and with each document
        if not len(self._rows) or not self._rows[-1]:
            raise UsageError("no document of the training data has two tokens: bring more text.")

    @property
    def windows(self) -> int:
        """Rows in an epoch."""
        return int(self._rows[-1])

    def starts(self, step: int) -> Int64s:
        """The offset of each row's first token, shape (batch_size,)."""
        documents, behind = self._find(step)
        starts: Int64s = self._begins[documents] + behind
        return starts

    def lengths(self, step: int) -> Int64s:
        """The number of targets in each row, shape (batch_size,)."""
        documents, behind = self._find(step)
        lengths: Int64s = np.minimum(self.context_length, self._targets[documents] - behind)
        return lengths

    def _find(self, step: int) -> tuple[Int64s, Int64s]:
        """Each row's document, and how far behind the document's beginning it begins."""
        samples = step * self.batch_size + np.arange(self.batch_size, dtype=np.int64)
        epochs, indices = np.divmod(samples, self.windows)
        keys = _epoch_keys(self.seed, epochs)
        rows = permute(indices, self.windows, keys)
        documents = np.searchsorted(self._rows, rows, side="right")
        before = np.where(documents > 0, self._rows[documents - 1], 0)
        return documents, self.context_length * (rows - before)

    def begins_anew(self, step: int) -> bool:
        """Always: rows follow each other at random."""
        return True


@dataclass(frozen=True)
class Streams:
    """`batch_size` contiguous lanes, read in windows of `context_length`; the end of a lane is the epoch's.

    What is left over (fewer tokens than a window a lane) is not read.

    Raises:
        UsageError: a lane is shorter than one window and its last target.
    """

    tokens: int
    context_length: int
    batch_size: int

    def __post_init__(self) -> None:
        needed = self.batch_size * self.context_length + 1
        _check_length(self.tokens, needed, f"one window in each of {self.batch_size} rows")

    @property
    def windows(self) -> int:
        """Windows in a lane: steps in an epoch."""
        return (self.tokens - 1) // self.batch_size // self.context_length

    def starts(self, step: int) -> Int64s:
        """The offset of each row's first token, shape (batch_size,)."""
        lane = (self.tokens - 1) // self.batch_size
        return np.arange(self.batch_size, dtype=np.int64) * lane + (step % self.windows) * self.context_length

    def lengths(self, step: int) -> Int64s:
        """All rows are full."""
        return np.full(self.batch_size, self.context_length)

    def begins_anew(self, step: int) -> bool:
        """Whether a new epoch begins, at the left end of the lanes."""
        return step % self.windows == 0


NO_TARGET = -1
"""The target of a place that is not charged, behind the end of a row."""


def read_rows(shards: TokenShards, starts: Int64s, lengths: Int64s, width: int) -> tuple[Int64s, Int64s]:
    """The inputs from each start on and their targets, the ids one further, (rows, width) each.

    Behind a row's length inputs are 0 and targets `NO_TARGET`.
    """
    inputs = np.zeros((len(starts), width), dtype=np.int64)
    targets = np.full((len(starts), width), NO_TARGET, dtype=np.int64)
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        ids = shards.read(start, start + length + 1)
        inputs[row, :length], targets[row, :length] = ids[:-1], ids[1:]
    return inputs, targets


def _epoch_keys(seed: int, epochs: Int64s) -> Uint64s:
    """The key of each sample's epoch."""
    keys = {epoch: hash_key(seed, epoch) for epoch in set(epochs.tolist())}
    return np.array([keys[epoch] for epoch in epochs.tolist()], dtype=np.uint64)


def _check_length(tokens: int, needed: int, what: str) -> None:
    if tokens < needed:
        raise UsageError(
            f"the training data hold {tokens} tokens, but {what} takes {needed}: "
            "lower --context-length or --batch-size, or bring more text."
        )
