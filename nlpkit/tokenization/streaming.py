"""Decoding ids as they come, one at a time, without ever showing half a character."""

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlpkit.tokenization.tokenizer import Tokenizer


class StreamDecoder:
    """Turns ids into text piece by piece; the pieces joined are what `Tokenizer.decode` gives for all.

    A character whose bytes are spread over several tokens comes out with the last of them; U+FFFD comes out
    only for bytes that nothing to come could complete.

    Example:
        >>> decoder = tokenizer.decoder()  # doctest: +SKIP
        >>> for token in generated:  # doctest: +SKIP
        ...     print(decoder.decode(token), end="", flush=True)
        >>> print(decoder.flush())  # doctest: +SKIP

    Args:
        tokenizer: whose ids come.
        errors: what to do about bytes that are not UTF-8, as for `bytes.decode`.
    """

    def __init__(self, tokenizer: "Tokenizer", errors: str = "replace") -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def decode(self, tokens: int | Sequence[int]) -> str:
        """The text that is complete after one more id, or several.

        Raises:
            KeyError: an id stands for nothing.
        """
        if isinstance(tokens, int):
            return self._decoder.decode(self._tokenizer.decode_single_token_bytes(tokens))
        return self._decoder.decode(self._tokenizer.decode_bytes(tokens))

    def flush(self) -> str:
        """What is left of an incomplete character, as U+FFFD; the decoder can then begin anew."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest
