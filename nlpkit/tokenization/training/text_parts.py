"""Documents as counting takes them: in UTF-8, the long ones in parts, without special tokens.

A part ends where every split pattern with a scanner ends a pre-token (csrc/bpe_training/text_cuts.hpp), so
the parts have the pre-tokens of the whole, and a document of any size is counted in little memory.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nlpkit import _core
from nlpkit.errors import NlpkitError

TextPart: TypeAlias = tuple[str, bool]
"""A stretch of a document, and whether the document ends with it."""


@dataclass(frozen=True, slots=True)
class CountedText:
    """Some text to count: pieces that bound pre-tokens, and whether their document ends with them.

    A piece is UTF-8, or a str of ASCII, which is that already.
    """

    pieces: list[str | bytes]
    size: int
    ends: bool


def slices(document: str, size: int) -> Iterator[TextPart]:
    """A document in stretches of at most `size` characters."""
    for begin in range(0, max(1, len(document)), size):
        yield document[begin : begin + size], begin + size >= len(document)


class TextCutter:
    """Turns parts of documents into text that can be counted as it comes.

    Args:
        special_tokens: what bounds pre-tokens and is left out.
        cut: whether a document may be cut; otherwise it is put together first.
    """

    def __init__(self, special_tokens: Sequence[str], *, cut: bool) -> None:
        self._texts = tuple(special_tokens)
        self._tokens = sorted((token.encode() for token in special_tokens), key=len, reverse=True)
        self._special = re.compile(b"|".join(map(re.escape, self._tokens)))
        self._longest = max(map(len, self._tokens), default=0)
        self._cut = cut

    def texts(self, parts: Iterable[TextPart], documents: int) -> Iterator[CountedText]:
        """The text of `parts`, a document's with its end; `documents` came before them.

        Raises:
            NlpkitError: a part holds a lone surrogate.
        """
        held: list[bytes] = []  # of the document under way, since it was last cut
        characters = 0  # of the document that came before the part
        for text, ends in parts:
            if ends and not held and text.isascii() and not any(token in text for token in self._texts):
                yield CountedText([text], len(text), ends)
                documents += 1
                characters = 0
                continue
            try:
                data = text.encode()
            except UnicodeEncodeError as error:
                raise NlpkitError(_surrogate(documents + 1, characters, error)) from error
            end = len(data) if ends else self._last_cut(data)
            if end == 0 and not ends:
                held.append(data)
            else:
                rest = data[end:]
                whole = b"".join([*held, data[:end]]) if held else data[:end]
                held = [rest] if rest else []
                yield CountedText(self._without_special_tokens(whole), len(whole), ends)
            documents += ends
            characters = 0 if ends else characters + len(text)

    def _last_cut(self, data: bytes) -> int:
        """The last place where `data` can be cut and no special token is; 0 where there is none."""
        stop = len(data) - self._longest + 1
        while self._cut and stop > 0:
            cut = _core.last_cut(data, self._longest, stop)
            if cut == 0 or not any(self._holds(data, cut, token) for token in self._tokens):
                return cut
            stop = cut
        return 0

    @staticmethod
    def _holds(data: bytes, cut: int, token: bytes) -> bool:
        """Does a cut go through this token?"""
        return data.find(token, cut - len(token) + 1, cut + len(token) - 1) >= 0

    def _without_special_tokens(self, data: bytes) -> list[str | bytes]:
        if any(token in data for token in self._tokens):
            return [*self._special.split(data)]
        return [data]


def _surrogate(document: int, characters: int, error: UnicodeEncodeError) -> str:
    return (
        f"document {document} holds the lone surrogate U+{ord(error.object[error.start]):04X} at character "
        f"{characters + error.start}, which UTF-8 cannot express: mend or leave out the document."
    )
