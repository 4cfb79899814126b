"""Special tokens: control text such as `<|endoftext|>`, found in text only where the caller allows it.

The policy is tiktoken's: text that looks like a special token is refused by default, because a user who can
type one could speak in the system's place. Where one special token is a prefix of another, the longest
that is allowed wins; tiktoken leaves that to the order of a hash map.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Literal, NoReturn

from nlpkit.errors import NlpkitError


class SpecialTokens:
    """The special tokens of one vocabulary.

    Args:
        ids: the id of each special token's text.

    Raises:
        NlpkitError: an empty text, or an id that two of them share.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        owners: dict[int, str] = {}
        for text, token in ids.items():
            if not text:
                raise NlpkitError("a special token cannot be the empty text: it would be found everywhere.")
            if token in owners:
                raise NlpkitError(f"special tokens {owners[token]!r} and {text!r} share the id {token}.")
            owners[token] = text
        self.ids = dict(ids)
        self.names = frozenset(ids)
        self.values = frozenset(owners)

    def check(
        self,
        text: str,
        allowed_special: Literal["all"] | AbstractSet[str],
        disallowed_special: Literal["all"] | Collection[str],
    ) -> frozenset[str]:
        """The special tokens to look for in `text`, once it is known to hold no disallowed one.

        Raises:
            ValueError: `text` holds a disallowed special token; says how to allow it.
        """
        allowed, disallowed = self.resolve(allowed_special, disallowed_special)
        if disallowed and (match := _matcher(disallowed).search(text)):
            raise_disallowed(match.group())
        return allowed

    def resolve(
        self,
        allowed_special: Literal["all"] | AbstractSet[str],
        disallowed_special: Literal["all"] | Collection[str],
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Spell out "all": the allowed special tokens, and the texts that may not occur."""
        allowed = self.names if allowed_special == "all" else self.names.intersection(allowed_special)
        if disallowed_special == "all":
            return allowed, self.names - allowed
        return allowed, frozenset(disallowed_special)

    def split(self, text: str, allowed: frozenset[str]) -> Iterator[str | int]:
        """The parts of `text` in order: ordinary text, and the ids of the allowed special tokens in it."""
        position = 0
        for match in _matcher(allowed).finditer(text):
            if match.start() > position:
                yield text[position : match.start()]
            yield self.ids[match.group()]
            position = match.end()
        if position < len(text):
            yield text[position:]


@lru_cache(maxsize=128)
def _matcher(texts: frozenset[str]) -> re.Pattern[str]:
    """Finds the leftmost of `texts`, the longest of those that start there; the empty set nowhere."""
    if not texts:
        return re.compile(r"(?!)")
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first)))


def raise_disallowed(text: str) -> NoReturn:
    """Refuse text that spells a disallowed special token, and say how to let it pass."""
    raise NlpkitError(
        f"the text holds {text!r}, which is a disallowed special token: to encode it as that token pass "
        f"allowed_special={{{text!r}}}; to encode it as ordinary text pass disallowed_special=() for all, or "
        f"disallowed_special=tokenizer.special_tokens_set - {{{text!r}}} for this one."
    )
