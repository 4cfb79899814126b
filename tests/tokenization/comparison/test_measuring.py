"""Figures of several vocabularies on one corpus, against counts made by hand and by other ways."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from nlpkit.text import Document
from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.comparison import Comparison, compare_vocabularies, renyi_efficiency
from nlpkit.tokenization.comparison.figures import LEAST_TIMED_BYTES

BYTES = {bytes([value]): value for value in range(256)}


@pytest.fixture
def small() -> Tokenizer:
    return Tokenizer("small", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={"<|endoftext|>": 300})


@pytest.fixture
def larger() -> Tokenizer:
    ranks = BYTES | {"中".encode()[:2]: 256, "中".encode(): 257, b"ab": 258}
    return Tokenizer("larger", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    texts = ["the cat sat on the mat " * 9, "дом и мир " * 9, "中国人民 " * 9, "これは猫です。" * 9]
    return Tokenizer.train(texts, vocab_size=300)


@pytest.fixture
def mixed() -> list[Document]:
    """Texts of several scripts, some within one document, over a few files."""
    letters = random.Random(1)
    pieces = ["the mat", "дом", "中国", "猫です。", " ", "\n", "é", "Ω", "ไทย", "42", "— ", "😀", "x=1;"]
    texts = ["".join(letters.choices(pieces, k=60)) for _ in range(40)]
    return [Document(text, f"{'abc'[i % 3]}.txt:{i}") for i, text in enumerate([*texts, "", " \n"])]


def test_figures_by_hand(small: Tokenizer, larger: Tokenizer) -> None:
    corpus = [Document("ab ab", "a.txt:1"), Document("中", "a.txt:2"), Document("ab 文", "b.txt")]
    comparison = compare_vocabularies([small, larger], corpus, names=["one", "two"])
    first, second = comparison.vocabularies
    assert (first.name, first.n_vocab, second.n_vocab) == ("one", 301, 259)
    assert first.total.tokens == first.total.text_bytes == 5 + 3 + 6
    assert first.total.bytes_per_token == 1
    assert second.total.tokens == (1 + 2) + 1 + (1 + 1 + 3)  # " ab" is " " and "ab"
    assert second.total.characters_per_token == (5 + 1 + 4) / second.total.tokens
    assert second.total.fertility == 4 / 3  # Latin alone: "ab", " ", "ab" and "ab"; Han has no words
    assert second.scripts["Han"].fertility is None
    assert second.scripts["Han"].tokens == 1 + 1 + 3  # 中, and the space and three bytes of 文
    assert list(second.scripts) == ["Han", "Latin"]  # of 7 bytes each
    assert second.sources["a.txt"].tokens == 4
    assert second.sources["b.txt"].words == 1
    assert first.total.coverage == 1 - 2 / 10
    assert second.total.coverage == 1 - 1 / 10
    assert second.scripts["Han"].coverage == 1 - 1 / 3
    assert second.used == len({b"ab", b" ", "中", *"文".encode()})
    assert second.used_share == second.used / 259
    assert second.token_lengths == [0, 5, 3, 1]
    assert comparison.shared_tokens == [[256, 256], [256, 259]]
    assert comparison.documents == 3


def test_figures_are_those_of_a_recount(small: Tokenizer, trained: Tokenizer, mixed: list[Document]) -> None:
    comparison = compare_vocabularies([small, trained], mixed, threads=2)
    for tokenizer, figures in zip([small, trained], comparison.vocabularies, strict=True):
        tokens = split_characters = 0
        ids: Counter[int] = Counter()
        lengths: Counter[int] = Counter()
        for document in mixed:
            encoded = tokenizer.encode_ordinary(document.text)
            tokens += len(encoded)
            ids.update(encoded)
            lengths.update(len(tokenizer.decode_single_token_bytes(token)) for token in encoded)
            whole = tokenizer.offsets(encoded).characters  # a cut character lies in several tokens
            held = Counter(c for begin, end in whole.tolist() for c in range(begin, end))
            split_characters += sum(count > 1 for count in held.values())
        assert figures.total.tokens == tokens
        assert figures.total.text_bytes == sum(len(document.text.encode()) for document in mixed)
        assert figures.total.characters == sum(len(document.text) for document in mixed)
        assert figures.total.uncovered == split_characters
        assert figures.used == len(ids)
        assert {n: count for n, count in enumerate(figures.token_lengths) if count} == dict(lengths)
        shares = np.array(sorted(ids.values())) / tokens
        entropy = math.log(float((shares**2.5).sum())) / -1.5
        assert figures.renyi_efficiency == pytest.approx(entropy / math.log(tokenizer.n_vocab))
        for parts in (figures.scripts, figures.sources):
            for name in ("tokens", "text_bytes", "characters", "words", "uncovered"):
                assert sum(getattr(part, name) for part in parts.values()) == getattr(figures.total, name)


def test_scripts_and_sources_alone_give_their_own_figures(trained: Tokenizer, mixed: list[Document]) -> None:
    whole = compare_vocabularies([trained], mixed).vocabularies[0]
    for source in ("a.txt", "b.txt", "c.txt"):
        alone = [document for document in mixed if document.source.startswith(source)]
        assert compare_vocabularies([trained], alone).vocabularies[0].total == whole.sources[source]
    scripts = {
        "the cat on the mat. ": "Latin",
        "дом и мир, ": "Cyrillic",
        "中国人民。": "Han",
        "猫です。": "Japanese",
    }
    documents = [Document(text, "x") for text in scripts]
    figures = compare_vocabularies([trained], documents).vocabularies[0]
    for text, script in scripts.items():
        assert figures.scripts[script].tokens == len(trained.encode(text))
        assert figures.scripts[script].text_bytes == len(text.encode())


def test_a_vocabulary_with_gaps(small: Tokenizer) -> None:
    ranks = {token: 2 * rank for token, rank in BYTES.items()} | {b"ab": 1001}
    gaps = Tokenizer("gaps", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<|end|>": 2000})
    comparison = compare_vocabularies([small, gaps], [Document("abab", "x")])
    figures = comparison.vocabularies[1]
    assert (figures.total.tokens, figures.n_vocab, figures.used) == (2, 2001, 1)
    assert comparison.shared_tokens == [[256, 256], [256, 257]]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("unit", ["word", "pretoken", "character"])
def test_word_vocabularies(unit: str, lowercase: bool, mixed: list[Document]) -> None:
    texts = [document.text for document in mixed] + ["İstanbul ÎLE ΣΑΣ"]
    words = WordVocabulary.train(texts[:20], unit=unit, min_count=2, lowercase=lowercase)
    documents = [Document(text, "x") for text in texts]
    figures = compare_vocabularies([words], documents).vocabularies[0]
    encoded = [words.encode_ordinary(text) for text in texts]
    assert figures.kind == "words"
    assert figures.total.tokens == figures.total.coverable == sum(map(len, encoded))
    assert figures.total.uncovered == sum(ids.count(0) for ids in encoded)
    assert sum(part.uncovered for part in figures.scripts.values()) == figures.total.uncovered


def test_where_the_units_of_lower_cased_words_end() -> None:
    text = "İ aİΣ"  # İ becomes two characters
    for unit, expected in (("character", [2, 2, 3, 4, 6, 6, 8]), ("word", [2, 8]), ("pretoken", [2, 8])):
        words = WordVocabulary.train([text], unit=unit, min_count=1, lowercase=True, pattern=r"\s?\S+")
        ids = words.encode_documents([text]).ids
        assert words.token_ends([text], ids).tolist() == expected


def test_fertility_of_words_is_one(small: Tokenizer) -> None:
    words = WordVocabulary.train(["ab ab cd"], min_count=1)
    figures = compare_vocabularies([small, words], [Document("ab cd ab", "x")]).vocabularies[1]
    assert figures.total.tokens == 3
    assert figures.total.fertility == figures.total.coverage == 1
    assert figures.token_lengths == [0, 0, 3]


def test_speed_is_told_of_enough_text_alone(small: Tokenizer) -> None:
    little = compare_vocabularies([small], [Document("ab", "x")], threads=1)
    assert little.vocabularies[0].megabytes_per_second is None
    assert "not told" in little.speed_measured
    figures = compare_vocabularies([small], [Document("ab " * 400_000, "x")], threads=1)
    measured = figures.vocabularies[0]
    assert figures.text_bytes > LEAST_TIMED_BYTES
    assert measured.megabytes_per_second == pytest.approx(1.2 / measured.seconds)
    assert measured.megabytes_per_cpu_second == pytest.approx(1.2 / measured.cpu_seconds)
    assert "1.2 MB of text in memory to arrays of ids on 1 thread," in figures.speed_measured


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
    for corpus in ([], [Document("", "x")]):
        comparison = compare_vocabularies([small, larger], corpus)
        for figures in comparison.vocabularies:
            assert figures.total.tokens == figures.used == figures.renyi_efficiency == 0
            assert figures.total.bytes_per_token == 0
            assert figures.total.fertility is None


def test_lone_surrogates_are_counted_as_their_replacement(small: Tokenizer) -> None:
    figures = compare_vocabularies([small, small], [Document("a\ud800", "x")]).vocabularies[0]
    assert figures.total.text_bytes == figures.total.tokens == 4


def test_passages_are_where_tokens_are_shortest(small: Tokenizer, trained: Tokenizer) -> None:
    easy, hard, rare = "the cat sat on the mat " * 40, "qxz vkj wpb " * 40, "Ω"
    corpus = [Document(easy + hard, "a"), Document(easy, "b"), Document(rare, "c")]
    comparison = compare_vocabularies([small, trained], corpus)
    worst_of_trained = next(passage for passage in comparison.passages if 1 in passage.worst_of)
    assert set(worst_of_trained.text) <= set("qxz vkj wpb ")
    assert worst_of_trained.source == "a"
    for passage in comparison.passages:
        assert passage.script == "Latin"  # Greek is too rare to count
        assert passage.tokens[0] == passage.text_bytes == len(passage.text.encode())


def test_a_passage_is_of_the_script_that_most_of_it_is_in(small: Tokenizer) -> None:
    passages = compare_vocabularies([small], [Document("дом и мир " * 8 + "the end", "x")]).passages
    assert [passage.script for passage in passages] == ["Cyrillic"]
    corpus = [Document("中国人民" * 16 + "the cat sat on the mat. " * 30, "x")]
    scripts = [passage.script for passage in compare_vocabularies([small], corpus).passages]
    assert sorted(scripts) == ["Han", "Latin"]  # 192 bytes of Han and 64 of Latin, then Latin alone
    corpus = [Document("中国人民" * 40 + "the end", "x")]
    scripts = [passage.script for passage in compare_vocabularies([small], corpus).passages]
    assert scripts == ["Han"]


def test_every_passage_has_the_tokens_that_end_in_it(mixed: list[Document], trained: Tokenizer) -> None:
    comparison: Comparison = compare_vocabularies([trained], mixed)
    assert comparison.passages
    assert comparison.passages == sorted(comparison.passages, key=lambda one: one.text_bytes / one.tokens[0])
    for passage in comparison.passages:
        assert 128 <= passage.text_bytes < 512
        within = len(trained.encode(passage.text))
        assert abs(passage.tokens[0] - within) <= 3  # its ends may cut a pre-token or a character
