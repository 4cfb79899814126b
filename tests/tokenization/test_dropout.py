"""BPE-dropout against its definition, written down naively."""

import math
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import UsageError
from nlpkit.tokenization import Tokenizer

BYTES = {bytes([value]): value for value in range(256)}
ABC = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258, b"ca": 259, b"abab": 260}
END = "<|endoftext|>"


def abc_tokenizer(pat_str: str = "cl100k") -> Tokenizer:
    return Tokenizer("abc", pat_str=pat_str, mergeable_ranks=ABC, special_tokens={END: 300})


def outcomes(tokens: tuple[bytes, ...], probability: float) -> Counter[tuple[bytes, ...]]:
    """How likely each segmentation is by the paper's algorithm 1: all subsets of the merges of each step."""
    merges = [
        (ABC[left + right], place)
        for place, (left, right) in enumerate(pairwise(tokens))
        if left + right in ABC
        and (left + right != b"abc" or left == b"ab")  # the pair that "abc" was made of
    ]
    result: Counter[tuple[bytes, ...]] = Counter()
    for kept in product([False, True], repeat=len(merges)):
        chance = math.prod(1 - probability if keeps else probability for keeps in kept)
        possible = [merge for merge, keeps in zip(merges, kept, strict=True) if keeps]
        if not possible:
            result[tokens] += chance  # type: ignore[assignment]
            continue
        _, place = min(possible)
        after = (*tokens[:place], tokens[place] + tokens[place + 1], *tokens[place + 2 :])
        for segmentation, further in outcomes(after, probability).items():
            result[segmentation] += chance * further  # type: ignore[assignment]
    return result


@pytest.mark.parametrize("text", ["abc", "ababc", "abcab"])
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_segmentations_are_as_frequent_as_the_definition_says(text: str, probability: float) -> None:
    tokenizer = abc_tokenizer()
    expected = outcomes(tuple(bytes([byte]) for byte in text.encode()), probability)
    assert sum(expected.values()) == pytest.approx(1)
    draws = 20_000
    ragged = tokenizer.encode_documents([text] * draws, dropout=probability, seed=7)
    found = Counter(tuple(tokenizer.decode_tokens_bytes(ids.tolist())) for ids in ragged)
    assert set(found) <= set(expected)
    for segmentation, chance in expected.items():
        deviation = math.sqrt(draws * chance * (1 - chance))
        assert abs(found[segmentation] - draws * chance) <= 4.5 * deviation + 1e-9


def test_pieces_of_one_text_are_independent() -> None:
    """Two words: the segmentation of the one says nothing about that of the other."""
    tokenizer = abc_tokenizer()
    draws = 20_000
    ragged = tokenizer.encode_documents(["ab\nab"] * draws, dropout=0.5, seed=1)
    pairs = Counter((int(ids[0]) == 256, int(ids[-1]) == 256) for ids in ragged)
    assert len(pairs) == 4
    assert all(abs(count - draws / 4) < 4.5 * math.sqrt(draws * 3 / 16) for count in pairs.values())


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60), seed=st.integers(0, 2**64 - 1))
def test_any_segmentation_decodes_to_the_text(text: str, seed: int, tokenizer: Tokenizer) -> None:
    for dropout in (0.1, 0.7, 1.0):
        assert tokenizer.decode(tokenizer.encode(text, dropout=dropout, seed=seed)) == text


def test_no_dropout_is_the_encoding_and_all_of_it_is_bytes(
    tokenizer: Tokenizer, sample_texts: list[str]
) -> None:
    text = sample_texts[0]
    assert tokenizer.encode(text, dropout=0.0, seed=3) == tokenizer.encode(text)
    assert tokenizer.encode(text, dropout=1e-300, seed=3) == tokenizer.encode(text)
    single = tokenizer.encode(text, dropout=1, seed=3)
    assert tokenizer.decode_tokens_bytes(single) == [bytes([byte]) for byte in text.encode()]


def test_more_dropout_makes_more_tokens(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    counts = [len(tokenizer.encode(sample_texts[0], dropout=p)) for p in (0, 0.1, 0.3, 0.6, 0.9, 1)]
    assert counts == sorted(set(counts))


def test_seeds_and_documents_have_their_own_random_numbers(tokenizer: Tokenizer) -> None:
    text = "Tokenization is the beginning of everything. " * 5
    assert tokenizer.encode(text, dropout=0.3, seed=1) == tokenizer.encode(text, dropout=0.3, seed=1)
    assert tokenizer.encode(text, dropout=0.3, seed=1) != tokenizer.encode(text, dropout=0.3, seed=2)
    first, second = tokenizer.encode_batch([text, text], dropout=0.3, seed=1)
    assert first == tokenizer.encode(text, dropout=0.3, seed=1)
    assert first != second


def test_batches_documents_and_threads_change_nothing(
    tokenizer: Tokenizer, random_text: Callable[[random.Random], str]
) -> None:
    generator = random.Random(12)
    texts = [random_text(generator) for _ in range(200)]
    one = tokenizer.encode_documents(texts, document_end=True, dropout=0.2, seed=5, threads=1)
    for threads in (2, 3):
        many = tokenizer.encode_documents(texts, document_end=True, dropout=0.2, seed=5, threads=threads)
        assert np.array_equal(one.ids, many.ids)
        assert np.array_equal(one.offsets, many.offsets)
    later = tokenizer.encode_documents(
        texts[150:], document_end=True, dropout=0.2, seed=5, first_document=150
    )
    assert all(np.array_equal(a, one[150 + i]) for i, a in enumerate(later))


def test_special_tokens_stay_whole_and_are_refused_as_ever(tokenizer: Tokenizer) -> None:
    text = f"a text{END}and another"
    ids = tokenizer.encode(text, allowed_special="all", dropout=0.9, seed=1)
    assert ids.count(tokenizer.eot_token) == 1
    assert tokenizer.decode(ids) == text
    with pytest.raises(ValueError, match="disallowed special token"):
        tokenizer.encode(text, dropout=0.5)
    batch = tokenizer.encode_batch([text, "b"], allowed_special="all", dropout=0.9, seed=1)
    assert batch[0] == ids


def test_any_regex_gives_what_the_scanner_gives() -> None:
    scanner = abc_tokenizer()
    regex = abc_tokenizer(scanner._pat_str + "|zzz+")  # the same pieces, but no pattern with a scanner
    assert regex._scheme is None
    text = f"abcab abc cabab\nab{END}abc ca \ud800 中"
    for seed in range(20):
        options = {"allowed_special": "all", "dropout": 0.4, "seed": seed}
        assert regex.encode(text, **options) == scanner.encode(text, **options)  # type: ignore[arg-type]
    texts = ["abc", "", "ab cab"]
    ours = regex.encode_documents(texts, document_end=True, dropout=0.4, first_document=9)
    theirs = scanner.encode_documents(texts, document_end=True, dropout=0.4, first_document=9)
    assert np.array_equal(ours.ids, theirs.ids)
    assert np.array_equal(ours.offsets, theirs.offsets)


def test_long_pieces_are_no_trouble(tokenizer: Tokenizer) -> None:
    for dropout in (0.1, 0.99):
        ids = tokenizer.encode("ab" * 100_000, dropout=dropout)
        assert tokenizer.decode(ids) == "ab" * 100_000


@pytest.mark.parametrize("dropout", [-0.1, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(dropout: float, tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="is no probability: use 0"):
        tokenizer.encode("a", dropout=dropout)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_64_bits_is_refused(seed: int, tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="is not from 0 to"):
        tokenizer.encode("a", dropout=0.5, seed=seed)
