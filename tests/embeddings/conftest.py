"""Small corpora as arrays and as shards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from nlpkit.text import ShardWriter
from nlpkit.tokenization import WordVocabulary


@dataclass(frozen=True)
class Corpus:
    """Ids, document offsets and what goes with them, as the core takes them."""

    ids: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint64]


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    """A random corpus of Zipf-like words; `removed` ids below n_vocab have no row."""

    def make(tokens: int, n_vocab: int = 50, documents: int = 7, removed: int = 3, seed: int = 0) -> Corpus:
        generator = np.random.default_rng(seed)
        weights = 1 / np.arange(1, n_vocab + 1)
        ids = generator.choice(n_vocab, tokens, p=weights / weights.sum()).astype(np.uint32)
        cuts = np.sort(generator.integers(0, tokens + 1, documents - 1))  # some documents may be empty
        offsets = np.array([0, *cuts, tokens], np.uint64)
        found, counts = np.unique(ids, return_counts=True)
        kept = found[removed:]
        rows = np.full(n_vocab, -1, np.int32)
        rows[kept] = np.arange(len(kept))
        return Corpus(ids, offsets, rows, counts[removed:].astype(np.uint64))

    return make


@pytest.fixture
def write_shards(tmp_path: Path) -> Callable[..., Path]:
    """Writes documents of whitespace words as `encode_corpus` does."""

    def write(
        documents: Sequence[str],
        name: str = "shards",
        min_count: int = 1,
        shard_tokens: int = 2**26,
        held_out: Sequence[str] = (),
    ) -> Path:
        vocabulary = WordVocabulary.train(documents, min_count=min_count)
        folder = tmp_path / name
        for split, texts in (("train", documents), ("validation", held_out)):
            if not texts:
                continue
            with ShardWriter(
                folder / split,
                fingerprint=vocabulary.fingerprint,
                n_vocab=vocabulary.n_vocab,
                shard_tokens=shard_tokens,
            ) as writer:
                for text in texts:
                    ids = np.array([*vocabulary.encode_ordinary(text), 1])
                    writer.write(ids, [len(ids)], len(text.encode()))
        vocabulary.save(folder / "vocabulary")
        return folder

    return write
