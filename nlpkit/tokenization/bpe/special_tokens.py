"""Special tokens: control text such as `<|endoftext|>`, found in text only where the caller allows it.

The policy is tiktoken's: text that looks like a special token is refused by default, because a user who can
type one could speak in the system's place. Where one special token is a prefix of another, the longest
that is allowed wins; tiktoken leaves that to the order of a hash map.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NoReturn, TypeAlias

from nlpkit._core import SpecialMatcher
from nlpkit.errors import NlpkitError

END_OF_TEXT = "<|endoftext|>"
"""The special token that ends a document, by tiktoken's name."""

Allowed: TypeAlias = Literal["all"] | AbstractSet[str]
"""Special tokens that become their ids where they stand in text."""

Disallowed: TypeAlias = Literal["all"] | Collection[str]
"""Texts that may not occur; "all" means the special tokens that are not allowed."""


class SpecialTokens:
    """The special tokens of one vocabulary.

    Args:
        ids: the id of each special token's text. Two may share an id, as in o200k_harmony, which then stands
            for the first of them.

    Attributes:
        by_id: the special tokens that ids stand for.

    Raises:
        NlpkitError: an empty text, or one with a surrogate.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self.by_id: dict[int, str] = {}
        for text, token in ids.items():
            if not text:
                raise NlpkitError("a special token cannot be the empty text: it would be found everywhere.")
            if _has_surrogates(text):
                raise NlpkitError(f"special token {text!r} has a surrogate, which no valid text holds.")
            self.by_id.setdefault(token, text)
        self.ids = dict(ids)
        self.names = frozenset(ids)
        self._all = _matcher(frozenset(ids.items()))

    def matchers(
        self, allowed_special: Allowed, disallowed_special: Disallowed
    ) -> tuple[SpecialMatcher | None, SpecialMatcher | None]:
        """What finds the allowed special tokens, and what finds the texts to refuse; None for no text."""
        if disallowed_special == "all" and not allowed_special:
            return None, self._all
        allowed = self.names if allowed_special == "all" else self.names.intersection(allowed_special)
        disallowed = self.names - allowed if disallowed_special == "all" else disallowed_special
        if "" in disallowed:
            raise NlpkitError("disallowed_special has the empty text, which every text holds: leave it out.")
        return (
            _matcher(frozenset((text, self.ids[text]) for text in allowed)),
            _matcher(frozenset((text, 0) for text in disallowed)),
        )

    def check(
        self, text: str, allowed_special: Allowed, disallowed_special: Disallowed
    ) -> SpecialMatcher | None:
        """What finds the allowed special tokens in `text`, once it is known to hold no disallowed one.

        Raises:
            NlpkitError: (a ValueError) it does; says how to allow it.
        """
        allowed, disallowed = self.matchers(allowed_special, disallowed_special)
        if disallowed is not None and (found := disallowed.find(text)) is not None:
            raise_disallowed(found)
        return allowed

    def split(self, text: str, allowed_special: Allowed) -> list[str | int]:
        """The parts of `text` in order: ordinary text, and the ids of the allowed special tokens in it."""
        allowed, _ = self.matchers(allowed_special, ())
        if allowed is None:
            return [text] if text else []
        return allowed.split(text)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, and whether special tokens in it count: only where whoever wrote it may use them."""

    text: str
    trusted: bool = False


@lru_cache(maxsize=128)
def _matcher(ids: frozenset[tuple[str, int]]) -> SpecialMatcher | None:
    """A matcher for texts without surrogates: the text they are looked for in has none."""
    valid = {text: token for text, token in ids if not _has_surrogates(text)}
    return SpecialMatcher(valid) if valid else None


def repair_surrogates(text: str) -> str:
    """Join surrogate pairs and replace lone surrogates by U+FFFD, as tiktoken and the compiled core do.

    Raises:
        TypeError: `text` is no str.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected str, got {type(text).__name__}")
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def raise_disallowed(text: str) -> NoReturn:
    """Refuse text that spells a disallowed special token, and say how to let it pass."""
    raise NlpkitError(
        f"the text holds {text!r}, which is a disallowed special token: to encode it as that token pass "
        f"allowed_special={{{text!r}}}; to encode it as ordinary text pass disallowed_special=() for all, or "
        f"disallowed_special=tokenizer.special_tokens_set - {{{text!r}}} for this one."
    )
