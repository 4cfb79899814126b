"""Cutting text by the number of its tokens: `Tokenizer.truncate` and `Tokenizer.split`.

Cuts fall where a token ends that is also the end of a character, so every piece is text. A piece encoded on
its own may have other tokens than it had inside (its last white space, say, is split differently at the end
of a text); so each piece is counted again and cut shorter where it came to more.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nlpkit.errors import NlpkitError, UsageError


class Cuts:
    """Where a text can be cut: after how many of its tokens, and after how many bytes.

    Args:
        text: the text, without surrogates.
        ends: where its tokens end, in bytes; those of the beginning alone for `truncate`.
        count: the number of tokens of any text.
    """

    def __init__(self, text: str, ends: npt.NDArray[np.uint64], count: Callable[[str], int]) -> None:
        self._count = count
        self._data = text.encode("utf-8")
        self._n_tokens = len(ends)
        self._ends = np.concatenate([np.zeros(1, dtype=np.uint64), ends])  # (tokens + 1,)
        inside = self._ends[self._ends < len(self._data)]
        bytes_after = np.frombuffer(self._data, dtype=np.uint8)[inside]
        is_cut = np.ones(len(self._ends), dtype=bool)
        is_cut[: len(inside)] = (bytes_after & 0xC0) != 0x80  # else it continues a character
        self._places = np.flatnonzero(is_cut)

    def truncate(self, max_tokens: int) -> str:
        """The longest beginning, up to the end of a token, that has at most `max_tokens` tokens."""
        if max_tokens < 0:
            raise UsageError(f"a text cannot have {max_tokens} tokens: give 0 or more.")
        if self._n_tokens <= max_tokens:
            return self._text(0, self._n_tokens)
        return self._text(0, self._last_fitting(0, max_tokens))

    def split(self, max_tokens: int, overlap: int) -> list[str]:
        """Pieces of at most `max_tokens` tokens, each beginning `overlap` tokens before its predecessor's
        end, or a little more where a character needs it."""
        if max_tokens < 1 or not 0 <= overlap < max_tokens:
            raise UsageError(
                f"pieces of {max_tokens} tokens cannot overlap by {overlap}: give a size above 0 and "
                "an overlap below it."
            )
        pieces = []
        begin = end = 0
        while end < self._n_tokens:
            reached = self._last_fitting(begin, max_tokens)
            if reached <= end:  # an overlap that leaves no room for anything new
                begin = end
                reached = self._last_fitting(begin, max_tokens)
            if reached == begin:
                character = self._text(begin, self._next(begin))
                raise NlpkitError(
                    f"{character!r} alone has more than {max_tokens} tokens: allow longer pieces."
                )
            end = reached
            pieces.append(self._text(begin, end))
            begin = self._previous(max(0, end - overlap))
        return pieces

    def _previous(self, tokens: int) -> int:
        """The last place to cut at or before that many tokens."""
        return int(self._places[np.searchsorted(self._places, tokens, side="right") - 1])

    def _next(self, tokens: int) -> int:
        """The first place to cut after that many tokens."""
        return int(self._places[np.searchsorted(self._places, tokens, side="right")])

    def _text(self, begin: int, end: int) -> str:
        """The text between two places."""
        return self._data[int(self._ends[begin]) : int(self._ends[end])].decode("utf-8")

    def _last_fitting(self, begin: int, max_tokens: int) -> int:
        """The last place up to which the text from `begin` on has at most `max_tokens` tokens of its own."""
        end = self._previous(min(begin + max_tokens, self._n_tokens))
        while end > begin and self._count(self._text(begin, end)) > max_tokens:
            end = self._previous(end - 1)
        return end
