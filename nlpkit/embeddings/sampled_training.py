"""Training skip-gram by torch: other objectives than the compiled trainer's, words made of pieces, GPUs."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nlpkit.embeddings.composition import Bags, PieceTable, bags_with_own_rows
from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.skip_gram import Objective, SampledOptions, SkipGram
from nlpkit.embeddings.token_table import TokenTable
from nlpkit.embeddings.windows import Windows, keep_shares, shuffled_windows
from nlpkit.embeddings.word2vec import PHASE
from nlpkit.embeddings.word_rows import TrainedWords, choose_words
from nlpkit.errors import NlpkitError, UsageError
from nlpkit.files import atomic_folder
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import TokenShards
from nlpkit.tokenization import Vocabulary, WordVocabulary, load_vocabulary

LEAST_LR = 1e-4
"""Of the learning rate at the start, as in the 2013 C code."""


def train_sampled_vectors(
    shards: str | Path,
    out: str | Path,
    *,
    objective: Objective = "nce",
    dim: int = 100,
    window: int = 5,
    negative: int | None = None,
    epochs: int = 5,
    lr: float = 0.2,
    sample: float = 1e-3,
    min_count: int = 5,
    temperature: float = 0.1,
    batch: int = 1024,
    pieces: str | Path | None = None,
    device: str = "cpu",
    seed: int = 1,
    progress: ProgressCallback = no_progress,
) -> KeyedVectors:
    """Train skip-gram vectors over `shards/train` by an objective of choice, and write them to `out`.

    Args:
        shards: a folder of `encode_corpus`; its vocabulary names the rows.
        out: the folder to write; replaced as a whole once training ends.
        objective: what becomes of the scores of a word and its contexts: "negative-sampling" (as
            `train_word2vec`, which is many times as fast on a CPU), "nce" (scores become log-probabilities),
            "sampled-softmax", or "infonce" (cosines divided by `temperature`).
        dim: the vectors' dimension.
        window: the greatest distance of a context; each centre draws its own from 1 to `window`.
        negative: noise words, drawn by count^0.75: for each pair (negative sampling; 5) or each batch (the
            others; half the words, 512 at most). Sampled softmax draws distinct ones.
        epochs: passes over the corpus.
        lr: AdaGrad's learning rate at the start; it falls linearly to 1e-4 of that.
        sample: a word whose share f of all words is above this is kept with probability
            sqrt(sample / f) + sample / f; 0 keeps every word.
        min_count: words that occur less often get no vector and take no place in a window.
        temperature: of "infonce".
        batch: centres in a step.
        pieces: a tokenizer's folder: a word's vector is the mean of its own row and those of its pieces, so
            that words never seen have one too.
        device: "cpu", "cuda" or another of torch's.
        seed: fixes every random choice; on a CPU, runs are equal to the bit.
        progress: called with the tokens done.

    Returns:
        The vectors, memory-mapped from `out`. `metrics.jsonl` there holds each epoch's mean loss a pair, and
        for "infonce" what that says of the mutual information (`mi_nats`).

    Raises:
        UsageError: an option is out of range, `shards` is no such folder, or torch lacks the device.
        NlpkitError: there are too few words, or training diverged.
        VocabularyMismatchError: the shards were made with another vocabulary than the one beside them.
    """
    options = SampledOptions(
        objective, dim, window, negative, epochs, lr, sample, min_count, temperature, batch, seed
    )
    folder = Path(shards)
    vocabulary = load_vocabulary(folder / "vocabulary")
    data = TokenShards(folder / "train", fingerprint=vocabulary.fingerprint)
    words = choose_words(data, vocabulary, min_count)
    if len(words.ids) < 2:
        raise NlpkitError(
            f"Only {len(words.ids)} words occur at least {min_count} times: train on more text or lower "
            "--min-count."
        )
    tokens = TokenTable.build(vocabulary.decode_single_token_bytes(int(id)) for id in words.ids)
    cutter, prefix, bags = _pieces(pieces, vocabulary, tokens)
    rows = len(tokens) if cutter is None else len(tokens) + cutter.n_vocab
    model = SkipGram(words.counts, options, rows, bags, _device(device))
    with atomic_folder(Path(out)) as temporary:
        with (temporary / "metrics.jsonl").open("w", encoding="utf-8") as metrics:
            for line in _epochs(model, data, words, options, progress):
                metrics.write(json.dumps(line) + "\n")
        table = None if cutter is None else PieceTable(cutter, model.piece_vectors(), prefix)
        config = {"fingerprint": vocabulary.fingerprint, "trainer": "torch", **asdict(options)}
        found = KeyedVectors(tokens, model.word_vectors(), words.counts, config=config, pieces=table)
        found.write_files(temporary)
    return KeyedVectors.load(out)


def _pieces(
    folder: str | Path | None, vocabulary: Vocabulary, tokens: TokenTable
) -> tuple[Vocabulary | None, str, Bags | None]:
    if folder is None:
        return None, "", None
    prefix = " " if isinstance(vocabulary, WordVocabulary) and vocabulary.unit == "word" else ""
    cutter = load_vocabulary(Path(folder))
    return cutter, prefix, bags_with_own_rows(tokens, cutter, prefix)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch raises either, by device
        raise UsageError(f"--device {name}: this torch cannot use it; cpu always works.") from error
    return device


def _epochs(
    model: SkipGram,
    data: TokenShards,
    words: TrainedWords,
    options: SampledOptions,
    progress: ProgressCallback,
) -> Iterator[dict[str, Any]]:
    """Train, and yield a line of figures for each epoch."""
    keep = keep_shares(words.counts, options.sample)
    for epoch in range(options.epochs):
        started, loss, pairs = time.perf_counter(), 0.0, 0
        generator = np.random.default_rng([options.seed, epoch])
        parts = shuffled_windows(data, words.rows, keep, window=options.window, generator=generator)
        for read, part in parts:
            done = epoch * len(data) + read
            lr = options.lr * max(1 - done / (options.epochs * len(data)), LEAST_LR)
            loss += _train_on(model, part, lr)
            pairs += part.pairs
            progress(PHASE, done, options.epochs * len(data))
        if not math.isfinite(loss):
            raise NlpkitError(
                f"Training diverged in epoch {epoch + 1} (its loss is no number): lower --lr, which was "
                f"{options.lr}."
            )
        if pairs == 0:
            raise NlpkitError(
                "No word had another one beside it: use documents of several words, or raise --sample, "
                "which thins out frequent words."
            )
        line = {"epoch": epoch + 1, "loss": loss / pairs, "predictions": pairs}
        if options.objective == "infonce":  # the bound cannot pass the logarithm of the candidates
            line["mi_nats"] = math.log(1 + options.noise_words(len(words.ids))) - loss / pairs
        yield line | {"seconds": time.perf_counter() - started}


def _train_on(model: SkipGram, windows: Windows, lr: float) -> float:
    """Steps over windows; their summed loss, each batch's before its step."""
    device, batch = model.input.weights.device, model.options.batch
    losses = torch.zeros((), dtype=torch.float64, device=device)
    for start in range(0, len(windows), batch):
        part = windows[start : start + batch]
        centres, contexts = (
            torch.from_numpy(rows).long().to(device) for rows in (part.centres, part.contexts)
        )
        losses += model.step(centres, contexts, lr)
    return float(losses)
