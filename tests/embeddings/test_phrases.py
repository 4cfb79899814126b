"""Joining frequent pairs: the scores and joins of gensim, shards in and shards out."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nlpkit.cli.main import app
from typer.testing import CliRunner

from nlpkit.embeddings import phrases as module
from nlpkit.embeddings import train_word2vec
from nlpkit.embeddings.phrases import join_phrases
from nlpkit.errors import NlpkitError, UsageError
from nlpkit.text import TokenShards
from nlpkit.tokenization import Tokenizer, WordVocabulary, load_vocabulary

Write = Callable[..., Path]


def word2phrase_score(
    worda_count: float,
    wordb_count: float,
    bigram_count: float,
    len_vocab: float,
    min_count: float,
    corpus_word_count: float,
) -> float:
    """The 2013 C code's, as a scorer for gensim (whose own multiplies by the vocabulary's size)."""
    return (bigram_count - min_count) / worda_count / wordb_count * corpus_word_count


def sentences(count: int = 400) -> list[str]:
    """Zipf-like words, with some that come together, and runs of them."""
    generator = random.Random(3)
    words = [f"w{i}" for i in range(200)]
    weights = [1 / (i + 1) for i in range(200)]
    fixed = ["new york", "new york city", "los angeles", "san francisco bay area", "ping pong ping pong ping"]
    texts = []
    for _ in range(count):
        parts = generator.choices(words, weights, k=12)
        parts[generator.randrange(12)] = generator.choice(fixed)
        texts.append(" ".join(parts))
    return texts


def read(folder: Path, split: str = "train") -> list[str]:
    vocabulary = load_vocabulary(folder / "vocabulary")
    data = TokenShards(folder / split, fingerprint=vocabulary.fingerprint)
    return [vocabulary.decode(data.document(i).tolist()) for i in range(data.index.documents)]


@pytest.mark.parametrize(("delta", "threshold"), [(5, 20.0), (1, 5.0), (20, 1.0)])
def test_scores_and_joins_are_gensims(
    write_shards: Write, tmp_path: Path, delta: int, threshold: float
) -> None:
    gensim = pytest.importorskip("gensim.models.phrases")
    texts = sentences()
    split = [text.split() for text in texts]
    theirs = gensim.Phrases(split, min_count=delta, threshold=threshold, scoring=word2phrase_score)
    ours = join_phrases(write_shards(texts), tmp_path / "out", delta=delta, threshold=threshold)
    scores = {one.text: one.score for one in ours}
    expected = theirs.export_phrases()
    assert scores.keys() == expected.keys()
    assert len(scores) > 3
    assert all(scores[name] == pytest.approx(expected[name], rel=1e-12) for name in scores)
    assert read(tmp_path / "out") == [" ".join([*theirs[words], "<eos>"]) for words in split]


def test_two_passes_make_longer_phrases(write_shards: Write, tmp_path: Path) -> None:
    found = join_phrases(write_shards(sentences()), tmp_path / "out", threshold=20, passes=2)
    names = [one.text for one in found]
    assert "san_francisco" in names
    assert "san_francisco_bay_area" in names
    assert "san_francisco_bay_area" in " ".join(read(tmp_path / "out"))
    vocabulary = load_vocabulary(tmp_path / "out/vocabulary")
    assert isinstance(vocabulary, WordVocabulary)
    assert "angeles" not in vocabulary.tokens  # never alone
    counts = Counter(word for text in read(tmp_path / "out") for word in text.split())
    assert dict(zip(vocabulary.tokens[1:], vocabulary.counts[1:].tolist(), strict=True)) == counts
    assert vocabulary.counts[2:].tolist() == sorted(vocabulary.counts[2:].tolist(), reverse=True)


def test_parts_of_the_corpus_make_no_difference(
    write_shards: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = write_shards(sentences(), held_out=["go to new york", "nothing here"], shard_tokens=100)
    whole = join_phrases(shards, tmp_path / "whole", threshold=20, passes=2)
    monkeypatch.setattr(module, "IDS_AT_ONCE", 37)
    assert join_phrases(shards, tmp_path / "parts", threshold=20, passes=2) == whole
    for split in ("train", "validation"):
        assert read(tmp_path / "whole", split) == read(tmp_path / "parts", split)
    assert read(tmp_path / "whole", "validation") == ["<unk> <unk> new_york <eos>", "<unk> <unk> <eos>"]
    index = [TokenShards(folder / "train").index for folder in (shards, tmp_path / "whole")]
    assert index[0].text_bytes == index[1].text_bytes


def test_a_phrase_that_is_a_word_already(write_shards: Write, tmp_path: Path) -> None:
    texts = [*["x new york y", "a b c d e f"] * 30, *["z new_york z"] * 3]
    join_phrases(write_shards(texts), tmp_path / "out", threshold=2)
    vocabulary = load_vocabulary(tmp_path / "out/vocabulary")
    assert isinstance(vocabulary, WordVocabulary)
    assert vocabulary.tokens.count("new_york") <= 1
    assert " ".join(read(tmp_path / "out")).count("new_york") >= 3


def test_unknown_words_and_documents_bound_phrases(write_shards: Write, tmp_path: Path) -> None:
    texts = [*["rare one two", "one", "two one"] * 20, "b b b b b b b b"]
    join_phrases(write_shards(texts, min_count=21), tmp_path / "out", delta=0, threshold=0.1)
    assert all("<unk>_" not in text and "_<" not in text for text in read(tmp_path / "out"))


def test_vectors_of_phrases(write_shards: Write, tmp_path: Path) -> None:
    join_phrases(write_shards(sentences()), tmp_path / "joined", threshold=20)
    vectors = train_word2vec(tmp_path / "joined", tmp_path / "vectors", dim=8, epochs=1)
    assert "new_york" in vectors


def test_the_command_lists_and_writes(write_shards: Write, tmp_path: Path) -> None:
    arguments = ["embeddings", "phrases", str(write_shards(sentences())), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--threshold", "20", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {"los_angeles", "new_york"} <= {line["phrase"] for line in found}
    assert found == sorted(found, key=lambda line: -line["score"])


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"delta": -1}, UsageError, "--delta must be 0 or above, not -1"),
        ({"threshold": 0.0}, UsageError, "--threshold must be above 0"),
        ({"threshold": float("nan")}, UsageError, "--threshold must be above 0"),
        ({"passes": 0}, UsageError, "--passes must be at least 1"),
        ({"threshold": 1e9}, NlpkitError, "No pair of words scores 1e.09: lower --threshold"),
    ],
)
def test_refused(
    write_shards: Write, tmp_path: Path, options: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        join_phrases(write_shards(sentences(50)), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_phrases_are_of_words(tmp_path: Path, write_shards: Write) -> None:
    shards = write_shards(sentences(50))
    Tokenizer.train(["some text to learn from"], vocab_size=260).save(shards / "vocabulary")
    with pytest.raises(UsageError, match="holds no words: make its vocabulary with"):
        join_phrases(shards, tmp_path / "out")
