"""Training by torch end to end: folders, equal runs, words made of pieces, and errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import KeyedVectors, UnknownWordError, train_word2vec
from nlpkit.embeddings.composition import PieceTable
from nlpkit.embeddings.sampled_training import train_sampled_vectors
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.tokenization import Tokenizer, load_vocabulary


def topics(words: int = 12_000) -> list[str]:
    """Documents of one of two topics, whose words never meet."""
    generator = np.random.default_rng(0)
    names = [[f"tea{i}" for i in range(20)], [f"rock{i}" for i in range(20)]]
    return [" ".join(generator.choice(names[i % 2], 60)) for i in range(words // 60)]


def purity(vectors: KeyedVectors) -> float:
    """The share of the five nearest words that are of the word's own topic."""
    near = [
        other[0] == word[0]
        for word in vectors.index_to_key
        for other, _ in vectors.most_similar(word, topn=5)
    ]
    return float(np.mean(near))


OPTIONS: dict[str, Any] = {"dim": 16, "min_count": 1, "epochs": 3, "sample": 0.0, "batch": 128}


@pytest.mark.parametrize("objective", ["negative-sampling", "nce", "sampled-softmax", "infonce"])
def test_every_objective_finds_the_topics(
    write_shards: Callable[..., Path], tmp_path: Path, objective: Any
) -> None:
    vectors = train_sampled_vectors(
        write_shards(topics()), tmp_path / "out", objective=objective, **(OPTIONS | {"epochs": 6})
    )
    assert purity(vectors) > 0.85  # by chance 0.49
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert ("mi_nats" in lines[0]) == (objective == "infonce")
    assert vectors.config["objective"] == objective


def test_negative_sampling_ends_where_the_compiled_trainer_does(
    write_shards: Callable[..., Path], tmp_path: Path
) -> None:
    shards = write_shards(topics(24_000))
    common = OPTIONS | {"epochs": 6}
    del common["batch"]
    train_word2vec(shards, tmp_path / "compiled", **common)
    vectors = train_sampled_vectors(
        shards, tmp_path / "torch", objective="negative-sampling", batch=64, lr=0.05, **common
    )
    last = [
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1])
        for name in ("compiled", "torch")
    ]
    assert last[0]["predictions"] == pytest.approx(last[1]["predictions"], rel=0.02)
    assert last[0]["loss"] == pytest.approx(last[1]["loss"], rel=0.02)
    assert purity(vectors) == purity(KeyedVectors.load(tmp_path / "compiled")) == 1


def test_runs_are_equal_and_seeds_differ(write_shards: Callable[..., Path], tmp_path: Path) -> None:
    shards = write_shards(topics(1200))
    first, again, other = (
        train_sampled_vectors(shards, tmp_path / name, seed=seed, **OPTIONS).vectors.tobytes()
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first == again
    assert first != other


# ----- words made of pieces -----


@pytest.fixture
def composed(write_shards: Callable[..., Path], tmp_path: Path) -> KeyedVectors:
    shards = write_shards(topics(2400))
    Tokenizer.train(topics(2400), vocab_size=270).save(tmp_path / "bpe")
    return train_sampled_vectors(shards, tmp_path / "composed", pieces=tmp_path / "bpe", **OPTIONS)


def test_words_never_seen_have_vectors(composed: KeyedVectors, tmp_path: Path) -> None:
    assert composed.pieces is not None
    assert "tearock" in composed
    assert not composed.has_index_for("tearock")
    ids = load_vocabulary(tmp_path / "bpe").encode_ordinary(" tearock")
    rows = composed.pieces.vectors[ids]
    np.testing.assert_allclose(composed["tearock"], rows[rows.any(axis=1)].mean(0), atol=1e-6)
    assert composed.most_similar("tea", topn=3)[0][0].startswith("tea")
    assert composed.similarity("tea", "tea3") > composed.similarity("tea", "rock3")
    assert composed.most_similar(["tea3", "teateas"], ["rock1"], topn=2)
    assert "tea3" in composed.closer_than("tea", "rock3")
    with pytest.raises(UnknownWordError):
        composed.get_index("tearock")
    with pytest.raises(UnknownWordError, match="no vector for '中'"):
        composed["中"]  # no word has its bytes


def test_composed_vectors_are_kept_whole(composed: KeyedVectors, tmp_path: Path) -> None:
    composed.save(tmp_path / "copy", precision="float16")
    copy = KeyedVectors.load(tmp_path / "copy")
    np.testing.assert_allclose(copy["tearock"], composed["tearock"], atol=1e-6)
    assert copy.config == composed.config
    np.save(tmp_path / "copy" / "pieces.npy", np.zeros((3, 16), np.float32))
    with pytest.raises(CorruptFileError, match="pieces do not fit their vocabulary"):
        KeyedVectors.load(tmp_path / "copy")


def test_words_from_a_tokenizers_own_vectors() -> None:
    tokenizer = Tokenizer.train(["茶馆里的茶客喝茶"] * 20, vocab_size=270, min_count=2)
    table = np.random.default_rng(0).normal(size=(tokenizer.n_vocab, 5)).astype(np.float32)
    pieces = PieceTable(tokenizer, table, prefix="")
    found = pieces.vector("茶客茶馆")
    assert found is not None
    np.testing.assert_allclose(found, table[tokenizer.encode_ordinary("茶客茶馆")].mean(0), atol=1e-6)
    with pytest.raises(ValueError, match="5 vectors do not go with 270 ids"):
        PieceTable(tokenizer, table[:5])


def test_bad_input_is_one_sentence(write_shards: Callable[..., Path], tmp_path: Path) -> None:
    shards = write_shards(["one two three four"])
    for options, kind, message in (
        ({"min_count": 5}, NlpkitError, "Only 0 words occur at least 5 times"),
        ({"min_count": 1, "device": "quantum"}, UsageError, "--device quantum: this torch cannot use it"),
        (
            {"min_count": 1, "objective": "sampled-softmax", "negative": 9},
            UsageError,
            "--negative 9 needs more than 9 words",
        ),
        ({"patience": 2}, UsageError, "--patience needs held-out text"),
        ({"threads": -1}, UsageError, "--threads must be 0"),
        (
            {"min_count": 1, "lr": 1e38, "epochs": 30, "sample": 0.0},
            NlpkitError,
            "Training diverged in epoch",
        ),
    ):
        with pytest.raises(kind, match=message):
            train_sampled_vectors(shards, tmp_path / "out", **options)  # type: ignore[arg-type]
    alone = write_shards(["one"] * 9 + ["two"] * 9, name="alone")
    with pytest.raises(NlpkitError, match="No word had another one beside it"):
        train_sampled_vectors(alone, tmp_path / "out", min_count=1)
    assert not (tmp_path / "out").exists()
