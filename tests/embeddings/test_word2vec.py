"""`train_word2vec` over shard folders: what it learns, what it writes, what it refuses."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import KeyedVectors, train_word2vec
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError
from nlpkit.text import ShardWriter
from nlpkit.tokenization import Tokenizer

Write = Callable[..., Path]


def pairs_of_worlds(sentences: int = 3000) -> list[str]:
    """Sentences about animals or about tools: within a world, any word goes with any other."""
    generator = random.Random(5)
    worlds = [["cat", "dog", "horse", "cow"], ["hammer", "saw", "drill", "wrench"]]
    return [
        " ".join(generator.choice(world) for _ in range(8))
        for world in (generator.choice(worlds) for _ in range(sentences))
    ]


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"negatives": "exact"},
        {"architecture": "cbow"},
        {"architecture": "cbow-sum"},
        {"objective": "hierarchical-softmax", "lr": 0.1},
        {"hogwild": True},
    ],
    ids=str,
)
def test_words_that_keep_company_come_close(
    write_shards: Write, tmp_path: Path, choice: dict[str, Any]
) -> None:
    shards = write_shards(pairs_of_worlds())
    vectors = train_word2vec(shards, tmp_path / "out", dim=16, sample=0, epochs=8, **choice)
    assert {word for word, _ in vectors.most_similar("cat", topn=3)} == {"dog", "horse", "cow"}
    assert {word for word, _ in vectors.most_similar("saw", topn=3)} == {"hammer", "drill", "wrench"}


def test_an_analogy_that_the_text_forces(write_shards: Write, tmp_path: Path) -> None:
    generator = random.Random(1)
    words = {"king": "royal male", "queen": "royal female", "man": "common male", "woman": "common female"}
    documents = []
    for _ in range(6000):
        word = generator.choice(list(words))
        documents.append(" ".join(generator.choices([word, *words[word].split()], k=6)))
    vectors = train_word2vec(write_shards(documents), tmp_path / "out", dim=16, sample=0, epochs=5)
    answers = vectors.most_similar(["king", "woman"], ["man"], topn=3)
    assert "queen" in [word for word, _ in answers if word in words][:1]


def test_the_folder_says_how_it_was_made(write_shards: Write, tmp_path: Path) -> None:
    documents = [*["a b c d e f"] * 5, "g g g g"]
    shards = write_shards(documents)
    trained = train_word2vec(shards, tmp_path / "out", dim=8, negative=2, epochs=3, sample=0, seed=7)
    loaded = KeyedVectors.load(tmp_path / "out")
    np.testing.assert_array_equal(trained.vectors, loaded.vectors)
    assert loaded.index_to_key == list("abcdef")  # equal counts by id, `g` too rare, no `<eos>`
    assert loaded.counts is not None
    assert loaded.counts.tolist() == [5] * 6
    expected = {"dim": 8, "negative": 2, "epochs": 3, "lr": 0.025, "seed": 7, "architecture": "skipgram"}
    assert expected.items() <= loaded.config.items()
    assert (
        loaded.config["fingerprint"] == json.loads((shards / "train/index.json").read_text())["fingerprint"]
    )
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(line["words"] == 30 and line["loss"] > 0 for line in lines)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(
    write_shards: Write, tmp_path: Path
) -> None:
    shards = write_shards(pairs_of_worlds(300))
    content = set()
    for threads in (1, 2, 4):
        train_word2vec(shards, tmp_path / "out", dim=10, threads=threads)
        content.add((tmp_path / "out/vectors.npy").read_bytes())
    train_word2vec(shards, tmp_path / "out", dim=10, seed=2)
    assert len(content) == 1
    assert (tmp_path / "out/vectors.npy").read_bytes() not in content


def test_shard_files_may_end_anywhere(write_shards: Write, tmp_path: Path) -> None:
    documents = pairs_of_worlds(200)
    whole = train_word2vec(write_shards(documents), tmp_path / "a", dim=8)
    cut = train_word2vec(write_shards(documents, "cut", shard_tokens=7), tmp_path / "b", dim=8)
    assert whole.vectors.tobytes() == cut.vectors.tobytes()


def test_bpe_tokens_get_vectors_too(tmp_path: Path) -> None:
    text = "the cat sat on the mat 中文 " * 40
    tokenizer = Tokenizer.train([text], vocab_size=275)
    ids = np.array([*tokenizer.encode_ordinary(text), tokenizer.eot_token])
    with ShardWriter(
        tmp_path / "shards/train", fingerprint=tokenizer.fingerprint, n_vocab=tokenizer.n_vocab
    ) as writer:
        writer.write(ids, [len(ids)], len(text.encode()))
    tokenizer.save(tmp_path / "shards/vocabulary")
    vectors = train_word2vec(tmp_path / "shards", tmp_path / "out", dim=4, negative=2, min_count=5)
    assert " cat" in vectors
    assert "<|endoftext|>" not in vectors
    assert set(vectors.tokens) <= {tokenizer.decode_single_token_bytes(int(id)) for id in ids}


# ----- refused -----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "--window must be at least 1, not 0"),
        ({"dim": 0}, "--dim must be at least 1"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"negative": 0}, "--negative must be at least 1"),
        ({"min_count": 0}, "--min-count must be at least 1"),
        ({"seed": -1}, "--seed must be at least 0"),
        ({"lr": float("nan")}, "--lr must be a number above 0, not nan"),
        ({"lr": 0.0}, "--lr must be a number above 0"),
        ({"lr": float("inf")}, "--lr must be a number above 0"),
        ({"sample": -1.0}, "--sample must be 0"),
        ({"sample": float("nan")}, "--sample must be 0"),
        ({"architecture": "glove"}, "--architecture must be skipgram or cbow or cbow-sum, not 'glove'"),
        ({"negatives": "none"}, "--negatives must be shared or exact, not 'none'"),
        ({"negative": 8}, "--negative 8 needs more than 8 words, but only 8 occur at least 5 times"),
        ({"objective": "nce"}, "--objective must be negative-sampling or hierarchical-softmax, not 'nce'"),
        ({"threads": -1}, "--threads must be 0"),
        ({"patience": -1}, "--patience must be at least 0"),
        (
            {"objective": "hierarchical-softmax", "negative": 3},
            "--negative is for negative sampling: leave it out with hierarchical-softmax",
        ),
        ({"patience": 2}, "--patience needs held-out text, but there is no .*validation"),
    ],
)
def test_options_out_of_range(
    write_shards: Write, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train_word2vec(write_shards(pairs_of_worlds(100)), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("text", "found"), [("a b c", 0), ("a a a a a b", 1)])
def test_too_few_words(write_shards: Write, tmp_path: Path, text: str, found: int) -> None:
    with pytest.raises(
        NlpkitError, match=f"Only {found} words occur at least 5 times: train on more text or lower"
    ):
        train_word2vec(write_shards([text]), tmp_path / "out")


def test_words_without_contexts(write_shards: Write, tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match="No word had another one beside it"):
        train_word2vec(write_shards([*"abcdefgh"] * 9), tmp_path / "out")


def test_shards_of_another_vocabulary(write_shards: Write, tmp_path: Path) -> None:
    one, other = write_shards(["a b c d"] * 9, "one"), write_shards(["x y z"] * 9, "other")
    (one / "train").rename(tmp_path / "train")
    (other / "train").rename(one / "train")
    with pytest.raises(VocabularyMismatchError, match="was encoded with vocabulary"):
        train_word2vec(one, tmp_path / "out")


def test_folders_that_are_no_shards(write_shards: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        train_word2vec(tmp_path / "nothing", tmp_path / "out")
    shards = write_shards(["a b c d"] * 9)
    os.truncate(shards / "train/shard_00000.bin", 10)
    with pytest.raises(CorruptFileError, match="has 10 bytes instead of 90"):
        train_word2vec(shards, tmp_path / "out")


def test_divergence_is_told_and_nothing_is_written(write_shards: Write, tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match=r"diverged in epoch 1 .*: lower --lr, which was 1e\+30"):
        train_word2vec(write_shards(pairs_of_worlds(300)), tmp_path / "out", lr=1e30)
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]


def test_a_table_too_large_for_memory(write_shards: Write, tmp_path: Path) -> None:
    """Eight words times 2^31 - 1 is past 2^31 floats; that is no limit, but the memory is."""
    with pytest.raises(NlpkitError, match=r"8 words of dimension 2147483647 take 128\.0 GiB of memory, more"):
        train_word2vec(write_shards(pairs_of_worlds(100)), tmp_path / "out", dim=2**31 - 1)


def test_progress_is_told_and_may_stop(write_shards: Write, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        assert phase == "training vectors"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_word2vec(
            write_shards(pairs_of_worlds(3000)), tmp_path / "out", dim=500, epochs=50, progress=stop
        )
    assert not (tmp_path / "out").exists()
