"""`--max-memory`: how the memory that counting and merging may take is divided."""

from dataclasses import dataclass

from nlpkit.errors import UsageError

_LEAST = 16_000_000
"""The least that works: below it, reading and the batch leave nothing for the counts."""
_READING = 7_000_000
"""What reading takes, and adding up sorted files: blocks as bytes, text, lines and parsed (measured)."""
_BESIDE_MERGING = 6_000_000
"""What Python keeps of reading (measured)."""
_TOKEN = 400
"""What each token of the vocabulary takes as Python's objects until its folder is written (measured)."""
_ONE_TABLE = 1 << 34
"""The most that counts take in memory: a table numbers its words in 32 bits."""
_BATCH = 1 << 23
"""Bytes of text handed to the core at a time: enough for its threads, little beside the text."""
_PART = 1 << 20
"""Characters of a long document handed over at a time."""


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """The bytes that a process may take above what it holds after its imports; None is no limit."""

    given: int | None

    def __post_init__(self) -> None:
        if self.given is not None and self.given < _LEAST:
            raise UsageError(
                f"--max-memory {self.given} is too small to work in: give at least {_LEAST // 1_000_000}MB."
            )

    @property
    def batch(self) -> int:
        """The bytes of text in hand."""
        return _BATCH if self.given is None else min(_BATCH, self.given // 32)

    @property
    def part(self) -> int:
        """The characters of a long document that are encoded at once."""
        return min(_PART, self.batch)

    @property
    def tables(self) -> int:
        """What is left for counts in memory."""
        return _ONE_TABLE if self.given is None else self.given - _READING - 3 * self.batch

    @property
    def kept(self) -> int:
        """Up to how much counts stay in memory when they are merged or written."""
        return _ONE_TABLE // 2 if self.given is None else self.given // 8

    def merging(self, tokens: int) -> int | None:
        """What is left for merging in the core; nothing where so many tokens take more in Python."""
        if self.given is None:
            return None
        return self.given - _BESIDE_MERGING if self.given >= self.least(0, tokens) else 0

    @staticmethod
    def least(merging: int, tokens: int) -> int:
        """The limit to give where merging in the core takes `merging` bytes and makes so many tokens."""
        return max(_LEAST, _BESIDE_MERGING + max(merging, tokens * _TOKEN))
