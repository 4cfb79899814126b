"""Documents chosen by their text, in little memory: a long one waits in a temporary file until it ends."""

import hashlib
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile

from nlpkit.errors import UsageError
from nlpkit.tokenization.encoding.splits import fraction
from nlpkit.tokenization.training.text_parts import TextPart

_IN_MEMORY = 1 << 20
"""Bytes of a document that wait in memory; the rest goes to the disk."""
_PART = 1 << 17
"""Characters of a document that are read back at a time."""


class Chooser:
    """Tells which documents belong to a sample, and which of those are held out, from their text alone.

    Args:
        sample: the share of the documents that belong to the sample.
        seed: chooses them.
        held_out: the share of the documents that is held out; the ones that `encode_corpus` chooses for
            validation with the same share.

    Raises:
        UsageError: a share is none.
    """

    def __init__(self, *, sample: float, seed: int, held_out: float) -> None:
        if not 0 < sample <= 1:
            raise UsageError(f"--sample {sample:g} is not a share: use more than 0, up to 1.")
        if not 0 <= held_out < 1:
            raise UsageError(f"--held-out {held_out:g} is not a share: use 0 (none) up to below 1.")
        self.sample = sample
        self.held_out = held_out
        self._key = seed.to_bytes(16, "little", signed=True)

    @property
    def takes_all(self) -> bool:
        """Is every document in the sample, and none held out?"""
        return self.sample == 1 and self.held_out == 0

    def choose(self, parts: Iterable[TextPart], *, held_out: bool) -> Iterator[TextPart]:
        """The parts of the documents of the sample that are held out, or of those that are not."""
        with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as waiting:
            size = 0  # characters of the document under way that wait
            content = _Content(self._key)
            for text, ends in parts:
                content.add(text)
                if size or not ends:
                    size += waiting.write(text)
                if not ends:
                    continue
                if content.sample < self.sample and (content.split < self.held_out) == held_out:
                    yield from _read_back(waiting, size) if size else [(text, True)]
                if size:
                    waiting.seek(0)
                    waiting.truncate()
                    size = 0
                content = _Content(self._key)


class _Content:
    """Numbers in [0, 1) that depend on the text of a document alone and are spread evenly."""

    def __init__(self, key: bytes) -> None:
        self._sample = hashlib.blake2b(key=key, digest_size=6)
        self._split = hashlib.sha256()

    def add(self, text: str) -> None:
        data = text.encode()
        self._sample.update(data)
        self._split.update(data)

    @property
    def sample(self) -> float:
        """Also depends on the seed."""
        return fraction(self._sample.digest())

    @property
    def split(self) -> float:
        """As `content_fraction`."""
        return fraction(self._split.digest())


def _read_back(waiting: SpooledTemporaryFile[str], size: int) -> Iterator[TextPart]:
    waiting.seek(0)
    while size:
        text = waiting.read(min(size, _PART))
        size -= len(text)
        yield text, size == 0
