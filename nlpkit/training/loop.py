"""The one training loop: steps, evaluation, checkpoints; it knows losses and optimizers, no model.

A step's random numbers (dropout) are seeded by (seed, step), as its data are, so a run that stops after any
step and goes on ends in the same bits as one that never stopped.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.training.checkpoints import (
    latest_checkpoint,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
    save_tensors,
)
from nlpkit.training.interrupts import StopRequest, stop_on_signals
from nlpkit.training.metrics import MetricsFile
from nlpkit.training.permutation import hash_key
from nlpkit.training.schedules import Schedule, rate_factor
from nlpkit.training.task import Task

LogCallback: TypeAlias = Callable[[Mapping[str, float]], None]
"""Called with each step's record, the same that goes into metrics.jsonl."""


def no_log(record: Mapping[str, float]) -> None:
    """The default: says nothing."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how a run goes."""

    steps: int = 1000
    """Updates of the weights."""
    accumulation: int = 1
    """Parts of a step's batch whose gradients are added up before the update; less memory, the same step."""
    schedule: Schedule = "cosine"
    """How the learning rate falls; see `rate_factor`."""
    warmup: int = 0
    """Steps over which the learning rate rises."""
    final_lr: float = 0.1
    """What it falls to, as a fraction of the learning rate (a tenth, as GPT-3)."""
    decay: float = 0.2
    """The share of the run over which the schedule wsd falls (a fifth, as Hägele et al., 2024)."""
    clip: float = 1.0
    """The largest global gradient norm (1.0 as GPT-3); 0 clips nothing."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation split; 0 evaluates only after the last one."""
    save_every: int = 0
    """Steps between checkpoints; 0 saves only after the last one and when interrupted."""
    keep: int = 2
    """Checkpoints that stay."""
    seed: int = 1
    """Fixes the initial weights, the order of the data and dropout."""

    def __post_init__(self) -> None:
        for name in ("steps", "accumulation", "keep"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        for name in ("warmup", "evaluate_every", "save_every", "clip", "final_lr"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must not be negative.")
        if not 0 < self.decay <= 1:
            raise UsageError(f"decay is {self.decay}: it must lie in (0, 1].")


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


def run_training(
    task: Task,
    config: LoopConfig,
    out: Path,
    *,
    resume: bool = False,
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
        progress: called after each step as ("train", step, steps).
        log: called with each step's record.

    Raises:
        NlpkitError: a loss or gradient is not finite; the step is named.
        CorruptFileError: resuming, and no checkpoint is undamaged.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
    """
    checkpoints = out / "checkpoints"
    remove_leftovers(checkpoints)
    figures = Figures()
    latest = latest_checkpoint(checkpoints) if resume else None
    if latest is not None:
        figures = Figures(**load_checkpoint(latest, task)["figures"])
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with (
        torch.random.fork_rng(devices),  # the caller's own random numbers stay as they were
        stop_on_signals() as stop,
        MetricsFile(out / "metrics.jsonl", step=figures.step) as metrics,
    ):
        _Run(task, config, out, figures, metrics, stop, log, progress).go()
    return figures


@dataclass
class _Run:
    task: Task
    config: LoopConfig
    out: Path
    figures: Figures
    metrics: MetricsFile
    stop: StopRequest
    log: LogCallback
    progress: ProgressCallback

    def go(self) -> None:
        while self.figures.step < self.config.steps:
            record = self._timed_step()
            if self._due(self.config.evaluate_every):
                record |= self._evaluate()
            self.metrics.write(record)
            self.log(record)
            if self._due(self.config.save_every) or self.stop.asked:
                self._save()
            self.progress("train", self.figures.step, self.config.steps)
            if self.stop.asked:
                raise KeyboardInterrupt(
                    f"interrupted after step {self.figures.step}, which is saved in {self.out}: "
                    "the same command with --resume goes on."
                )

    def _due(self, every: int) -> bool:
        """Whether something happens after this step that happens `every` so many, and after the last."""
        step = self.figures.step
        return step == self.config.steps or (every > 0 and step % every == 0)

    def _timed_step(self) -> dict[str, Any]:
        started = time.perf_counter()
        record = train_step(self.task, self.config, self.figures.step)
        seconds = time.perf_counter() - started
        self.figures.seconds += seconds
        self.figures.step += 1
        unit, count = self.task.step_size
        return {"step": self.figures.step, **record, f"{unit}_per_second": round(count / seconds, 1)}

    def _evaluate(self) -> dict[str, float]:
        result = dict(self.task.evaluate())
        best = self.figures.best
        decisive = next(iter(result), None)
        if decisive is None or best is None or result[decisive] < best[decisive]:
            self.figures.best_step = self.figures.step
            self.figures.best = result or None
            save_tensors(self.out / "model.safetensors", self.task.module.state_dict())
        return result

    def _save(self) -> None:
        save_checkpoint(
            self.out / "checkpoints",
            self.figures.step,
            self.task,
            asdict(self.figures),
            keep=self.config.keep,
        )


def train_step(task: Task, config: LoopConfig, step: int) -> dict[str, float]:
    """One update of the weights: losses, gradient norm and learning rate by name.

    Raises:
        NlpkitError: a loss or the gradient is not finite; the weights are as before the step.
    """
    torch.manual_seed(hash_key(config.seed, step))
    factor = rate_factor(
        config.schedule,
        step,
        config.steps,
        warmup=config.warmup,
        final=config.final_lr,
        decay=config.decay,
    )
    losses = _backward(task, step, config.accumulation)
    record = {name if len(losses) > 1 else "loss": loss for name, loss in losses.items()}
    for name, optimizers in task.optimizers.items():
        label = f"{name}_" if len(task.optimizers) > 1 else ""
        norm = clip_gradients(_parameters(task, name), config.clip)
        _check_finite(f"{label}gradient norm", norm, step)
        record[f"{label}gradient_norm"] = norm
        record[f"{label}lr"] = optimizers[0].param_groups[0]["lr"] * factor
        for optimizer in optimizers:
            with _scaled_lr(optimizer, factor):
                optimizer.step()
            optimizer.zero_grad()
    return record


def _backward(task: Task, step: int, parts: int) -> dict[str, float]:
    """Add up the gradients of a step's parts; the mean losses."""
    totals: dict[str, float] = {}
    for part in range(parts):
        losses = task.losses(task.batch(step, part, parts), step)
        for count, (name, loss) in enumerate(losses.items(), start=1):
            torch.autograd.backward(
                loss / parts, inputs=_parameters(task, name), retain_graph=count < len(losses)
            )
            totals[name] = totals.get(name, 0.0) + loss.item() / parts
            _check_finite("loss", totals[name], step)
    return totals


def _parameters(task: Task, name: str) -> list[Tensor]:
    return [
        p for optimizer in task.optimizers[name] for group in optimizer.param_groups for p in group["params"]
    ]


def clip_gradients(parameters: list[Tensor], limit: float) -> float:
    """Scale the gradients so that their global norm is at most `limit` (0: leave them); the norm before."""
    return clip_grad_norm_(parameters, limit if limit > 0 else math.inf).item()


def _check_finite(what: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        raise NlpkitError(
            f"the {what} became {value} at step {step + 1}: lower --lr, raise --warmup, or look at the data "
            "of that step; the checkpoints before it are kept."
        )


@contextmanager
def _scaled_lr(optimizer: torch.optim.Optimizer, factor: float) -> Iterator[None]:
    """Run the block with every group's learning rate times `factor`."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor
    yield
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
