"""Windows from shards: which words stand near which, and how often chance picks them."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import windows
from nlpkit.embeddings.training_corpus import TrainedWords, choose_words
from nlpkit.embeddings.windows import WindowReader, keep_shares
from nlpkit.text import TokenShards
from nlpkit.tokenization import load_vocabulary


def pairs_of(
    folder: Path, window: int, keep: Any = None, seed: int = 0
) -> tuple[TrainedWords, Counter[tuple[str, str]]]:
    vocabulary = load_vocabulary(folder / "vocabulary")
    data = TokenShards(folder / "train")
    words = choose_words(data, vocabulary, 1)
    names = [vocabulary.decode([int(id)]).strip() for id in words.ids]
    found: Counter[tuple[str, str]] = Counter()
    keep = np.ones(len(names)) if keep is None else keep
    for part in WindowReader(data, words.rows, keep, window).parts([seed]):
        for centre, contexts in zip(part.windows.centres, part.windows.contexts, strict=True):
            found.update((names[centre], names[context]) for context in contexts if context >= 0)
    return words, found


def neighbours(documents: Sequence[str]) -> Counter[tuple[str, str]]:
    """All pairs at distance one, both ways round."""
    found: Counter[tuple[str, str]] = Counter()
    for text in documents:
        words = text.split()
        for first, second in pairwise(words):
            found.update([(first, second), (second, first)])
    return found


DOCUMENTS = ["a b c d e f", "g", "h i j a b", "k l"]


@pytest.mark.parametrize("at_once", [1, 2, 5, 1000])
def test_every_pair_within_a_document(
    write_shards: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(windows, "PART_TOKENS", at_once)
    _, found = pairs_of(write_shards(DOCUMENTS), 1)
    assert found == neighbours(DOCUMENTS)


def test_reaches_are_uniform(write_shards: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PART_TOKENS", 700)  # windows span parts
    text = " ".join(f"w{i}" for i in range(6000))
    _, found = pairs_of(write_shards([text]), 4)
    distances = Counter(abs(int(a[1:]) - int(b[1:])) for a, b in found.elements())
    assert set(distances) == {1, 2, 3, 4}
    for distance, count in distances.items():
        assert count / 12_000 == pytest.approx((4 - distance + 1) / 4, abs=0.03)


@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_reading_may_begin_at_any_part(
    write_shards: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(windows, "PART_TOKENS", at_once)
    folder = write_shards(DOCUMENTS)
    data = TokenShards(folder / "train")
    words = choose_words(data, load_vocabulary(folder / "vocabulary"), 1)
    reader = WindowReader(data, words.rows, np.full(len(words), 0.7), 2)
    whole = list(reader.parts([3]))
    for begin in range(0, len(data), at_once):
        end = min(len(data), begin + 2 * at_once)
        expected = [part for part in whole if begin <= part.begin < end]
        found = list(reader.parts([3], begin, end))
        assert [(part.begin, part.end, part.words, part.kept) for part in found] == [
            (part.begin, part.end, part.words, part.kept) for part in expected
        ]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.windows.centres, other.windows.centres)
            np.testing.assert_array_equal(one.windows.contexts, other.windows.contexts)
    assert sum(part.words for part in whole) == 14
    assert 0 < sum(part.kept for part in whole) < 14


def test_words_are_thinned_out_before_windows(write_shards: Callable[..., Path]) -> None:
    folder = write_shards(["a b c"])
    _, found = pairs_of(folder, 1, keep=np.array([1.0, 0.0, 1.0]))  # equal counts go by id: a, b, c
    assert found == {("a", "c"): 1, ("c", "a"): 1}


def test_shares_follow_the_formula() -> None:
    counts = np.array([900, 90, 10], np.uint64)
    shares = keep_shares(counts, 0.01)
    f = counts / 1000
    np.testing.assert_allclose(shares, np.minimum(1, np.sqrt(0.01 / f) + 0.01 / f))
    assert (keep_shares(counts, 0) == 1).all()
