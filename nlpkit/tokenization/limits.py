"""Cutting text by the number of its tokens: `Tokenizer.truncate` and `Tokenizer.split`.

Cuts fall where a token ends that is also the end of a character, so every piece is text. A piece encoded on
its own may have other tokens than it had inside (its last white space, say, is split differently at the end
of a text); so each piece is counted again and cut shorter where it came to more.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nlpkit.errors import NlpkitError, UsageError

if TYPE_CHECKING:
    from nlpkit.tokenization.tokenizer import Tokenizer


def truncate(tokenizer: "Tokenizer", text: str, max_tokens: int) -> str:
    """The longest beginning of `text`, up to the end of a token, that has at most `max_tokens` tokens."""
    if max_tokens < 0:
        raise UsageError(f"a text cannot have {max_tokens} tokens: give 0 or more.")
    cuts = _Cuts(tokenizer, text, enough=max_tokens + 1)
    return text if cuts.n_tokens <= max_tokens else cuts.text(0, cuts.last_fitting(0, max_tokens))


def split(tokenizer: "Tokenizer", text: str, max_tokens: int, overlap: int) -> list[str]:
    """`text` in pieces of at most `max_tokens` tokens, each beginning `overlap` tokens before its
    predecessor's end, or a little more where a character needs it."""
    if max_tokens < 1 or not 0 <= overlap < max_tokens:
        raise UsageError(
            f"pieces of {max_tokens} tokens cannot overlap by {overlap}: give a size above 0 and an overlap "
            "below it."
        )
    cuts = _Cuts(tokenizer, text)
    pieces = []
    begin = end = 0
    while end < cuts.n_tokens:
        reached = cuts.last_fitting(begin, max_tokens)
        if reached <= end:  # an overlap that leaves no room for anything new
            begin = end
            reached = cuts.last_fitting(begin, max_tokens)
        if reached == begin:
            character = cuts.text(begin, cuts.next(begin))
            raise NlpkitError(f"{character!r} alone has more than {max_tokens} tokens: allow longer pieces.")
        end = reached
        pieces.append(cuts.text(begin, end))
        begin = cuts.previous(max(0, end - overlap))
    return pieces


class _Cuts:
    """Where a text can be cut: after how many of its tokens, and after how many bytes."""

    def __init__(self, tokenizer: "Tokenizer", text: str, enough: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._data = text.encode("utf-8")
        ids = tokenizer._encode_array(text) if enough is None else tokenizer._encode_beginning(text, enough)
        self.n_tokens = len(ids)
        self._ends: npt.NDArray[np.uint64] = np.concatenate(  # (n_tokens + 1,): bytes before each token
            [np.zeros(1, dtype=np.uint64), tokenizer._table.ends(ids)]
        )
        inside = self._ends[self._ends < len(self._data)]
        bytes_after = np.frombuffer(self._data, dtype=np.uint8)[inside]
        self._is_cut = np.ones(self.n_tokens + 1, dtype=bool)
        self._is_cut[: len(inside)] = (bytes_after & 0xC0) != 0x80  # else it continues a character
        self._places = np.flatnonzero(self._is_cut)

    def previous(self, tokens: int) -> int:
        """The last place to cut at or before that many tokens."""
        return int(self._places[np.searchsorted(self._places, tokens, side="right") - 1])

    def next(self, tokens: int) -> int:
        """The first place to cut after that many tokens."""
        return int(self._places[np.searchsorted(self._places, tokens, side="right")])

    def text(self, begin: int, end: int) -> str:
        """The text between two places."""
        return self._data[int(self._ends[begin]) : int(self._ends[end])].decode("utf-8")

    def last_fitting(self, begin: int, max_tokens: int) -> int:
        """The last place up to which the text from `begin` on has at most `max_tokens` tokens of its own."""
        end = self.previous(min(begin + max_tokens, self.n_tokens))
        while (
            end > begin and self._tokenizer.count(self.text(begin, end), disallowed_special=()) > max_tokens
        ):
            end = self.previous(end - 1)
        return end
