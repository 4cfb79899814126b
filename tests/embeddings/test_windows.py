"""Windows from shards: which words stand near which, and how often chance picks them."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import windows
from nlpkit.embeddings.windows import keep_shares, shuffled_windows
from nlpkit.embeddings.word_rows import TrainedWords, choose_words
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
    generator = np.random.default_rng(seed)
    for _, part in shuffled_windows(data, words.rows, keep, window=window, generator=generator):
        assert part.pairs == np.count_nonzero(part.contexts >= 0)
        for centre, contexts in zip(part.centres, part.contexts, strict=True):
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
    monkeypatch.setattr(windows, "TOKENS_AT_ONCE", at_once)
    _, found = pairs_of(write_shards(DOCUMENTS), 1)
    assert found == neighbours(DOCUMENTS)


def test_reaches_are_uniform(write_shards: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "TOKENS_AT_ONCE", 700)  # windows span parts
    text = " ".join(f"w{i}" for i in range(6000))
    _, found = pairs_of(write_shards([text]), 4)
    distances = Counter(abs(int(a[1:]) - int(b[1:])) for a, b in found.elements())
    assert set(distances) == {1, 2, 3, 4}
    for distance, count in distances.items():
        assert count / 12_000 == pytest.approx((4 - distance + 1) / 4, abs=0.03)


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
