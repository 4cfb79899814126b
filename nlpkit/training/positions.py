"""Which tokens a step trains on: a pure function of (seed, step), so that resuming is exact.

- `Windows`: for models without memory. Each epoch cuts the tokens into windows, at a different offset, and
  visits every window once in a random order (Shuffling without replacement, no buffer).
- `Streams`: for recurrent models. The tokens are cut into one contiguous lane a row, read from left to
  right, so that the hidden state carries over from step to step (Zaremba et al., 2014).

The rows of a whole step are found first and then split, among parts that accumulate one gradient or among
processes; so neither changes what a step sees.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nlpkit.errors import UsageError
from nlpkit.text.shards import TokenShards
from nlpkit.training.permutation import Int64s, hash_key, permute


class Positions(Protocol):
    """Where each row of a step begins."""

    context_length: int
    batch_size: int

    def starts(self, step: int) -> Int64s:
        """The offset of each row's first token, shape (batch_size,)."""

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
        keys = np.array([hash_key(self.seed, epoch) for epoch in epochs.tolist()], dtype=np.uint64)
        # Other cuts in other epochs: a token is not always the first of its window.
        spare = min(self.context_length, self.tokens - self.windows * self.context_length)
        offsets = (keys % np.uint64(spare)).astype(np.int64)
        return offsets + self.context_length * permute(indices, self.windows, keys)

    def begins_anew(self, step: int) -> bool:
        """Always: windows follow each other at random."""
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

    def begins_anew(self, step: int) -> bool:
        """Whether a new epoch begins, at the left end of the lanes."""
        return step % self.windows == 0


def read_rows(shards: TokenShards, starts: Int64s, length: int) -> Int64s:
    """The ids `start : start + length` of each start, shape (rows, length)."""
    rows = np.empty((len(starts), length), dtype=np.int64)
    for row, start in zip(rows, starts.tolist(), strict=True):
        row[:] = shards.read(start, start + length)
    return rows


def _check_length(tokens: int, needed: int, what: str) -> None:
    if tokens < needed:
        raise UsageError(
            f"the training data hold {tokens} tokens, but {what} takes {needed}: "
            "lower --context-length or --batch-size, or bring more text."
        )
