"""What an examination finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SHOWN = 3  # tokens named in a sentence; the finding's ids are all


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        name: what it is, in two or three words.
        wrong: whether it is wrong, or only worth knowing.
        sentence: what was found, with examples.
        ids: all ids (or numbers of lines) concerned.
    """

    name: str
    wrong: bool
    sentence: str
    ids: Sequence[int] = ()


def listed(ids: Sequence[int], names: Mapping[int, object]) -> str:
    """How many ids, and the first of them with their tokens, as a sentence begins with them.

    >>> listed([7, 9], {7: b"ab", 9: b"cd"})
    "2 (7 b'ab', 9 b'cd')"
    """
    shown = ", ".join(f"{token} {names[token]!r}" for token in ids[:_SHOWN])
    return f"{len(ids)} ({shown}{', …' if len(ids) > _SHOWN else ''})"
