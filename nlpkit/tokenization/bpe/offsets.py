"""Where tokens lie in text, in bytes and in characters.

A token may hold part of a character: it then lies on that character, as do its neighbours that hold the rest.
Bytes that are no UTF-8 count as the U+FFFD that decoding with `errors="replace"` makes of them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit._core import utf8_runs


@dataclass(frozen=True, slots=True)
class Offsets:
    """Token i is bytes `bytes[i, 0]:bytes[i, 1]` and on characters `characters[i, 0]:characters[i, 1]`."""

    bytes: npt.NDArray[np.int64]  # (tokens, 2)
    characters: npt.NDArray[np.int64]  # (tokens, 2)


def find_offsets(data: bytes, ends: npt.NDArray[np.uint64]) -> Offsets:
    """The offsets of tokens of at least one byte each that end at `ends` of `data`."""
    spans = np.empty((len(ends), 2), dtype=np.int64)
    spans[:, 1] = ends
    spans[1:, 0] = ends[:-1]
    spans[:1, 0] = 0
    if len(ends) == 0:
        return Offsets(spans, spans)
    # (bytes,): the index of the character that each byte belongs to
    character = np.cumsum(_begins_character(data), dtype=np.int64) - 1
    characters = np.stack([character[spans[:, 0]], character[spans[:, 1] - 1] + 1], axis=1)
    return Offsets(spans, characters)


def _begins_character(data: bytes) -> npt.NDArray[np.bool_]:
    values = np.frombuffer(data, dtype=np.uint8)
    begins: npt.NDArray[np.bool_] = (values & 0xC0) != 0x80
    runs = utf8_runs(data).tolist()
    for start, end in zip(runs[::2], runs[1::2], strict=False):  # of invalid bytes
        begins[start:end] = False
        begins[_replaced(data, start, end)] = True
    return begins


def _replaced(data: bytes, start: int, end: int) -> list[int]:
    """Where the parts of a stretch of invalid bytes begin that decoding replaces by one U+FFFD each."""
    begins = []
    while start < end:
        begins.append(start)
        try:
            data[start : min(start + 4, end)].decode("utf-8")
        except UnicodeDecodeError as error:
            start += error.end
    return begins
