"""The options of the training loop."""

from dataclasses import dataclass
from typing import Literal

from nlpkit.errors import UsageError
from nlpkit.training.schedules import Schedule


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
    average: float = 0.0
    """Decay of the moving average of the weights that is evaluated and kept; 0: the weights themselves."""
    on_nonfinite: Literal["stop", "rollback"] = "stop"
    """At a loss or gradient that is not finite: stop, or go back to the last checkpoint and pass over the
    data that led there."""
    seed: int = 1
    """Fixes the initial weights, the order of the data and dropout."""

    def __post_init__(self) -> None:
        for name in ("steps", "accumulation", "keep"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        for name in ("warmup", "evaluate_every", "save_every", "clip", "final_lr"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must not be negative.")
        if not 0 <= self.average < 1:
            raise UsageError(f"average is {self.average}: it must lie in [0, 1); 0.999 is usual.")
        if not 0 < self.decay <= 1:
            raise UsageError(f"decay is {self.decay}: it must lie in (0, 1].")
