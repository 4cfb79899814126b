"""Which text goes to training and which to validation."""

import hashlib
from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias, get_args

import numpy as np

from nlpkit._core import TextBatch
from nlpkit.errors import UsageError

Split: TypeAlias = Literal["documents", "tail"]
"""How validation text is chosen: whole documents by content hash, or the last part of the text."""

TRAIN, VALIDATION = "train", "validation"
"""The folders of the two."""


class Splitter(Protocol):
    """Divides batches that come in the corpus's order."""

    names: tuple[str, ...]

    def divide(self, batch: TextBatch) -> Iterator[tuple[str, TextBatch]]:
        """The parts of a batch by the name of the split, empty ones left out."""
        ...

    def skip(self, batch: TextBatch) -> None:
        """Pass over a batch that has been divided before."""
        ...


def check_split(validation: float, split: str) -> None:
    """Refuse what chooses no text.

    Raises:
        UsageError: naming the option.
    """
    if split not in get_args(Split):
        raise UsageError(f"--split {split!r} does not exist: use {' or '.join(get_args(Split))}.")
    if not 0 <= validation < 1:
        raise UsageError(
            f"--validation {validation} is not a share: use 0 (none) up to below 1, such as 0.1."
        )


class NoSplit:
    """All text for training."""

    names: tuple[str, ...] = (TRAIN,)

    def divide(self, batch: TextBatch) -> Iterator[tuple[str, TextBatch]]:
        """The batch."""
        yield TRAIN, batch

    def skip(self, batch: TextBatch) -> None:
        """Nothing follows from what has been."""


class SplitByContent:
    """Whole documents by the hash of their text: copies of a document land on one side."""

    names: tuple[str, ...] = (TRAIN, VALIDATION)

    def __init__(self, validation: float) -> None:
        self._validation = validation

    def divide(self, batch: TextBatch) -> Iterator[tuple[str, TextBatch]]:
        """The documents for training, and those for validation."""
        is_validation = np.fromiter(
            (content_fraction(batch.document(i)) < self._validation for i in range(len(batch))),
            dtype=np.bool_,
        )
        for name, value in ((TRAIN, False), (VALIDATION, True)):
            part = batch.select(is_validation, value)
            if len(part):
                yield name, part

    def skip(self, batch: TextBatch) -> None:
        """Nothing follows from what has been."""


class SplitTail:
    """The first `train_bytes` bytes, down to a whole character, for training, the rest for validation."""

    names: tuple[str, ...] = (TRAIN, VALIDATION)

    def __init__(self, train_bytes: int) -> None:
        self._room = train_bytes

    def divide(self, batch: TextBatch) -> Iterator[tuple[str, TextBatch]]:
        """The batch, or the two parts of the one that the cut lies in."""
        room, self._room = self._room, self._room - batch.nbytes
        if self._room >= 0:
            yield TRAIN, batch
        elif room <= 0:
            yield VALIDATION, batch
        else:
            yield from self._cut(batch, room)

    def skip(self, batch: TextBatch) -> None:
        """Count its bytes."""
        self._room -= batch.nbytes

    def _cut(self, batch: TextBatch, room: int) -> Iterator[tuple[str, TextBatch]]:
        head, tail = TextBatch(), TextBatch()
        for i in range(len(batch)):
            data = batch.document(i)
            if len(data) <= room:
                head.append(data.decode("utf-8"))
            else:
                begin = data[: max(0, room)].decode("utf-8", "ignore")
                if begin:
                    head.append(begin)
                tail.append(data[len(begin.encode("utf-8")) :].decode("utf-8"))
            room -= len(data)
        for name, part in ((TRAIN, head), (VALIDATION, tail)):
            if len(part):
                yield name, part


def content_fraction(data: bytes) -> float:
    """A number in [0, 1) that depends on the content alone and is spread evenly."""
    return fraction(hashlib.sha256(data).digest())


def fraction(digest: bytes) -> float:
    """The number in [0, 1) that a hash stands for."""
    return int.from_bytes(digest[:6], "big") / 2**48
