"""Words and those that occur near them, from token shards: what skip-gram learns from, as arrays.

The same subsampling and windows as the compiled trainer's (docs/embeddings.md), with other random numbers:
words thinned out first, a reach drawn for each centre, no window into another document.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit.text import TokenShards

Rows = npt.NDArray[np.int32]

TOKENS_AT_ONCE = 2**18
"""The windows of so many are shuffled together; they take 10 MB."""


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

    @property
    def pairs(self) -> int:
        """How many words near a centre there are in all."""
        return int(np.count_nonzero(self.contexts >= 0))


def keep_shares(counts: npt.NDArray[np.uint64], sample: float) -> npt.NDArray[np.float64]:
    """The probability that a word stays: sqrt(sample / f) + sample / f for its share f of all; (rows,)."""
    if sample == 0:
        return np.ones(len(counts))
    ratio = sample * counts.sum() / counts
    shares: npt.NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return shares


def shuffled_windows(
    data: TokenShards,
    row_of_id: Rows,
    keep: npt.NDArray[np.float64],
    *,
    window: int,
    generator: np.random.Generator,
) -> Iterator[tuple[int, Windows]]:
    """The centres with contexts of one pass over a corpus, shuffled within each part of `TOKENS_AT_ONCE` ids.

    Args:
        data: the ids.
        row_of_id: the row of each id; -1 for one that takes no place.
        keep: see `keep_shares`.
        window: the greatest distance; each centre draws its own from 1 to `window`.
        generator: of every random choice.

    Yields:
        How many ids have been read, and centres among these.
    """
    rows, documents = np.empty(0, np.int32), np.empty(0, np.int64)
    first = 0  # the first row that was not a centre yet; those before it are there as contexts
    for start in range(0, len(data), TOKENS_AT_ONCE):
        end = min(len(data), start + TOKENS_AT_ONCE)
        more, places = _kept(data, start, end, row_of_id, keep, generator)
        rows, documents = np.concatenate([rows, more]), np.concatenate([documents, places])
        ready = len(rows) if end == len(data) else max(first, len(rows) - window)
        found = _windows_of(rows, documents, first, ready, window, generator)
        yield end, found[generator.permutation(len(found))]
        done = max(0, ready - window)
        rows, documents, first = rows[done:], documents[done:], ready - done


def _kept(
    data: TokenShards,
    start: int,
    end: int,
    row_of_id: Rows,
    keep: npt.NDArray[np.float64],
    generator: np.random.Generator,
) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Rows of the ids that have one and stay, and the number of each one's document."""
    rows = row_of_id[data.read(start, end)]
    draws = generator.random(len(rows))
    places = np.flatnonzero((rows >= 0) & (draws < keep[np.maximum(rows, 0)]))
    documents = np.searchsorted(data.document_offsets, (start + places).astype(np.uint64), side="right")
    return rows[places], documents


def _windows_of(
    rows: Rows,
    documents: npt.NDArray[np.int64],
    first: int,
    last: int,
    window: int,
    generator: np.random.Generator,
) -> Windows:
    """The windows of the centres from `first` to before `last`."""
    centres = np.arange(first, last)
    reach = generator.integers(1, window + 1, len(centres))
    offsets = np.concatenate([np.arange(-window, 0), np.arange(1, window + 1)])
    near = centres[:, None] + offsets  # (centres, 2 window)
    inside = (near >= 0) & (near < len(rows)) & (np.abs(offsets) <= reach[:, None])
    near = np.clip(near, 0, max(0, len(rows) - 1))
    inside &= documents[near] == documents[centres, None]
    contexts = np.where(inside, rows[near] if len(rows) else 0, np.int32(-1))
    found = Windows(rows[centres], contexts)
    return found[inside.any(axis=1).nonzero()[0]]
