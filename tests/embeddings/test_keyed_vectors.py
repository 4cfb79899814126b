"""Queries against gensim's answers; files; words that are bytes."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.embeddings import KeyedVectors, UnknownWordError
from nlpkit.errors import NlpkitError, UsageError

WORDS = [f"w{i}" for i in range(60)]


@pytest.fixture(scope="module")
def table() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(size=(60, 9)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors(table: Any) -> KeyedVectors:
    return KeyedVectors(WORDS, table)


@pytest.fixture(scope="module")
def peer(table: Any) -> Any:
    """gensim's KeyedVectors of the same table."""
    models = pytest.importorskip("gensim.models", reason="gensim (the group bench) is not installed")
    peer = models.KeyedVectors(9)
    peer.add_vectors(WORDS, table)
    return peer


def same_neighbours(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], atol=1e-6)


# ----- as gensim -----

QUERIES: list[dict[str, Any]] = [
    {"positive": "w3"},
    {"positive": ["w3"], "topn": 5},
    {"positive": ["w3", "w4", "w5"]},
    {"positive": ["w3", "w4"], "negative": ["w5"], "topn": 100},
    {"positive": ["w3"], "negative": "w7", "topn": 1},
    {"negative": ["w7"]},
    {"positive": ["w3", "w50"], "restrict_vocab": 20},
    {"positive": ["w3"], "topn": 0},
    {"positive": [("w3", 2.5), "w4"], "negative": [("w9", -0.5)]},
    {"positive": ["w3"], "clip_start": 10},
    {"positive": ["w3", "w12"], "clip_start": 10, "clip_end": 30},
    {"positive": ["w3"], "clip_start": 10, "restrict_vocab": 20},
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_most_similar(vectors: KeyedVectors, peer: Any, query: dict[str, Any]) -> None:
    same_neighbours(vectors.most_similar(**query), peer.most_similar(**query))


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # gensim's own call
@pytest.mark.parametrize("query", QUERIES[:5], ids=str)  # gensim's takes no negative alone, no restrict_vocab
def test_most_similar_cosmul(vectors: KeyedVectors, peer: Any, query: dict[str, Any]) -> None:
    same_neighbours(vectors.most_similar_cosmul(**query), peer.most_similar_cosmul(**query))


def test_all_cosines_and_an_indexer(vectors: KeyedVectors, peer: Any) -> None:
    ours = vectors.most_similar(["w3"], ["w4"], topn=None, clip_start=5)
    np.testing.assert_allclose(ours, peer.most_similar(["w3"], ["w4"], topn=None, clip_start=5), atol=1e-6)

    class Indexer:
        def most_similar(self, vector: Any, num_neighbors: int) -> list[tuple[str, float]]:
            return [("found", float(vector @ vectors.get_vector("w3", norm=True)))] * num_neighbors

    asked = {"positive": ["w3"], "topn": 2, "indexer": Indexer()}
    assert vectors.most_similar(**asked) == [("found", pytest.approx(1))] * 2
    assert peer.most_similar(**asked) == [("found", pytest.approx(1))] * 2


def test_vectors_as_queries(vectors: KeyedVectors, peer: Any) -> None:
    query = np.linspace(-1, 1, 9).astype(np.float32)
    same_neighbours(vectors.similar_by_vector(query, topn=7), peer.similar_by_vector(query, topn=7))
    same_neighbours(vectors.most_similar(query), peer.most_similar(query))
    same_neighbours(vectors.most_similar([query, "w1"], ["w2"]), peer.most_similar([query, "w1"], ["w2"]))
    same_neighbours(vectors.similar_by_word("w9", topn=3), peer.similar_by_word("w9", topn=3))
    same_neighbours(vectors.similar_by_key("w9", topn=3), peer.similar_by_key("w9", topn=3))


def test_similarities_and_distances(vectors: KeyedVectors, peer: Any) -> None:
    assert vectors.similarity("w1", "w2") == pytest.approx(peer.similarity("w1", "w2"), abs=1e-6)
    assert vectors.distance("w1", "w2") == pytest.approx(peer.distance("w1", "w2"), abs=1e-6)
    sets = (["w1", "w2", "w3"], ["w4", "w5"])
    assert vectors.n_similarity(*sets) == pytest.approx(peer.n_similarity(*sets), abs=1e-6)
    np.testing.assert_allclose(vectors.distances("w1"), peer.distances("w1"), atol=1e-6)
    np.testing.assert_allclose(vectors.distances("w1", sets[1]), peer.distances("w1", sets[1]), atol=1e-6)
    assert vectors.doesnt_match(WORDS[:7]) == peer.doesnt_match(WORDS[:7])
    assert vectors.closer_than("w1", "w2") == peer.closer_than("w1", "w2")
    assert vectors.words_closer_than("w1", "w2") == peer.closer_than("w1", "w2")
    assert vectors.most_similar_to_given("w1", WORDS[2:9]) == peer.most_similar_to_given("w1", WORDS[2:9])
    found, wanted = (one.relative_cosine_similarity("w1", "w2", topn=5) for one in (vectors, peer))
    assert found == pytest.approx(wanted, abs=1e-6)
    found, wanted = (one.cosine_similarities(vectors["w1"], vectors[WORDS[:5]]) for one in (vectors, peer))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert [vectors.rank("w1", w) for w in WORDS[2:9]] == [peer.rank("w1", w) for w in WORDS[2:9]]


@pytest.mark.parametrize("use_norm", [True, False])
def test_rank_by_centrality(vectors: KeyedVectors, peer: Any, use_norm: bool) -> None:
    ours, theirs = (one.rank_by_centrality([*WORDS[:9], "w3"], use_norm) for one in (vectors, peer))
    assert [word for _, word in ours] == [word for _, word in theirs]
    np.testing.assert_allclose([score for score, _ in ours], [score for score, _ in theirs], atol=1e-6)
    assert vectors.rank_by_centrality([*WORDS[:3], "nothing"]) == vectors.rank_by_centrality(WORDS[:3])


@pytest.mark.parametrize(
    "options",
    [{}, {"pre_normalize": False}, {"post_normalize": True}, {"weights": [1.0, -2.0, 0.5]}],
    ids=str,
)
def test_mean_vector(vectors: KeyedVectors, peer: Any, options: dict[str, Any]) -> None:
    ours, theirs = vectors.get_mean_vector(WORDS[:3], **options), peer.get_mean_vector(WORDS[:3], **options)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_lookup(vectors: KeyedVectors, peer: Any) -> None:
    assert (len(vectors), vectors.vector_size) == (len(peer), peer.vector_size)
    assert vectors.index_to_key == peer.index_to_key
    assert (vectors.get_index("w7"), vectors.get_key(7)) == (7, "w7")
    np.testing.assert_array_equal(vectors[["w1", "w2"]], peer[["w1", "w2"]])
    np.testing.assert_allclose(
        vectors.get_vector("w5", norm=True), peer.get_vector("w5", norm=True), atol=1e-7
    )
    np.testing.assert_allclose(vectors.get_normed_vectors(), peer.get_normed_vectors(), atol=1e-7)
    assert dict(vectors.key_to_index) == peer.key_to_index
    assert "nothing" not in vectors.key_to_index
    for one in (vectors, peer):
        assert one.has_index_for("w5")
        assert not one.has_index_for("nothing")
        assert one.get_index("nothing", -1) == -1
    ours, theirs = (one.vectors_for_all(["w9", "nothing", "w2", "w9"]) for one in (vectors, peer))
    assert ours.index_to_key == theirs.index_to_key == ["w9", "w2"]
    np.testing.assert_array_equal(ours.vectors, theirs.vectors)
    assert "w5" in vectors
    assert "nothing" not in vectors


# ----- beyond gensim -----


def test_cosmul_within_the_first_rows(vectors: KeyedVectors) -> None:
    everything = vectors.most_similar_cosmul(["w3", "w50"], "w4", topn=60)
    first = vectors.most_similar_cosmul(["w3", "w50"], "w4", topn=60, restrict_vocab=20)
    assert first == [(word, score) for word, score in everything if int(word[1:]) < 20]


def test_counts_are_the_one_attribute(table: Any) -> None:
    counted = KeyedVectors(WORDS, table, np.arange(60, 0, -1).astype(np.uint64))
    assert counted.get_vecattr("w3", "count") == 57
    with pytest.raises(KeyError, match="no attribute 'sample_int'"):
        counted.get_vecattr("w3", "sample_int")
    with pytest.raises(KeyError, match="no attribute 'count'"):
        KeyedVectors(WORDS, table).get_vecattr("w3", "count")


def test_many_queries_at_once(vectors: KeyedVectors) -> None:
    rows, cosines = vectors.nearest(WORDS[:7], topn=5)
    for word, found, scores in zip(WORDS, rows, cosines, strict=False):
        assert vectors.get_key(found[0]) == word
        named = [(vectors.get_key(row), score) for row, score in zip(found, scores, strict=True)]
        same_neighbours(named[1:], vectors.most_similar(word, topn=4))
    assert vectors.nearest(vectors.vectors[:2], topn=3, restrict_vocab=9)[0].max() < 9
    with pytest.raises(ValueError, match=r"queries must be \(queries, 9\), not \(2, 3\)"):
        vectors.nearest(np.ones((2, 3), np.float32))


def test_zero_rows_are_no_ones_neighbour() -> None:
    vectors = KeyedVectors(["zero", "a", "b"], np.array([[0, 0], [1, 0], [-1, 0.1]], np.float32))
    assert vectors.most_similar("a") == [("zero", 0.0), ("b", pytest.approx(-0.995, abs=1e-3))]
    assert vectors.similarity("zero", "a") == 0


def test_equal_scores_go_by_row() -> None:
    vectors = KeyedVectors(WORDS, np.ones((60, 2), np.float32))
    assert [word for word, _ in vectors.most_similar("w5", topn=4)] == ["w0", "w1", "w2", "w3"]


def test_unknown_words_suggest_known_ones() -> None:
    vectors = KeyedVectors([" the", "computer", "Paris", "house"], np.eye(4, dtype=np.float32))
    for word, suggestion in {"the": "' the'", "computr": "'computer'", "paris": "'Paris'"}.items():
        with pytest.raises(UnknownWordError, match=f"no vector for '{word}': did you mean {suggestion}"):
            vectors.most_similar(word)
    with pytest.raises(KeyError) as raised:
        vectors["zzzz"]
    assert str(raised.value) == "There is no vector for 'zzzz'."
    with pytest.raises(NlpkitError, match="None of the words"):
        vectors.doesnt_match(["x", "y"])


def test_queries_need_something_to_ask_with(vectors: KeyedVectors) -> None:
    with pytest.raises(ValueError, match="the mean of no words"):
        vectors.most_similar()
    with pytest.raises(ValueError, match="needs words that count for"):
        vectors.most_similar_cosmul(negative="w1")
    with pytest.raises(ValueError, match="2 weights do not go with 1 keys"):
        vectors.get_mean_vector(["w1"], [1, 2])


def test_tables_must_fit() -> None:
    with pytest.raises(ValueError, match="2 tokens do not go with vectors of shape"):
        KeyedVectors(["a", "b"], np.ones((3, 2)))
    with pytest.raises(ValueError, match="twice"):
        KeyedVectors(["a", "a"], np.ones((2, 2)))


# ----- files -----

ODD_TOKENS = [
    b" the",
    b"two words",
    b"line\nbreak",
    b"\xff\xfe",
    b"\xe4\xb8",
    "中文".encode(),
    b"",
    b"\x00",
    b"\t",
]


def test_any_bytes_survive_the_folder(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(len(ODD_TOKENS), 3)).astype(np.float32)
    counts = np.arange(len(ODD_TOKENS), 0, -1).astype(np.uint64)
    saved = KeyedVectors(ODD_TOKENS, table, counts, config={"fingerprint": "abc"})
    saved.save(tmp_path / "vectors")
    loaded = KeyedVectors.load(tmp_path / "vectors")
    assert list(loaded.tokens) == ODD_TOKENS
    assert loaded.index_to_key == saved.index_to_key
    np.testing.assert_array_equal(loaded.vectors, table)
    np.testing.assert_array_equal(loaded.norms, saved.norms)
    np.testing.assert_array_equal(loaded.counts, counts)
    assert loaded.config == {"fingerprint": "abc"}
    for row, key in enumerate(loaded.index_to_key):
        assert loaded.get_index(key) == row
    assert not isinstance(loaded.vectors.base, type(None))  # a view of the mapped file


def test_half_precision(tmp_path: Path, table: Any) -> None:
    KeyedVectors(WORDS, table).save(tmp_path / "half", precision="float16")
    half = KeyedVectors.load(tmp_path / "half")
    wide = KeyedVectors(WORDS, table.astype(np.float16).astype(np.float32))
    assert half.vectors.dtype == np.float16
    assert half["w3"].dtype == half[["w3", "w4"]].dtype == half.get_mean_vector(["w3"]).dtype == np.float32
    same_neighbours(half.most_similar(["w3"], ["w9"], topn=60), wide.most_similar(["w3"], ["w9"], topn=60))
    same_neighbours(half.most_similar_cosmul("w3"), wide.most_similar_cosmul("w3"))
    np.testing.assert_array_equal(half.nearest(WORDS, 4)[0], wide.nearest(WORDS, 4)[0])
    assert half.doesnt_match(WORDS[:7]) == wide.doesnt_match(WORDS[:7])
    half.save_word2vec_format(tmp_path / "half.txt")
    np.testing.assert_array_equal(KeyedVectors.load(tmp_path / "half.txt").vectors, wide.vectors)
    with pytest.raises(NlpkitError, match="infinite, or would be in this precision"):
        KeyedVectors(WORDS, table * 1e5).save(tmp_path / "huge", precision="float16")
    assert not (tmp_path / "huge").exists()


@settings(max_examples=30, deadline=None)
@given(st.sets(st.binary(max_size=4), max_size=80), st.binary(max_size=4))
def test_every_token_is_found_and_no_other(tokens: set[bytes], other: bytes) -> None:
    from nlpkit.embeddings.token_table import TokenTable

    table = TokenTable.build(tokens)
    assert [table.row(token) for token in table] == list(range(len(tokens)))
    assert (table.row(other) is None) == (other not in tokens)


def test_tokens_of_equal_hash_are_told_apart() -> None:
    from zlib import crc32

    from nlpkit.embeddings.token_table import TokenTable

    pair = [b"plumless", b"buckeroo"]  # a known collision of CRC-32
    assert crc32(pair[0]) == crc32(pair[1])
    table = TokenTable.build(pair)
    assert [table.row(token) for token in pair] == [0, 1]


def test_loading_is_refused_in_one_sentence(tmp_path: Path, vectors: KeyedVectors) -> None:
    with pytest.raises(UsageError, match=r"is no folder of vectors \(it has no config.json\)"):
        KeyedVectors.load(tmp_path)
    KeyedVectors(WORDS, vectors.vectors, np.arange(60, 0, -1).astype(np.uint64)).save(tmp_path / "good")

    def broken(change: Callable[[Path], object]) -> str:
        folder = tmp_path / "broken"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "good", folder)
        change(folder)
        with pytest.raises(NlpkitError) as raised:
            KeyedVectors.load(folder)
        return f"{type(raised.value).__name__}: {raised.value}"

    def cut(name: str) -> Callable[[Path], object]:
        return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-8])

    for name in ("vectors", "norms", "counts", "tokens", "token_offsets", "token_index"):
        assert "CorruptFileError" in broken(cut(f"{name}.npy"))
        assert "CorruptFileError" in broken(lambda folder, name=name: (folder / f"{name}.npy").unlink())
    assert "do not fit" in broken(lambda folder: np.save(folder / "norms.npy", np.ones(3, np.float32)))
    assert "do not fit" in broken(
        lambda folder: np.save(folder / "token_offsets.npy", np.ones(61, np.uint64))
    )
    other = {"format": "nlpkit-shards", "version": 1}
    assert "UsageError" in broken(lambda folder: (folder / "config.json").write_text(json.dumps(other)))
    later = {"format": "nlpkit-vectors", "version": 99}
    assert "version 99" in broken(lambda folder: (folder / "config.json").write_text(json.dumps(later)))
    assert "not valid JSON" in broken(lambda folder: (folder / "config.json").write_text("{"))


def test_queries_load_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys, numpy as np; from nlpkit.embeddings import KeyedVectors;"
        "KeyedVectors(['a', 'b'], np.eye(2)).most_similar('a');"
        "print([m for m in ('torch', 'sklearn', 'scipy', 'matplotlib', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
