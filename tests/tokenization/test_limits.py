"""Counting and cutting text by tokens."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.tokenization import Tokenizer

BYTES = {bytes([value]): value for value in range(256)}


@pytest.fixture(scope="module", params=["scanner", "regex"])
def either(request: pytest.FixtureRequest, tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with a scanner, and one whose pattern only the regex module knows."""
    if request.param == "scanner":
        return tokenizer
    return Tokenizer(
        "regex",
        pat_str=r"\w+|\W",
        mergeable_ranks=tokenizer._mergeable_ranks,
        special_tokens={"<|endoftext|>": 1999},
    )


def test_count_is_the_length_of_the_encoding(either: Tokenizer, sample_texts: list[str]) -> None:
    for text in [*sample_texts, "", "a\ud800"]:
        assert either.count(text) == len(either.encode(text))
    special = "a<|endoftext|>b"
    assert either.count(special, allowed_special="all") == len(either.encode(special, allowed_special="all"))
    assert either.count(special, disallowed_special=()) == len(either.encode_ordinary(special))
    with pytest.raises(ValueError, match="disallowed special token"):
        either.count(special)


def test_count_until_ends_at_the_limit(either: Tokenizer, sample_texts: list[str]) -> None:
    text = sample_texts[0]
    count = either.count(text)
    assert either.count_until(text, count) == count
    assert either.count_until(text, count + 1) == count
    for limit in (count - 1, 1, 0, -1):
        assert either.count_until(text, limit) is None
    assert either.count_until("", 0) == 0
    assert either.count_until("\ud800", 10) == 3


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80), limit=st.integers(min_value=0, max_value=12))
def test_truncate_gives_a_beginning_that_fits(text: str, limit: int, tokenizer: Tokenizer) -> None:
    beginning = tokenizer.truncate(text, limit)
    assert text.startswith(beginning)
    assert len(tokenizer.encode_ordinary(beginning)) <= limit
    if len(tokenizer.encode_ordinary(text)) <= limit:
        assert beginning == text


def test_truncate_takes_as_many_whole_tokens_as_fit(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    for text in sample_texts:
        ids = tokenizer.encode(text)
        for limit in (1, 7, 50):
            expected = tokenizer.decode_bytes(ids[:limit])
            while True:
                try:
                    expected.decode("utf-8")
                    break
                except UnicodeDecodeError:
                    expected = expected[:-1]
            beginning = tokenizer.truncate(text, limit).encode()
            assert expected.startswith(beginning)
            assert len(expected) - len(beginning) < 16  # a token less where a character was cut


def test_truncate_counts_again_where_the_end_is_split_differently() -> None:
    """Inside the text "\\n" and " " are two pieces; at its end one piece of two tokens."""
    ranks = BYTES | {b"\n\n": 256, b"\n\n ": 257, b"\n \n": 258}
    tokenizer = Tokenizer("t", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})
    for text in ("\n\n  x", "a\n \n  x", "\n \n\n x"):
        for limit in range(6):
            assert tokenizer.count(tokenizer.truncate(text, limit)) <= limit


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=120), size=st.integers(min_value=4, max_value=9), overlap=st.integers(0, 3))
def test_split_covers_the_text_with_pieces_that_fit(
    text: str, size: int, overlap: int, tokenizer: Tokenizer
) -> None:
    pieces = tokenizer.split(text, size, overlap=overlap)
    assert all(0 < len(tokenizer.encode_ordinary(piece)) <= size for piece in pieces)
    if overlap == 0:
        assert "".join(pieces) == text
    place = 0
    for piece in pieces:
        found = text.find(piece, max(0, place - len(piece)), place + len(piece))
        assert found >= 0
        place = found + len(piece)
    assert place == len(text)


def test_split_overlaps_by_tokens(tokenizer: Tokenizer) -> None:
    text = "one two three four five six seven eight nine ten " * 5
    ids = tokenizer.encode(text)
    pieces = tokenizer.split(text, 10, overlap=4)
    assert tokenizer.encode(pieces[0]) == ids[:10]
    assert tokenizer.encode(pieces[1]) == ids[6:16]
    assert tokenizer.split("", 5) == []


def test_cutting_repairs_surrogates(tokenizer: Tokenizer) -> None:
    assert tokenizer.truncate("a\ud800", 100) == "a\ufffd"
    assert "".join(tokenizer.split("\ud83d\udc4d!", 5)) == "👍!"


def test_a_long_text_is_read_only_as_far_as_needed(tokenizer: Tokenizer) -> None:
    """100 MB in well under the time that encoding them takes."""
    import time

    text = "some words again and again " * 4_000_000
    tokenizer.count("warm up")
    started = time.process_time()
    assert tokenizer.count_until(text, 1000) is None
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(
    ("size", "overlap", "message"),
    [(0, 0, "pieces of 0 tokens"), (-3, 0, "pieces of -3"), (4, 4, "overlap by 4"), (4, -1, "overlap by -1")],
)
def test_sizes_that_make_no_pieces_are_refused(
    size: int, overlap: int, message: str, tokenizer: Tokenizer
) -> None:
    with pytest.raises(UsageError, match=message):
        tokenizer.split("text", size, overlap=overlap)


def test_a_negative_length_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="cannot have -1 tokens"):
        tokenizer.truncate("text", -1)


def test_a_character_longer_than_a_piece_is_named() -> None:
    tokenizer = Tokenizer("bytes", pat_str="cl100k", mergeable_ranks=dict(BYTES), special_tokens={})
    with pytest.raises(NlpkitError, match="'中' alone has more than 2 tokens"):
        tokenizer.split("ab中", 2)
    assert tokenizer.split("ab中", 3) == ["ab", "中"]
    assert tokenizer.truncate("ab中", 4) == "ab"


def test_cuts_hold_on_mixed_fragments(
    tokenizer: Tokenizer, random_text: Callable[[random.Random], str]
) -> None:
    generator = random.Random(7)
    for _ in range(300):
        text = random_text(generator)
        assert "".join(tokenizer.split(text, 6)) == text
