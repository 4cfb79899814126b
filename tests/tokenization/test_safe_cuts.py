"""Cutting text for threads: no trace of it in pieces, ids or counts, whatever the scheme."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit._core import find_safe_cut, pretokenize
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import PATTERNS, named_scheme

SCHEMES = sorted({scheme for pattern in PATTERNS.values() if (scheme := named_scheme(pattern))})
# Each class of characters that a pattern knows, and the characters that it names.
CHARACTERS = "aSſǅʰ中\u03011²٣ \t\n\r\u00a0\u3000\u2028!/'’🎉\x00lsve"
MEGABYTE = 1 << 20


def safe_cuts(text: str) -> Iterator[int]:
    size = len(text.encode())
    cut = 0
    while size > 0 and (cut := find_safe_cut(text, cut + 1, size)) < size:
        yield cut


def assert_no_trace(text: str, scheme: str) -> None:
    whole = pretokenize(scheme, text).tolist()
    data = text.encode()
    for cut in safe_cuts(text):
        left, right = (pretokenize(scheme, half.decode()).tolist() for half in (data[:cut], data[cut:]))
        assert left + [cut + end for end in right] == whole, (text, cut)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_sides_of_any_safe_cut_split_as_the_whole(scheme: str, sample_texts: list[str]) -> None:
    generator = random.Random(4)
    for _ in range(1500):
        assert_no_trace("".join(generator.choices(CHARACTERS, k=generator.randrange(2, 9))), scheme)
    for text in sample_texts:
        assert_no_trace(text[:300], scheme)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=12), scheme=st.sampled_from(SCHEMES))
def test_both_sides_of_any_safe_cut_of_any_text_split_as_the_whole(text: str, scheme: str) -> None:
    assert_no_trace(text, scheme)


def test_where_text_can_be_cut() -> None:
    assert list(safe_cuts("Hello world, 12 apples")) == [5, 11, 12, 15]
    assert list(safe_cuts("中文，没有空格。")) == [6, 21]
    assert list(safe_cuts("don't")) == []  # o200k takes the contraction with the word
    assert list(safe_cuts("a" * 50 + "  \n\n")) == [50]
    assert find_safe_cut("one two three", 4, 13) == 7
    assert find_safe_cut("中文 中文", 1, 13) == 6  # `from_` may be inside a character
    with pytest.raises(ValueError, match="limit within the text"):
        find_safe_cut("a b", 1, 4)


@pytest.fixture(scope="module")
def long_texts(sample_texts: list[str]) -> list[str]:
    """Texts that are shared among threads: prose, no place to cut, places far apart, special tokens."""
    prose = "".join(sample_texts)
    prose = (prose * (2 * MEGABYTE // len(prose) + 1))[:1_200_000]
    return [
        prose,
        "a" * 1_200_000,
        (" " * 400_000 + "x") * 3,
        "，".join(["中文没有空格" * 3000] * 22),
        "don't" * 240_000,
        "<|endoftext|>".join([prose[i : i + 70] for i in range(0, len(prose), 70)]),
        "<|endoftext|>" + prose + "<|endoftext|><|endoftext|>" + prose[:1000] + "<|endoftext|>",
    ]


def test_long_documents_have_the_same_ids_for_any_number_of_threads(
    tokenizer: Tokenizer, long_texts: list[str]
) -> None:
    expected = tokenizer.encode_documents(long_texts, document_end=True, threads=1)
    for threads in (2, 5):
        ragged = tokenizer.encode_documents(long_texts, document_end=True, threads=threads)
        assert np.array_equal(ragged.ids, expected.ids)
        assert np.array_equal(ragged.offsets, expected.offsets)


def test_a_long_text_has_the_ids_of_its_parts(tokenizer: Tokenizer, long_texts: list[str]) -> None:
    for text in long_texts:
        parts = text.split("<|endoftext|>")
        expected: list[int] = []
        for ids in tokenizer.encode_documents(parts, document_end=True, threads=1):
            expected += ids.tolist()
        expected.pop()
        assert tokenizer.encode(text, allowed_special="all") == expected
        assert np.array_equal(tokenizer.encode_to_numpy(text, allowed_special="all"), expected)
        assert tokenizer.encode_batch(["", text], allowed_special="all", num_threads=2) == [[], expected]
        plain = tokenizer.encode_documents([text], threads=1).ids
        assert tokenizer.count(text, disallowed_special=()) == len(plain)
        assert np.array_equal(tokenizer.encode_to_numpy(text, disallowed_special=()), plain)
