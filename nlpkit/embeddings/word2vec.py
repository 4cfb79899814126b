"""Training word2vec over token shards: what is trained, with what, and the folder that comes out.

The loops are in `csrc/word2vec/`; docs/embeddings.md states the algorithm and where it differs from the C
code of 2013, gensim and fastText.
"""

import json
import math
import os
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit._core import EpochStatistics, Word2Vec
from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.options import Architecture, Negatives, Objective, Word2VecOptions
from nlpkit.embeddings.token_table import TokenTable
from nlpkit.embeddings.training_state import (
    Tally,
    TrainingState,
    checkpoint_folder,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from nlpkit.embeddings.word_rows import TrainedWords, choose_words, core_arrays
from nlpkit.errors import NlpkitError, UsageError
from nlpkit.files import atomic_folder
from nlpkit.interrupts import StopRequest, stop_on_signals
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import TokenShards
from nlpkit.tokenization import load_vocabulary

PHASE = "training vectors"

STRETCH_SECONDS = 1.0
"""How long the core works at a time, about; between, a signal is heard and a checkpoint may be written."""

CHECKPOINT_SECONDS = 600.0
"""The longest time between checkpoints within an epoch; each epoch ends with one."""


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
    objective: Objective = "negative-sampling",
    negatives: Negatives = "shared",
    patience: int = 0,
    seed: int = 1,
    threads: int = 0,
    hogwild: bool = False,
    resume: bool = False,
    progress: ProgressCallback = no_progress,
) -> KeyedVectors:
    """Train word vectors over `shards/train` and write them to the folder `out`.

    Where there is `shards/validation`, each epoch ends with the loss on it. Interrupted by Ctrl-C, by kill
    or by a crash, training goes on with `resume` from a checkpoint beside `out`.

    Args:
        shards: a folder of `encode_corpus`; its vocabulary names the rows.
        out: the folder to write; replaced as a whole once training ends.
        dim: the vectors' dimension.
        window: the greatest distance of a context; each centre draws its own from 1 to `window`.
        negative: noise words for each observed one, drawn with the power 0.75 of their counts.
        epochs: passes over the corpus.
        lr: the learning rate at the start; it falls linearly over all epochs to 1e-4 of that. 0.025, or 0.05
            for "cbow".
        sample: a word whose share f of all words is above this is kept with probability
            sqrt(sample / f) + sample / f; 0 keeps every word.
        min_count: words that occur less often get no vector and take no place in a window.
        architecture: "skipgram", or "cbow" (the mean of the contexts predicts the centre), or "cbow-sum".
        objective: "negative-sampling", or "hierarchical-softmax", which predicts each word exactly, at the
            cost of its path in a Huffman tree; then `negative` is not used.
        negatives: "shared" draws them once for a centre and takes one step with all its contexts, "exact"
            one for each context, as C does; CBOW has one prediction a centre, so both are the same there.
        patience: stop after so many epochs without a lower held-out loss and keep the vectors of the best
            one; 0 trains all epochs and keeps the last.
        seed: fixes every random choice.
        threads: how many to use; 0 is all that this process may run on. Does not change the result.
        hogwild: let threads update the same rows without locks: fastest, but no two runs are equal.
        resume: go on from the checkpoint of an interrupted training with the same settings, to the same bits
            as if it had never stopped; without a checkpoint, start from the beginning.
        progress: called with the tokens done.

    Returns:
        The vectors, memory-mapped from `out`. `metrics.jsonl` there has a line for each epoch.

    Raises:
        UsageError: an option is out of range, or `shards` is no such folder.
        NlpkitError: there are too few words, they need too much memory, or training diverged.
        VocabularyMismatchError: the shards were made with another vocabulary than the one beside them.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    if threads < 0:
        raise UsageError(f"--threads must be 0 (all) or above, not {threads}.")
    if patience < 0:
        raise UsageError(f"--patience must be 0 (train all epochs) or above, not {patience}.")
    options = Word2VecOptions(
        dim, window, negative, epochs, lr, sample, min_count, architecture, objective, negatives, seed
    )
    options = replace(options, lr=options.first_lr)
    folder, out = Path(shards), Path(out)
    vocabulary = load_vocabulary(folder / "vocabulary")
    data = TokenShards(folder / "train", fingerprint=vocabulary.fingerprint)
    held_out = None
    if (folder / "validation").is_dir():
        held_out = TokenShards(folder / "validation", fingerprint=vocabulary.fingerprint)
    elif patience:
        raise UsageError(f"--patience needs held-out text, but there is no {folder / 'validation'}.")
    words = choose_words(data, vocabulary, min_count)
    _check_enough(words, options)
    training = _Training(data, held_out, words, options, out, patience, threads, hogwild)
    with atomic_folder(out) as temporary:
        vectors = training.run(resume, progress)
        tokens = TokenTable.build(vocabulary.decode_single_token_bytes(int(id)) for id in words.ids)
        config = {"fingerprint": vocabulary.fingerprint, **asdict(options)}
        lines = (json.dumps(line) + "\n" for line in training.state.metrics)
        (temporary / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
        KeyedVectors(tokens, vectors, words.counts, config=config).write_files(temporary)
    remove_checkpoint(training.checkpoint)
    return KeyedVectors.load(out)


def _check_enough(words: TrainedWords, options: Word2VecOptions) -> None:
    found = len(words.ids)
    if found < 2:
        raise NlpkitError(
            f"Only {found} words occur at least {options.min_count} times: train on more text or lower "
            "--min-count."
        )
    if options.objective == "negative-sampling" and options.negative >= found:
        raise UsageError(
            f"--negative {options.negative} needs more than {options.negative} words, but only {found} occur "
            f"at least {options.min_count} times: lower --negative or --min-count."
        )
    needed = 2 * found * -(-options.dim // 16) * 16 * 4  # two matrices, rows of whole cache lines
    if needed > (there := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
        raise NlpkitError(
            f"{found:,} words of dimension {options.dim} take {needed / 2**30:,.1f} GiB of memory, more than "
            f"the {there / 2**30:,.1f} GiB that there are: lower --dim or raise --min-count."
        )


class _Training:
    """The epochs: stretches of the corpus, held-out losses, checkpoints."""

    def __init__(
        self,
        data: TokenShards,
        held_out: TokenShards | None,
        words: TrainedWords,
        options: Word2VecOptions,
        out: Path,
        patience: int,
        threads: int,
        hogwild: bool,
    ) -> None:
        fields = asdict(options)
        del fields["min_count"]
        self.model = Word2Vec(words.counts, **fields, hogwild=hogwild)
        self.size = len(data)
        self.arrays = core_arrays(data, words)
        self.held_out = core_arrays(held_out, words) if held_out is not None else None
        self.options = options
        self.patience = patience
        self.threads = threads
        self.state = TrainingState()
        self.best: npt.NDArray[np.float32] | None = None  # the vectors with the least held-out loss
        self.checkpoint = checkpoint_folder(out)
        self.settings = {
            "fingerprint": data.index.fingerprint,
            "corpus": [shard.sha256 for shard in data.index.shards],
            "patience": patience,
            **asdict(options),
        }

    def run(self, resume: bool, progress: ProgressCallback) -> npt.NDArray[np.float32]:
        """Train all epochs that are left; returns the vectors."""
        if resume and self.checkpoint.exists():
            self.state, self.best = load_checkpoint(self.checkpoint, self.model, self.settings)
        with stop_on_signals() as request:
            while self.state.epoch < self.options.epochs and not self._has_waited_enough():
                self._train_epoch(request, progress)
                self._end_epoch()
        if sum(line["predictions"] for line in self.state.metrics) == 0:
            raise NlpkitError(
                "No word had another one beside it: use documents of several words, or raise --sample, which "
                "thins out frequent words."
            )
        return self.model.input if self.best is None else self.best

    def _has_waited_enough(self) -> bool:
        return self.patience > 0 and self.state.epochs_since_best() >= self.patience

    def _train_epoch(self, request: StopRequest, progress: ProgressCallback) -> None:
        """Train from where the epoch stands to its end, stretch by stretch."""
        state, length = self.state, Word2Vec.chunk_tokens
        saved = time.monotonic()
        while state.position < self.size:
            end = min(self.size, state.position + length)
            clocks = time.perf_counter(), time.process_time()
            statistics = self._train_to(end, progress)
            seconds = time.perf_counter() - clocks[0]
            state.tally.add(statistics, seconds, time.process_time() - clocks[1])
            self._check_loss()
            state.position = end
            progress(PHASE, state.epoch * self.size + end, self.options.epochs * self.size)
            if 2 * seconds < STRETCH_SECONDS:
                length *= 2
            if request.asked:
                self._save()
                raise KeyboardInterrupt(
                    f"interrupted in epoch {state.epoch + 1}, which is saved in {self.checkpoint}: "
                    "--resume goes on from there."
                )
            if end < self.size and time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()

    def _train_to(self, end: int, progress: ProgressCallback) -> EpochStatistics:
        return self.model.train(
            *self.arrays,
            epoch=self.state.epoch,
            begin=self.state.position,
            end=end,
            threads=self.threads,
            progress=partial(progress, PHASE),
        )

    def _check_loss(self) -> None:
        if not math.isfinite(self.state.tally.loss):
            raise NlpkitError(
                f"Training diverged in epoch {self.state.epoch + 1} (its loss is no number): lower --lr, "
                f"which was {self.options.first_lr}."
            )

    def _end_epoch(self) -> None:
        """Write down what the epoch came to, and a checkpoint if another one follows."""
        state, tally = self.state, self.state.tally
        line: dict[str, Any] = {
            "epoch": state.epoch + 1,
            "loss": tally.loss / max(1, tally.predictions),
            "predictions": tally.predictions,
            "words": tally.words,
            "kept": tally.kept,
            "seconds": tally.seconds,
            "cpu_seconds": tally.cpu_seconds,
            "words_per_second": tally.words / max(tally.seconds, 1e-9),
        }
        if self.held_out is not None:
            found = self.model.evaluate(*self.held_out, threads=self.threads)
            line["held_out_loss"] = found.loss / max(1, found.predictions)
            line["held_out_predictions"] = found.predictions
        state.metrics.append(line)
        state.epoch, state.position, state.tally = state.epoch + 1, 0, Tally()
        if self.patience and state.epochs_since_best() == 0:
            self.best = np.array(self.model.input)
        if state.epoch < self.options.epochs:
            self._save()

    def _save(self) -> None:
        save_checkpoint(self.checkpoint, self.model, self.state, self.best, self.settings)
