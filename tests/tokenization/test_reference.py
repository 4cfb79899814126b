"""The plain-Python trainer and encoder: worked examples, ties, and tiktoken as the encoder's oracle."""

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.tokenization import reference
from nlpkit.tokenization.byte_order import GPT2_BYTE_ORDER
from nlpkit.tokenization.patterns import PATTERNS


def test_byte_order_is_that_of_openai_vocabularies() -> None:
    ids = {token[0]: i for i, token in enumerate(GPT2_BYTE_ORDER)}
    assert [ids[b] for b in (0, 32, 33, 127, 160, 161, 173, 174, 255)] == [
        188,
        220,
        0,
        221,
        254,
        94,
        255,
        106,
        187,
    ]


@pytest.mark.parametrize(
    ("counts", "first"),
    [
        ({"zz": 2, "yy": 2}, b"yy"),  # smaller ids first, not first seen first
        ({"\t\t": 2, "aa": 2}, b"aa"),  # the tab's id is 197, behind every printable byte's
        ({"zz": 3, "yy": 2}, b"zz"),  # the count decides before the ids
        ({"ba": 1, "ab": 1}, b"ab"),  # the left id decides before the right one
    ],
)
def test_ties_go_to_the_smaller_ids(counts: dict[str, int], first: bytes) -> None:
    assert reference.train(counts, n_merges=1)[256] == first


def test_overlapping_pairs_are_counted_as_windows_and_merged_from_the_left() -> None:
    assert reference.train({"aaaaa": 1, "bc": 3}, n_merges=2)[256:] == [b"aa", b"bc"]


def test_training_stops_below_min_count() -> None:
    assert reference.train({"ab": 2, "cd": 1}, n_merges=5, min_count=2)[256:] == [b"ab"]


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(alphabet="ab c'1é中\n"), max_size=6), text=st.text(alphabet="ab c'1é中\n"))
def test_encoding_equals_tiktoken(texts: list[str], text: str) -> None:
    counts = {text: 1 for text in texts if text}
    tokens = reference.train(counts, n_merges=20)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    encoding = tiktoken.Encoding(
        "x", pat_str=PATTERNS["cl100k"], mergeable_ranks=ranks, special_tokens={}, explicit_n_vocab=len(ranks)
    )
    assert reference.encode(text, ranks, PATTERNS["cl100k"]) == encoding.encode_ordinary(text)
