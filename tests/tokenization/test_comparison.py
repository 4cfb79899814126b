"""Figures of several vocabularies on one corpus, against counts made by hand."""

import math

import numpy as np
import pytest

from nlpkit.text import Document
from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.comparison import compare_vocabularies, renyi_efficiency

BYTES = {bytes([value]): value for value in range(256)}


@pytest.fixture
def small() -> Tokenizer:
    return Tokenizer("small", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={"<|endoftext|>": 300})


@pytest.fixture
def larger() -> Tokenizer:
    ranks = BYTES | {"中".encode()[:2]: 256, "中".encode(): 257, b"ab": 258}
    return Tokenizer("larger", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})


def test_figures_by_hand(small: Tokenizer, larger: Tokenizer) -> None:
    corpus = [Document("ab ab", "a.txt:1"), Document("中", "a.txt:2"), Document("ab 文", "b.txt")]
    comparison = compare_vocabularies([small, larger], corpus)
    first, second = comparison.vocabularies
    assert (first.name, first.n_vocab, second.n_vocab) == ("small", 301, 259)
    assert first.total.tokens == first.total.text_bytes == 5 + 3 + 6
    assert first.total.bytes_per_token == 1
    assert second.total.tokens == (1 + 2) + 1 + (1 + 1 + 3)  # " ab" is " " and "ab"
    assert second.total.characters_per_token == (5 + 1 + 4) / second.total.tokens
    assert second.total.fertility == second.total.tokens / 5
    assert second.sources["a.txt"].tokens == 4
    assert second.sources["b.txt"].words == 2
    assert first.single_byte == 6 / 14
    assert second.single_byte == 3 / second.total.tokens
    assert second.used == len({b"ab", b" ", "中", *"文".encode()})
    assert second.used_share == second.used / 259
    assert comparison.shared_tokens == [[256, 256], [256, 259]]
    assert second.megabytes_per_second == pytest.approx(14e-6 / second.seconds)


def test_renyi_efficiency_by_its_formula() -> None:
    assert renyi_efficiency(np.array([3, 3, 3, 3])) == pytest.approx(1)
    assert renyi_efficiency(np.array([9, 0, 0, 0])) == pytest.approx(0)
    counts, order = np.array([8, 4, 2, 0, 2]), 2.5
    entropy = math.log(sum((c / 16) ** order for c in counts)) / (1 - order)
    assert renyi_efficiency(counts) == pytest.approx(entropy / math.log(5))
    assert renyi_efficiency(np.zeros(5, dtype=np.int64)) == 0
    assert renyi_efficiency(np.array([7])) == 0


def test_order_one_would_be_shannons_entropy() -> None:
    counts = np.array([8, 4, 2, 2])
    shannon = -sum(c / 16 * math.log2(c / 16) for c in counts) / 2
    assert renyi_efficiency(counts, order=1 + 1e-6) == pytest.approx(shannon, abs=1e-5)


def test_an_empty_corpus_gives_zeros(small: Tokenizer, larger: Tokenizer) -> None:
    comparison = compare_vocabularies([small, larger], [])
    for figures in comparison.vocabularies:
        assert figures.total.tokens == figures.used == figures.renyi_efficiency == 0
        assert figures.total.fertility == figures.total.bytes_per_token == 0
        assert figures.megabytes_per_second == figures.seconds == 0


def test_words_and_bytes_compare_too(small: Tokenizer) -> None:
    words = WordVocabulary.train(["ab ab cd"], min_count=1)
    figures = compare_vocabularies([small, words], [Document("ab cd ab", "x")]).vocabularies[1]
    assert figures.total.tokens == 3
    assert figures.total.fertility == 1


def test_lone_surrogates_are_counted_as_their_replacement(small: Tokenizer) -> None:
    figures = compare_vocabularies([small, small], [Document("a\ud800", "x")]).vocabularies[0]
    assert figures.total.text_bytes == figures.total.tokens == 4
