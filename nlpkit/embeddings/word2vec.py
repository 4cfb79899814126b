"""Training word2vec over token shards: what is trained, with what, and the folder that comes out.

The loops are in `csrc/word2vec/`; docs/embeddings.md states the algorithm and where it differs from the C
code of 2013, gensim and fastText.
"""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nlpkit._core import Word2Vec
from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.token_table import TokenTable
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_folder
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import TokenShards
from nlpkit.tokenization import Vocabulary, load_vocabulary

Architecture: TypeAlias = Literal["skipgram", "cbow"]
Negatives: TypeAlias = Literal["shared", "exact"]

DEFAULT_LR = {"skipgram": 0.025, "cbow": 0.05}
"""The 2013 C code's."""

PHASE = "training vectors"

COUNT_AT_ONCE = 2**20  # ids


@dataclass(frozen=True, slots=True)
class Word2VecOptions:
    """The hyper-parameters, as `config.json` records them.

    Defaults are those of the 2013 C code but for skip-gram as the architecture (its own advice for quality)
    and shared negatives (as good, and twice as fast).
    """

    dim: int = 100
    window: int = 5
    negative: int = 5
    epochs: int = 5
    lr: float | None = None
    sample: float = 1e-3
    min_count: int = 5
    architecture: Architecture = "skipgram"
    negatives: Negatives = "shared"
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (
            ("dim", 1),
            ("window", 1),
            ("negative", 1),
            ("epochs", 1),
            ("min_count", 1),
            ("seed", 0),
        ):
            if not least <= getattr(self, name) < 2**31:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} must be at least {least}, not {getattr(self, name)}.")
        if self.architecture not in get_args(Architecture):
            raise UsageError(f"--architecture must be skipgram or cbow, not {self.architecture!r}.")
        if self.negatives not in get_args(Negatives):
            raise UsageError(f"--negatives must be shared or exact, not {self.negatives!r}.")
        if not (math.isfinite(self.first_lr) and self.first_lr > 0):
            raise UsageError(f"--lr must be a number above 0, not {self.lr}.")
        if not (math.isfinite(self.sample) and self.sample >= 0):
            raise UsageError(f"--sample must be 0 (keep every word) or above, not {self.sample}.")

    @property
    def first_lr(self) -> float:
        """The learning rate at the start."""
        return DEFAULT_LR[self.architecture] if self.lr is None else self.lr


@dataclass(frozen=True, slots=True)
class TrainedWords:
    """Which ids get a vector: `ids` and `counts` by row, in falling count; `rows` by id, -1 for none."""

    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int32]


def train_word2vec(
    shards: str | Path,
    out: str | Path,
    *,
    dim: int = 100,
    window: int = 5,
    negative: int = 5,
    epochs: int = 5,
    lr: float | None = None,
    sample: float = 1e-3,
    min_count: int = 5,
    architecture: Architecture = "skipgram",
    negatives: Negatives = "shared",
    seed: int = 1,
    threads: int = 0,
    hogwild: bool = False,
    progress: ProgressCallback = no_progress,
) -> KeyedVectors:
    """Train word vectors over `shards/train` and write them to the folder `out`.

    Args:
        shards: a folder of `encode_corpus`; its vocabulary names the rows.
        out: the folder to write; replaced as a whole once training ends.
        dim: the vectors' dimension.
        window: the greatest distance of a context; each centre draws its own from 1 to `window`.
        negative: noise words for each observed one, drawn with the power 0.75 of their counts.
        epochs: passes over the corpus.
        lr: the learning rate at the start; it falls linearly to 1e-4 of that. 0.025, or 0.05 for CBOW.
        sample: a word whose share f of all words is above this is kept with probability
            sqrt(sample / f) + sample / f; 0 keeps every word.
        min_count: words that occur less often get no vector and take no place in a window.
        architecture: "skipgram", or "cbow" (the mean of the contexts predicts the centre).
        negatives: "shared" draws them once for a centre, "exact" for each of its contexts, as C does;
            CBOW has one prediction a centre, so both are the same there.
        seed: fixes every random choice.
        threads: how many to use; 0 is all that this process may run on. Does not change the result.
        hogwild: let threads update the same rows without locks: fastest, but no two runs are equal.
        progress: called with the tokens done.

    Returns:
        The vectors, memory-mapped from `out`. `metrics.jsonl` there holds each epoch's mean loss.

    Raises:
        UsageError: an option is out of range, or `shards` is no such folder.
        NlpkitError: there are too few words, or training diverged.
        VocabularyMismatchError: the shards were made with another vocabulary than the one beside them.
    """
    if threads < 0:
        raise UsageError(f"--threads must be 0 (all) or above, not {threads}.")
    options = Word2VecOptions(
        dim, window, negative, epochs, lr, sample, min_count, architecture, negatives, seed
    )
    folder = Path(shards)
    vocabulary = load_vocabulary(folder / "vocabulary")
    data = TokenShards(folder / "train", fingerprint=vocabulary.fingerprint)
    words = choose_words(data, vocabulary, min_count)
    _check_enough(words, options)
    with atomic_folder(Path(out)) as temporary:
        model = _train_epochs(data, words, options, threads, hogwild, progress, temporary / "metrics.jsonl")
        tokens = TokenTable.build(vocabulary.decode_single_token_bytes(int(id)) for id in words.ids)
        config = {"fingerprint": vocabulary.fingerprint, **asdict(options), "lr": options.first_lr}
        KeyedVectors(tokens, model.input, words.counts, config=config).write_files(temporary)
    return KeyedVectors.load(out)


def choose_words(data: TokenShards, vocabulary: Vocabulary, min_count: int) -> TrainedWords:
    """The ids that occur at least `min_count` times and stand for text, by falling count, then by id."""
    counts = np.zeros(vocabulary.n_vocab, np.int64)
    for start in range(0, len(data), COUNT_AT_ONCE):
        part = data.read(start, min(len(data), start + COUNT_AT_ONCE))
        if int(part.max()) >= len(counts):
            raise CorruptFileError(
                f"{data.folder} holds id {int(part.max())}, past its vocabulary: encode it again."
            )
        counts += np.bincount(part, minlength=len(counts))
    ids = np.flatnonzero(counts >= min_count)
    ids = ids[[not vocabulary.is_special_token(int(id)) for id in ids]] if len(ids) else ids
    ids = ids[np.lexsort((ids, -counts[ids]))]
    rows = np.full(len(counts), -1, np.int32)
    rows[ids] = np.arange(len(ids), dtype=np.int32)
    return TrainedWords(ids, counts[ids].astype(np.uint64), rows)


def _check_enough(words: TrainedWords, options: Word2VecOptions) -> None:
    found = len(words.ids)
    if found < 2:
        raise NlpkitError(
            f"Only {found} words occur at least {options.min_count} times: train on more text or lower "
            "--min-count."
        )
    if options.negative >= found:
        raise UsageError(
            f"--negative {options.negative} needs more than {options.negative} words, but only {found} occur "
            f"at least {options.min_count} times: lower --negative or --min-count."
        )


def _train_epochs(
    data: TokenShards,
    words: TrainedWords,
    options: Word2VecOptions,
    threads: int,
    hogwild: bool,
    progress: ProgressCallback,
    metrics: Path,
) -> Word2Vec:
    model = Word2Vec(
        words.counts,
        dim=options.dim,
        window=options.window,
        negative=options.negative,
        epochs=options.epochs,
        lr=options.first_lr,
        sample=options.sample,
        architecture=options.architecture,
        negatives=options.negatives,
        seed=options.seed,
    )
    shards = list(_shard_arrays(data))
    predictions = 0
    for epoch in range(options.epochs):
        started = time.perf_counter()
        statistics = model.train_epoch(
            shards,
            data.document_offsets,
            words.rows,
            epoch=epoch,
            threads=threads,
            hogwild=hogwild,
            progress=partial(progress, PHASE),
        )
        progress(PHASE, (epoch + 1) * len(data), options.epochs * len(data))
        seconds = time.perf_counter() - started
        predictions += statistics.predictions
        loss = statistics.loss / max(1, statistics.predictions)
        if not math.isfinite(loss):
            raise NlpkitError(
                f"Training diverged in epoch {epoch + 1} (its loss is no number): lower --lr, which was "
                f"{options.first_lr}."
            )
        line = {
            "epoch": epoch + 1,
            "loss": loss,
            "predictions": statistics.predictions,
            "words": statistics.words,
            "kept": statistics.kept,
            "seconds": seconds,
            "words_per_second": statistics.words / max(seconds, 1e-9),
        }
        with metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    if predictions == 0:
        raise NlpkitError(
            "No word had another one beside it: use documents of several words, or raise --sample, which "
            "thins out frequent words."
        )
    return model


def _shard_arrays(data: TokenShards) -> Iterator[npt.NDArray[Any]]:
    """Each shard file's ids: a view of the file, not a copy."""
    start = 0
    for shard in data.index.shards:
        yield np.asarray(data.read(start, start + shard.tokens))
        start += shard.tokens
