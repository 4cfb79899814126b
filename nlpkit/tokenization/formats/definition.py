"""`BpeDefinition`: what a byte-level BPE vocabulary is, apart from any class that encodes with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BpeDefinition:
    """All that decides the ids of a byte-level BPE vocabulary, as the constructor of `Tokenizer` takes it.

    Readers of foreign formats return one and writers take one, so that neither depends on `Tokenizer`.
    """

    name: str
    pat_str: str
    mergeable_ranks: Mapping[bytes, int]
    special_tokens: Mapping[str, int]

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `Tokenizer`, `tiktoken.Encoding` and this class."""
        return {
            "name": self.name,
            "pat_str": self.pat_str,
            "mergeable_ranks": dict(self.mergeable_ranks),
            "special_tokens": dict(self.special_tokens),
        }
