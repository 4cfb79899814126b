"""Words and those that occur near them, from token shards: what the torch path learns from, as arrays.

The same subsampling and windows as the compiled trainer's (docs/embeddings.md), with other random numbers:
words thinned out first, a reach drawn for each centre, no window into another document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit.text import TokenShards

Rows = npt.NDArray[np.int32]

PART_TOKENS = 2**16
"""The windows of so many are shuffled together."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Centres, (centres,), and the words near each, (centres, 2 window): rows; -1 where there is none."""

    centres: Rows
    contexts: Rows

    def __len__(self) -> int:
        """The number of centres."""
        return len(self.centres)

    def __getitem__(self, which: "slice | npt.NDArray[np.int64]") -> "Windows":
        """Some of them."""
        return Windows(self.centres[which], self.contexts[which])


@dataclass(frozen=True, slots=True)
class Part:
    """The ids `begin` to `end` of a corpus: how many have a row, how many of these stay, and centres."""

    begin: int
    end: int
    words: int
    kept: int
    windows: Windows


def keep_shares(counts: npt.NDArray[np.uint64], sample: float) -> npt.NDArray[np.float64]:
    """The probability that a word stays: sqrt(sample / f) + sample / f for its share f of all; (rows,)."""
    if sample == 0:
        return np.ones(len(counts))
    ratio = sample * counts.sum() / counts
    shares: npt.NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return shares


class WindowReader:
    """The windows of a corpus, part by part.

    Every random choice is a function of the seed and of where its part begins, so that reading may begin at
    any part.

    Args:
        data: the ids.
        row_of_id: the row of each id; -1 for one that takes no place.
        keep: see `keep_shares`.
        window: the greatest distance; each centre draws its own from 1 to `window`.
    """

    def __init__(
        self, data: TokenShards, row_of_id: Rows, keep: npt.NDArray[np.float64], window: int
    ) -> None:
        self.data = data
        self.row_of_id = row_of_id
        self.keep = keep
        self.window = window

    def parts(self, seed: Sequence[int], begin: int = 0, end: int | None = None) -> Iterator[Part]:
        """The parts from `begin`, a multiple of `PART_TOKENS`, to before `end`; their centres shuffled.

        The last centres of a part wait for the next one, which holds what follows them.
        """
        rows, documents = self._before(seed, begin)
        first = max(0, len(rows) - self.window)  # the first that was not a centre yet; others are contexts
        for start in range(begin, len(self.data) if end is None else end, PART_TOKENS):
            stop = min(len(self.data), start + PART_TOKENS)
            generator = np.random.default_rng([*seed, start])
            words, more, places = self._kept(start, stop, generator)
            rows, documents = np.concatenate([rows, more]), np.concatenate([documents, places])
            ready = len(rows) if stop == len(self.data) else max(first, len(rows) - self.window)
            found = self._windows_of(rows, documents, first, ready, generator)
            yield Part(start, stop, words, len(more), found[generator.permutation(len(found))])
            done = max(0, ready - self.window)
            rows, documents, first = rows[done:], documents[done:], ready - done

    def _before(self, seed: Sequence[int], begin: int) -> tuple[Rows, npt.NDArray[np.int64]]:
        """What reading up to `begin` would have left: two windows of rows, and their documents."""
        rows, documents = np.empty(0, np.int32), np.empty(0, np.int64)
        while begin > 0 and len(rows) < 2 * self.window:
            begin -= PART_TOKENS
            generator = np.random.default_rng([*seed, begin])
            _, more, places = self._kept(begin, begin + PART_TOKENS, generator)
            rows, documents = np.concatenate([more, rows]), np.concatenate([places, documents])
        return rows, documents

    def _kept(
        self, start: int, end: int, generator: np.random.Generator
    ) -> tuple[int, Rows, npt.NDArray[np.int64]]:
        """How many ids have a row, the rows of those that stay, and the number of each one's document."""
        rows = self.row_of_id[self.data.read(start, end)]
        draws = generator.random(len(rows))
        places = np.flatnonzero((rows >= 0) & (draws < self.keep[np.maximum(rows, 0)]))
        documents = np.searchsorted(
            self.data.document_offsets, (start + places).astype(np.uint64), side="right"
        )
        return int(np.count_nonzero(rows >= 0)), rows[places], documents

    def _windows_of(
        self,
        rows: Rows,
        documents: npt.NDArray[np.int64],
        first: int,
        last: int,
        generator: np.random.Generator,
    ) -> Windows:
        """The windows of the centres from `first` to before `last`."""
        centres = np.arange(first, last)
        reach = generator.integers(1, self.window + 1, len(centres))
        offsets = np.concatenate([np.arange(-self.window, 0), np.arange(1, self.window + 1)])
        near = centres[:, None] + offsets  # (centres, 2 window)
        inside = (near >= 0) & (near < len(rows)) & (np.abs(offsets) <= reach[:, None])
        near = np.clip(near, 0, max(0, len(rows) - 1))
        inside &= documents[near] == documents[centres, None]
        contexts = np.where(inside, rows[near] if len(rows) else 0, np.int32(-1))
        found = Windows(rows[centres], contexts)
        return found[inside.any(axis=1).nonzero()[0]]
