"""The one training loop: steps, evaluation, checkpoints; it knows losses and optimizers, no model.

A step's random numbers (dropout) are seeded by (seed, step), as its data are, so a run that stops after any
step and goes on ends in the same bits as one that never stopped.
"""

import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from nlpkit.interrupts import StopRequest, stop_on_signals
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.training.averaging import WeightAverage
from nlpkit.training.checkpoints import (
    latest_checkpoint,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
    save_tensors,
)
from nlpkit.training.loop_config import LoopConfig
from nlpkit.training.metrics import MetricsFile
from nlpkit.training.nonfinite import NonFiniteError
from nlpkit.training.processes import ALONE, Processes, whole_state
from nlpkit.training.step import train_step
from nlpkit.training.task import Task

LogCallback: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Called with each step's record, the same that goes into metrics.jsonl."""

MOST_ROLLBACKS = 3
"""Times that a run goes back to the same checkpoint before it stops."""


def no_log(record: Mapping[str, Any]) -> None:
    """The default: says nothing."""


@dataclass
class Figures:
    """What a run has come to; saved with each checkpoint."""

    step: int = 0
    seconds: float = 0.0
    """Spent in steps; evaluation and saving not counted."""
    best_step: int = 0
    """Whose weights are in model.safetensors."""
    best: dict[str, float] | None = None
    """The evaluation at `best_step`; None when nothing is held out."""
    skipped: int = 0
    """Steps' worth of data passed over, because they led to numbers that are not finite."""


def run_training(
    task: Task,
    config: LoopConfig,
    out: Path,
    *,
    resume: bool = False,
    processes: Processes = ALONE,
    progress: ProgressCallback = no_progress,
    log: LogCallback = no_log,
) -> Figures:
    """Train `task` in the run folder `out`; write checkpoints/, metrics.jsonl and model.safetensors.

    model.safetensors holds the weights of the best evaluation, the last ones where nothing is held out.

    Args:
        task: what to train.
        config: how.
        out: the run folder.
        resume: go on from the newest valid checkpoint, where there is one.
        processes: among which the work is shared out; the first one writes and reports.
        progress: called after each step as ("train", step, steps).
        log: called with each step's record.

    Raises:
        NonFiniteError: a loss or gradient is not finite; step, data and the first bad tensor are named.
        CorruptFileError: resuming, and no checkpoint is undamaged.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
    """
    checkpoints = out / "checkpoints"
    if processes.first:
        remove_leftovers(checkpoints)
    processes.wait()
    average = WeightAverage(task.module, config.average) if config.average else None
    figures = Figures()
    latest = latest_checkpoint(checkpoints) if resume else None
    if latest is not None:
        figures = Figures(**load_checkpoint(latest, task, average)["figures"])
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with (
        torch.random.fork_rng(devices),  # the caller's own random numbers stay as they were
        stop_on_signals() as stop,
        MetricsFile(out / "metrics.jsonl", step=figures.step)
        if processes.first
        else nullcontext() as metrics,
    ):
        run = _Run(task, config, out, figures, average, processes, metrics, stop, log, progress)
        run.go()
    return run.figures


@dataclass
class _Run:
    task: Task
    config: LoopConfig
    out: Path
    figures: Figures
    average: WeightAverage | None
    processes: Processes
    metrics: MetricsFile | None
    """None in all processes but the first."""
    stop: StopRequest
    log: LogCallback
    progress: ProgressCallback
    rollbacks: int = 0
    """To the checkpoint that is the newest one now."""

    def go(self) -> None:
        while self.figures.step < self.config.steps:
            try:
                record = self._timed_step()
            except NonFiniteError as error:
                self._roll_back(error)
                continue
            if self._due(self.config.evaluate_every):
                record |= self._evaluate()
            stopping = self.processes.any(self.stop.asked)
            if self.metrics is not None:
                self.metrics.write(record)
                self.log(record)
            if self._due(self.config.save_every) or stopping:
                self._save()
            if self.processes.first:
                self.progress("train", self.figures.step, self.config.steps)
            if stopping:
                raise KeyboardInterrupt(
                    f"interrupted after step {self.figures.step}, which is saved in {self.out}: "
                    "the same command with --resume goes on."
                )

    def _due(self, every: int) -> bool:
        """Whether something happens after this step that happens `every` so many, and after the last."""
        step = self.figures.step
        return step == self.config.steps or (every > 0 and step % every == 0)

    def _timed_step(self) -> dict[str, Any]:
        figures, started = self.figures, time.perf_counter()
        record = train_step(
            self.task,
            self.config,
            figures.step,
            position=figures.step + figures.skipped,
            processes=self.processes,
        )
        if self.average is not None:
            self.average.update()
        seconds = time.perf_counter() - started
        figures.seconds += seconds
        figures.step += 1
        speeds = {f"{what}_per_second": round(n / seconds, 1) for what, n in self.task.step_work.items()}
        return {
            "step": figures.step,
            **record,
            **speeds,
            "peak_memory_bytes": _peak_memory(self.processes.device),
        }

    def _evaluate(self) -> dict[str, float]:
        with self.average.in_place() if self.average is not None else nullcontext():
            result = dict(self.task.evaluate())
            best = self.figures.best
            decisive = next(iter(result), None)
            if decisive is None or best is None or result[decisive] < best[decisive]:
                self.figures.best_step = self.figures.step
                self.figures.best = result or None
                weights = whole_state(self.task.module)
                if self.processes.first:
                    save_tensors(self.out / "model.safetensors", weights)
        return result

    def _save(self) -> None:
        save_checkpoint(
            self.out / "checkpoints",
            self.figures.step,
            self.task,
            asdict(self.figures),
            keep=self.config.keep,
            average=self.average,
            processes=self.processes,
        )
        self.rollbacks = 0

    def _roll_back(self, error: NonFiniteError) -> None:
        """Go back to the newest checkpoint and on with the data behind those that led to `error`."""
        latest = latest_checkpoint(self.out / "checkpoints")
        if self.config.on_nonfinite == "stop" or latest is None or self.rollbacks == MOST_ROLLBACKS:
            raise error
        self.rollbacks += 1
        reached = self.figures.step + self.figures.skipped
        self.figures = Figures(**load_checkpoint(latest, self.task, self.average)["figures"])
        self.figures.skipped = reached + 1 - self.figures.step
        if self.metrics is not None:
            self.metrics.go_back(self.figures.step)
            self.log({"step": self.figures.step, "rolled_back": str(error)})


def _peak_memory(device: torch.device) -> int:
    """The most bytes that this process has held so far, on the GPU where it computes there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
