"""Vocabularies that are awkward to convert, each in its own way."""

from collections.abc import Callable

import pytest

from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.formats.definition import BpeDefinition


@pytest.fixture(scope="session")
def with_gaps(tokenizer: Tokenizer) -> Tokenizer:
    """Gaps in the ranks and before the special tokens, several of which are reserved slots."""
    ranks = {token: rank + 7 * (rank > 900) for token, rank in tokenizer._mergeable_ranks.items()}
    special_tokens = {"<|endoftext|>": 903, "<|user|>": 3000, "<|reserved_1|>": 3005, "<|reserved_2|>": 3006}
    return Tokenizer("gaps", pat_str="o200k", mergeable_ranks=ranks, special_tokens=special_tokens)


@pytest.fixture(scope="session")
def inconsistent() -> Tokenizer:
    """Tokens that merging their bytes does not give: "abcd" only stands for a piece that equals it."""
    learnt = [b"ab", b"bc", b"abcd", b"abab", b"xy", b"yzz", b"xyzz", b"zz", b"qrst"]
    ranks = {bytes([value]): value for value in range(256)} | {t: 256 + i for i, t in enumerate(learnt)}
    return Tokenizer("inconsistent", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<|end|>": 300})


@pytest.fixture(scope="session")
def byte_definition() -> Callable[..., BpeDefinition]:
    """Makes a vocabulary of bytes and a few more tokens."""

    def make(*tokens: bytes, pat_str: str = "gpt2", **special_tokens: int) -> BpeDefinition:
        ranks = {bytes([value]): value for value in range(256)} | {t: 256 + i for i, t in enumerate(tokens)}
        return BpeDefinition("bytes", pat_str, ranks, special_tokens)

    return make
