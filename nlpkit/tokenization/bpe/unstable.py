"""What tiktoken calls unstable: the tokens at a text's end that more text could change.

Its own rules, for callers that rely on them; nothing else in nlpkit does.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Protocol

from nlpkit.tokenization import patterns
from nlpkit.tokenization.bpe.special_tokens import Allowed, SpecialTokens

_BLANKS = frozenset(b" \n\t")


class _Tokenizer(Protocol):
    """What is needed of a `Tokenizer`."""

    _special: SpecialTokens
    _pat_str: str

    @property
    def _sorted_tokens(self) -> list[bytes]: ...
    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]: ...
    def encode_ordinary(self, text: str) -> list[int]: ...
    def encode_single_token(self, text_or_bytes: str | bytes) -> int: ...
    def decode_bytes(self, tokens: Sequence[int]) -> bytes: ...
    def decode_single_token_bytes(self, token: int) -> bytes: ...


def encode_with_unstable(
    tokenizer: _Tokenizer, text: str, allowed: Allowed
) -> tuple[list[int], list[list[int]]]:
    """The stable ids of `text`, and the sequences of ids that may follow them for some continuation of it."""
    tokens, n_last = _encode_and_last_piece(tokenizer, text, allowed)
    if n_last == 0:  # the text is empty or ends with a special token
        return tokens, []
    n_last = _widen_over_blanks(tokenizer, tokens, n_last)
    stable = tokens[: len(tokens) - n_last]
    return stable, [list(ids) for ids in _completions(tokenizer, tokenizer.decode_bytes(tokens[-n_last:]))]


def encode_bytes_as_tiktoken(tokenizer: _Tokenizer, data: bytes) -> list[int]:
    """tiktoken's `_encode_bytes`: the text up to the first invalid byte, but its last piece and all that
    follows are merged as one piece."""
    try:
        return tokenizer.encode_ordinary(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        valid = data[: error.start]
    tokens, n_last = _encode_and_last_piece(tokenizer, valid.decode("utf-8"), frozenset())
    if n_last > 0:
        n_last = _widen_over_blanks(tokenizer, tokens, n_last)
    stable = tokens[: len(tokens) - n_last]
    return stable + tokenizer._encode_single_piece(data[len(tokenizer.decode_bytes(stable)) :])


def _encode_and_last_piece(tokenizer: _Tokenizer, text: str, allowed: Allowed) -> tuple[list[int], int]:
    """The ids of `text`, and how many of them the last piece has; none if a special token is last."""
    tokens: list[int] = []
    n_last = 0
    for part in tokenizer._special.split(text, allowed):
        if isinstance(part, int):
            tokens.append(part)
            n_last = 0
        else:
            *_, last_piece = patterns.split(part, tokenizer._pat_str)
            tokens += tokenizer.encode_ordinary(part)
            n_last = len(tokenizer._encode_single_piece(last_piece))
    return tokens, n_last


def _widen_over_blanks(tokenizer: _Tokenizer, tokens: list[int], n_last: int) -> int:
    """More white space can join pieces of white space to one, so all of them at the end are unstable."""

    def is_blank(token: int) -> bool:
        return _BLANKS.issuperset(tokenizer.decode_single_token_bytes(token))

    if is_blank(tokens[-n_last]):
        while n_last < len(tokens) and is_blank(tokens[-n_last - 1]):
            n_last += 1
    return n_last


def _completions(tokenizer: _Tokenizer, unstable: bytes) -> set[tuple[int, ...]]:
    """Sequences of ids that begin with the unstable bytes and end as soon as they cover them."""
    found: set[tuple[int, ...]] = {
        (tokenizer.encode_single_token(token),) for token in _starting_with(tokenizer, unstable)
    }
    for cut in range(1, len(unstable)):
        for token in _starting_with(tokenizer, unstable[cut:]):
            found.add(_covering(tokenizer, unstable[:cut] + token, len(unstable)))
    last = _last_character(unstable)
    if last.isspace() and len(unstable) > len(last.encode("utf-8")):
        # a following character would split off the last white space, which could then merge no more
        cut = len(unstable) - len(last.encode("utf-8"))
        encode = tokenizer._encode_single_piece
        found.add((*encode(unstable[:cut]), *encode(unstable[cut:])))
    return found


def _starting_with(tokenizer: _Tokenizer, prefix: bytes) -> Iterator[bytes]:
    """The tokens that begin with `prefix`, special ones left out."""
    tokens = tokenizer._sorted_tokens
    for index in range(bisect_left(tokens, prefix), len(tokens)):
        if not tokens[index].startswith(prefix):
            break
        yield tokens[index]


def _covering(tokenizer: _Tokenizer, data: bytes, size: int) -> tuple[int, ...]:
    """The first ids of `data` that together have `size` bytes or more."""
    try:
        ids = tokenizer.encode_ordinary(data.decode("utf-8"))
    except UnicodeDecodeError:
        ids = tokenizer._encode_single_piece(data)
    covered = 0
    for count, token in enumerate(ids, start=1):
        covered += len(tokenizer.decode_single_token_bytes(token))
        if covered >= size:
            return tuple(ids[:count])
    return tuple(ids)


def _last_character(data: bytes) -> str:
    """The last character of `data`, or nothing if it does not end with a whole one."""
    for size in range(1, 5):
        try:
            return data[-size:].decode("utf-8")[-1:] if len(data) >= size else ""
        except UnicodeDecodeError:
            continue
    return ""
