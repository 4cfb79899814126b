"""Epochs of training, whoever computes the steps: stretches of the corpus, held-out losses, checkpoints.

The compiled trainer and torch's differ in how they change their matrices; when to stop, what is written down
and from where to go on is the same for both, and is here.
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nlpkit.embeddings.options import SampledOptions, Word2VecOptions
from nlpkit.embeddings.training_corpus import TrainingCorpus
from nlpkit.embeddings.training_state import (
    Matrix,
    Statistics,
    Tally,
    TrainingState,
    checkpoint_folder,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from nlpkit.errors import NlpkitError
from nlpkit.interrupts import StopRequest, stop_on_signals
from nlpkit.progress import ProgressCallback

PHASE = "training vectors"

STRETCH_SECONDS = 1.0
"""How long a trainer works at a time, about; between, a signal is heard and a checkpoint may be written."""

CHECKPOINT_SECONDS = 600.0
"""The longest time between checkpoints within an epoch; each epoch ends with one."""


class EpochTrainer(Protocol):
    """Matrices, and the steps that change them.

    Every random choice must be a function of the seed, the epoch and the position, so that an epoch in one
    stretch and one in several come to the same bits.
    """

    @property
    def part_tokens(self) -> int:
        """Stretches begin at its multiples."""

    def train(self, epoch: int, begin: int, end: int, progress: ProgressCallback) -> Statistics:
        """Train on the centres between two positions of an epoch; progress counts tokens of all epochs."""

    def evaluate(self) -> Statistics | None:
        """The loss on the held-out corpus, if there is one, with the same random choices at every call."""

    def figures(self, loss: float) -> dict[str, float]:
        """What else a mean loss says."""

    def matrices(self) -> dict[str, Matrix]:
        """All that training changes, by name; "input" is what vectors are made of."""

    def restore(self, matrices: Mapping[str, Matrix]) -> None:
        """Put some of them back."""


class EpochLoop:
    """Trains all epochs, or until the held-out loss has not fallen for `options.patience` of them.

    Args:
        trainer: takes the steps.
        corpus: is trained on.
        options: how many epochs; checkpoints of other ones are refused.
        out: what the training will write; its checkpoint lies beside it.
        settings: what else a checkpoint must agree in.
    """

    def __init__(
        self,
        trainer: EpochTrainer,
        corpus: TrainingCorpus,
        options: Word2VecOptions | SampledOptions,
        out: Path,
        settings: Mapping[str, Any],
    ) -> None:
        self.trainer = trainer
        self.options = options
        self.size = len(corpus.data)
        self.state = TrainingState()
        self.best: Matrix | None = None  # the input matrix with the least held-out loss
        self.checkpoint = checkpoint_folder(out)
        self.settings = {**settings, **corpus.identity(), **asdict(options)}

    def run(self, resume: bool, progress: ProgressCallback) -> None:
        """Train all epochs that are left; the trainer then holds the result.

        Raises:
            UsageError: the checkpoint to resume from is of other settings.
            NlpkitError: training diverged, or there was nothing to predict.
            KeyboardInterrupt: a signal came; a checkpoint is written.
        """
        if resume and self.checkpoint.exists():
            self._load()
        with stop_on_signals() as request:
            while self.state.epoch < self.options.epochs and not self._has_waited_enough():
                self._train_epoch(request, progress)
                self._end_epoch()
        if sum(line["predictions"] for line in self.state.metrics) == 0:
            raise NlpkitError(
                "No word had another one beside it: use documents of several words, or raise --sample, which "
                "thins out frequent words."
            )
        if self.best is not None:
            self.trainer.restore({"input": self.best})

    def write_metrics(self, path: Path) -> None:
        """Write a line of JSON for each epoch."""
        lines = (json.dumps(line) + "\n" for line in self.state.metrics)
        path.write_text("".join(lines), encoding="utf-8")

    def remove_checkpoint(self) -> None:
        """Once the result is written, nothing is left to resume."""
        remove_checkpoint(self.checkpoint)

    def _has_waited_enough(self) -> bool:
        return self.options.patience > 0 and self.state.epochs_since_best() >= self.options.patience

    def _train_epoch(self, request: StopRequest, progress: ProgressCallback) -> None:
        """Train from where the epoch stands to its end, stretch by stretch."""
        state, length = self.state, self.trainer.part_tokens
        saved = time.monotonic()
        while state.position < self.size:
            end = min(self.size, state.position + length)
            seconds = self._train_to(end, progress)
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

    def _train_to(self, end: int, progress: ProgressCallback) -> float:
        """Train up to a position of the epoch, and count it; returns the seconds that it took."""
        state = self.state
        clocks = time.perf_counter(), time.process_time()
        statistics = self.trainer.train(state.epoch, state.position, end, progress)
        seconds = time.perf_counter() - clocks[0]
        state.tally.add(statistics, seconds, time.process_time() - clocks[1])
        if not math.isfinite(state.tally.loss):
            raise NlpkitError(
                f"Training diverged in epoch {state.epoch + 1} (its loss is no number): lower --lr, which "
                f"was {self.options.first_lr}."
            )
        state.position = end
        return seconds

    def _end_epoch(self) -> None:
        """Write down what the epoch came to, and a checkpoint if another one follows."""
        state, tally = self.state, self.state.tally
        loss = tally.loss / max(1, tally.predictions)
        line: dict[str, Any] = {
            "epoch": state.epoch + 1,
            "loss": loss,
            **self.trainer.figures(loss),
            "predictions": tally.predictions,
            "words": tally.words,
            "kept": tally.kept,
            "seconds": tally.seconds,
            "cpu_seconds": tally.cpu_seconds,
            "words_per_second": tally.words / max(tally.seconds, 1e-9),
        }
        if (found := self.trainer.evaluate()) is not None:
            line["held_out_loss"] = found.loss / max(1, found.predictions)
            line["held_out_predictions"] = found.predictions
        state.metrics.append(line)
        state.epoch, state.position, state.tally = state.epoch + 1, 0, Tally()
        if self.options.patience and state.epochs_since_best() == 0:
            self.best = np.array(self.trainer.matrices()["input"])
        if state.epoch < self.options.epochs:
            self._save()

    def _save(self) -> None:
        save_checkpoint(self.checkpoint, self.trainer.matrices(), self.state, self.best, self.settings)

    def _load(self) -> None:
        shapes = {name: matrix.shape for name, matrix in self.trainer.matrices().items()}
        self.state, matrices, self.best = load_checkpoint(self.checkpoint, shapes, self.settings)
        self.trainer.restore(matrices)
