"""The ids of several texts as arrays: end to end, or as a matrix with padding. No Python object for an id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nlpkit._core import TextBatch
from nlpkit.errors import UsageError

Texts: TypeAlias = Sequence[str] | TextBatch
"""Several documents."""

Side: TypeAlias = Literal["left", "right"]
"""An end of a row."""


@dataclass(frozen=True, slots=True)
class PaddedIds:
    """The ids of several texts, a row each.

    Attributes:
        ids: (texts, width); what a text does not fill holds the padding's id.
        mask: (texts, width); True where there is an id of the text: a model's attention mask.
        lengths: (texts,); how many ids of each text there are.
    """

    ids: npt.NDArray[np.uint32]
    mask: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RaggedIds:
    """The ids of several documents end to end: document i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: npt.NDArray[np.uint32]  # (tokens,)
    offsets: npt.NDArray[np.uint64]  # (documents + 1,)

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.uint32]:
        """The ids of one document, a view."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        index %= len(self)
        return self.ids[int(self.offsets[index]) : int(self.offsets[index + 1])]

    def __iter__(self) -> Iterator[npt.NDArray[np.uint32]]:
        """The ids of each document, views."""
        for begin, end in pairwise(self.offsets.tolist()):
            yield self.ids[begin:end]

    def to_matrix(
        self, pad_id: int, *, max_length: int | None = None, pad: Side = "right", truncate: Side = "right"
    ) -> PaddedIds:
        """A row a document, as wide as the longest.

        Args:
            pad_id: what fills the rows.
            max_length: longer documents are cut to this many ids.
            pad: the side that the padding is on; "left" for models that go on writing at the right.
            truncate: the side that ids are cut from.

        Raises:
            UsageError: `max_length` is negative, `pad_id` is no id, or a side is neither left nor right.
        """
        if max_length is not None and max_length < 0:
            raise UsageError(f"max_length {max_length} is negative: leave it out for no limit.")
        if not 0 <= pad_id < 2**32:
            raise UsageError(f"pad_id {pad_id} is no id: give one from 0 to 2^32 - 1.")
        for name, side in (("pad", pad), ("truncate", truncate)):
            if side not in get_args(Side):
                raise UsageError(f"{name}={side!r} does not exist: use left or right.")
        begins, ends = self.offsets[:-1].astype(np.int64), self.offsets[1:].astype(np.int64)
        lengths = ends - begins
        if max_length is not None:
            lengths = np.minimum(lengths, max_length)
        if truncate == "left":
            begins = ends - lengths
        width = int(lengths.max(initial=0))
        columns = np.arange(width)
        if pad == "left":
            columns = columns - (width - lengths)[:, None]  # (documents, width): the place in the document
            mask = columns >= 0
        else:
            mask = columns < lengths[:, None]
        ids = np.full((len(self), width), pad_id, dtype=np.uint32)
        ids[mask] = self._kept(begins, lengths)
        return PaddedIds(ids, mask, lengths)

    def _kept(self, begins: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """`lengths[i]` ids of each document from `begins[i]` on, end to end."""
        total = int(lengths.sum())
        if total == len(self.ids):
            return self.ids
        before = np.cumsum(lengths) - lengths
        kept: npt.NDArray[np.uint32] = self.ids[np.arange(total) + np.repeat(begins - before, lengths)]
        return kept
