"""Decoding ids as they come, one at a time, without ever showing half a character."""

import codecs
from collections.abc import Callable, Sequence


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
        decode_bytes: the bytes of ids, as `Tokenizer.decode_bytes` gives them.
        errors: what to do about bytes that are not UTF-8, as for `bytes.decode`.
    """

    def __init__(self, decode_bytes: Callable[[Sequence[int]], bytes], errors: str = "replace") -> None:
        self._decode_bytes = decode_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def decode(self, tokens: int | Sequence[int]) -> str:
        """The text that is complete after one more id, or several.

        Raises:
            KeyError: an id stands for nothing.
        """
        return self._decoder.decode(self._decode_bytes([tokens] if isinstance(tokens, int) else tokens))

    def flush(self) -> str:
        """What is left of an incomplete character, as U+FFFD; the decoder can then begin anew."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest
