"""Word vectors on a plane, and pages made of them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from nlpkit.embeddings import KeyedVectors, UnknownWordError
from nlpkit.embeddings.map_page import MapWord, draw_map, map_words
from nlpkit.embeddings.projection import clusters, flatten
from nlpkit.errors import UsageError


@pytest.mark.parametrize(
    ("count", "method"),
    [(5, "the first two principal components"), (40, "t-SNE from the principal components")],
)
def test_flattened_vectors_fill_the_square_and_keep_groups_together(count: int, method: str) -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(2, 12))
    vectors = np.repeat(centres, count, axis=0) + 0.05 * generator.normal(size=(2 * count, 12))
    places, found = flatten(vectors.astype(np.float32), seed=1)
    assert found == method
    assert places.shape == (2 * count, 2)
    assert places.min() == 0
    assert places.max() == pytest.approx(1)
    gap = np.linalg.norm(places[:count].mean(axis=0) - places[count:].mean(axis=0))
    assert gap > 2 * np.linalg.norm(places[:count] - places[:count].mean(axis=0), axis=1).mean()
    again, _ = flatten(vectors.astype(np.float32), seed=1)
    np.testing.assert_array_equal(places, again)


def test_clusters_are_numbered_by_size() -> None:
    vectors = np.array([[1, 0]] * 2 + [[0, 1]] * 5, dtype=np.float32)
    assert clusters(vectors, 2, seed=1) == [1, 1, 0, 0, 0, 0, 0]
    assert sorted(clusters(vectors[:1], 8, seed=1)) == [0]


@pytest.fixture
def vectors() -> KeyedVectors:
    generator = np.random.default_rng(0)
    centres = np.repeat(generator.normal(size=(2, 12)), 30, axis=0)
    words = [f"tea{i}" for i in range(30)] + [f"rock{i}" for i in range(28)] + ["</script>", " "]
    counts = np.arange(60, 0, -1).astype(np.uint64)
    return KeyedVectors(words, (centres + 0.1 * generator.normal(size=(60, 12))).astype(np.float32), counts)


def test_the_map_shows_the_most_frequent_words(vectors: KeyedVectors) -> None:
    shown, method = map_words(vectors, most=58)
    assert "t-SNE" in method
    assert [one.word for one in shown] == vectors.index_to_key[:58]
    assert [one.occurrences for one in shown[:2]] == [60, 59]
    assert all(0 <= one.x <= 1 and 0 <= one.y <= 1 for one in shown)
    for one in shown:
        kin = [shown[place].word[0] == one.word[0] for place in one.near]
        assert sum(kin) >= len(kin) - 1


def test_the_map_shows_the_words_asked_for(vectors: KeyedVectors) -> None:
    shown, method = map_words(vectors, ["tea3", "rock1", "tea9", "tea3"])
    assert [one.word for one in shown] == ["tea3", "rock1", "tea9"]
    assert method == "the first two principal components"
    with pytest.raises(UnknownWordError, match="no vector for 'tae3': did you mean 'tea3'"):
        map_words(vectors, ["tae3", "rock1", "tea9"])
    with pytest.raises(UsageError, match="a map needs 3 words or more, not 2"):
        map_words(vectors, ["tea3", "rock1"])


def test_the_page_needs_nothing_but_itself(vectors: KeyedVectors, tmp_path: Path) -> None:
    assert draw_map(vectors, tmp_path / "map.html") == 59  # white space alone is no word to look at
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=|@import", page)
    data = re.search(r"const words = (\[.*\]);", page)
    assert data is not None
    assert "</script>" not in data.group(1)  # a word cannot end the script
    words = [MapWord(*line) for line in json.loads(data.group(1))]
    assert [one.word for one in words] == [word for word in vectors.index_to_key if word.strip()]
    again = tmp_path / "again.html"
    draw_map(vectors, again)
    assert again.read_text(encoding="utf-8") == page


def test_pictures(vectors: KeyedVectors, tmp_path: Path) -> None:
    draw_map(vectors, tmp_path / "map.png", ["tea3", "rock1", "tea9"])
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"map.gif: give a name that ends in .html or .png"):
        draw_map(vectors, tmp_path / "map.gif")
