"""Analogies and word pairs, against gensim and by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import KeyedVectors
from nlpkit.errors import CorruptFileError, UsageError

WORDS = ["king", "man", "Woman", "queen", "woman", "apple", "KING", "pear"]


@pytest.fixture
def vectors() -> KeyedVectors:
    table = np.random.default_rng(3).normal(size=(8, 4)).astype(np.float32)
    man, woman, royal = np.eye(4, dtype=np.float32)[:3]
    table[[0, 1, 2, 3]] = [man + royal, man, woman, woman + royal]
    return KeyedVectors(WORDS, table)


@pytest.fixture
def analogies(tmp_path: Path) -> Path:
    path = tmp_path / "analogies.txt"
    path.write_text(
        ": royal\nman king woman queen\nMan King Woman Queen\nman queen woman king\n"
        ": fruit\napple pear king pear\napple banana king pear\n\n: empty\n"
    )
    return path


def as_gensim(vectors: KeyedVectors) -> Any:
    models = pytest.importorskip("gensim.models", reason="gensim (the group bench) is not installed")
    peer = models.KeyedVectors(vectors.vector_size)
    peer.add_vectors(vectors.index_to_key, vectors.vectors)
    return peer


def test_analogies_by_hand(vectors: KeyedVectors, analogies: Path) -> None:
    score, sections = vectors.evaluate_word_analogies(analogies)
    royal, fruit, total = sections
    assert royal["section"] == "royal"
    assert royal["correct"] == [("MAN", "KING", "WOMAN", "QUEEN")] * 2
    assert royal["incorrect"] == [("MAN", "QUEEN", "WOMAN", "KING")]
    assert (fruit["correct"], fruit["incorrect"]) == ([], [("APPLE", "PEAR", "KING", "PEAR")])
    assert total["section"] == "Total accuracy"
    assert score == 2 / 4


@pytest.mark.parametrize(
    "options",
    [{}, {"case_insensitive": False}, {"dummy4unknown": True}, {"restrict_vocab": 4}],
    ids=str,
)
def test_analogies_as_gensim(vectors: KeyedVectors, analogies: Path, options: dict[str, Any]) -> None:
    ours, sections = vectors.evaluate_word_analogies(analogies, **options)
    theirs, their_sections = as_gensim(vectors).evaluate_word_analogies(str(analogies), **options)
    assert ours == pytest.approx(theirs)
    assert len(sections[-1]["correct"]) == len(their_sections[-1]["correct"])


def test_pairs_as_gensim(vectors: KeyedVectors, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "word1\tword2\tscore\n# a remark\nking\tqueen\t9\nman\tapple\t1.5\nPear\tapple\t7\nnix\tman\t3\n"
    )
    for options in ({}, {"case_insensitive": False}, {"dummy4unknown": True}):
        pearson, spearman, unknown = vectors.evaluate_word_pairs(path, **options)
        theirs = as_gensim(vectors).evaluate_word_pairs(str(path), **options)
        np.testing.assert_allclose(pearson, [theirs[0].statistic, theirs[0].pvalue], atol=1e-6)
        np.testing.assert_allclose(spearman, [theirs[1].statistic, theirs[1].pvalue], atol=1e-6)
        assert unknown == pytest.approx(theirs[2])


def test_perfect_agreement(tmp_path: Path) -> None:
    angles = np.linspace(0, 1.5, 6)
    table = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vectors = KeyedVectors(list("abcdef"), table)
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"a\t{word}\t{10 - i}\n" for i, word in enumerate("bcdef")))
    _, (spearman, _), unknown = vectors.evaluate_word_pairs(path)
    assert (spearman, unknown) == (pytest.approx(1), 0)


def test_malformed_files_name_the_line(vectors: KeyedVectors, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(": s\nking man queen\n")
    with pytest.raises(CorruptFileError, match=r"bad.txt, line 2: 3 words instead of the four"):
        vectors.evaluate_word_analogies(path)
    path.write_text("king\tman\t1\nking man 1\n")
    with pytest.raises(CorruptFileError, match=r"bad.txt, line 2: not two words and a score"):
        vectors.evaluate_word_pairs(path)
    path.write_text("king\tman\t1\n")
    with pytest.raises(CorruptFileError, match="1 of its pairs are known"):
        vectors.evaluate_word_pairs(path)
    with pytest.raises(UsageError, match="does not exist"):
        vectors.evaluate_word_pairs(tmp_path / "none")
