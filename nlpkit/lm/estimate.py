"""What a training run will take, before it begins."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn.utils import clip_grad_norm_

from nlpkit.errors import UsageError
from nlpkit.lm.config import TransformerConfig
from nlpkit.lm.model import build_model, count_parameters
from nlpkit.lm.presets import TrainingPlan
from nlpkit.training import RecomputeConfig, build_optimizers
from nlpkit.training.memory import peak_bytes

PROCESS_BYTES = 350_000_000
"""What Python, torch and its kernels' own buffers take besides tensors; measured with torch 2.13 on a CPU."""


@dataclass(frozen=True)
class TrainingEstimate:
    """A run's size."""

    parameters: int
    steps: int
    tokens_per_step: int
    epochs: float
    """How often the training split is read."""
    memory_bytes: int
    """The most that the process will take, about: tensors, which are counted, and `PROCESS_BYTES`."""


def estimate_training(plan: TrainingPlan, train_tokens: int) -> TrainingEstimate:
    """The size of a run of `plan` on a split of `train_tokens` tokens; takes no memory to speak of."""
    tokens_per_step = plan.batch_size * plan.model.context_length
    return TrainingEstimate(
        parameters=count_parameters(plan.model),
        steps=plan.loop.steps,
        tokens_per_step=tokens_per_step,
        epochs=plan.loop.steps * tokens_per_step / max(1, train_tokens),
        memory_bytes=PROCESS_BYTES + _peak(plan),
    )


def _peak(plan: TrainingPlan) -> int:
    """The most tensor bytes at once in a step of `plan`."""
    rows = plan.batch_size // plan.loop.accumulation
    if isinstance(plan.model, TransformerConfig):
        return peak_bytes(lambda: _steps(plan, rows))
    # What the kernels of recurrent layers keep shows on real tensors only; each row adds the same to it.
    one = peak_bytes(lambda: _steps(plan, 1, optimize=False), fake=False)
    two = peak_bytes(lambda: _steps(plan, 2, optimize=False), fake=False)
    return peak_bytes(lambda: _steps(plan, 1)) + rows * (two - one)


def _steps(plan: TrainingPlan, rows: int, *, optimize: bool = True) -> Callable[[], None]:
    """A function that runs two steps of a new model: from the second on, optimizers have their states."""
    model = build_model(plan.model).train()
    model.recompute = plan.recompute
    optimizers = build_optimizers(model, plan.optimizer, model.matrices()) if optimize else []
    ids = torch.zeros(rows, plan.model.context_length + 1, dtype=torch.long)

    def run() -> None:
        for _ in range(2 * min(2, plan.loop.accumulation)):
            nll, _ = model(ids[:, :-1], targets=ids[:, 1:])
            (nll.sum() / nll.numel()).backward()
            clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            if plan.loop.accumulation == 1:
                model.zero_grad()

    return run


def check_memory(plan: TrainingPlan, train_tokens: int, limit: int) -> None:
    """Refuse a plan that takes more than `limit` bytes, naming the options that would fit.

    Raises:
        UsageError: it takes more; the sentence says with what it would fit, or the least that it can take.
    """
    needed = estimate_training(plan, train_tokens).memory_bytes
    if needed <= limit:
        return
    asked = f"the run takes about {_gigabytes(needed)}, more than the {_gigabytes(limit)} of --memory"
    least = needed
    for option, smaller in _smaller_plans(plan):
        taken = estimate_training(smaller, train_tokens).memory_bytes
        if taken <= limit:
            raise UsageError(f"{asked}: with {option} it takes {_gigabytes(taken)}.")
        least = min(least, taken)
    raise UsageError(
        f"{asked}, and no less than {_gigabytes(least)} however it is split: take a smaller model."
    )


def _smaller_plans(plan: TrainingPlan) -> list[tuple[str, TrainingPlan]]:
    """Ways to take less memory for the same steps, the cheapest in time first."""
    plans = []
    if isinstance(plan.model, TransformerConfig):
        plans.append(("--recompute selective", replace(plan, recompute=RecomputeConfig("selective"))))
    for parts in (part for part in range(2, plan.batch_size + 1) if plan.batch_size % part == 0):
        split = replace(plan, loop=replace(plan.loop, accumulation=parts))
        plans.append((f"--accumulation {parts}", split))
    tight = replace(plan.loop, accumulation=plan.batch_size)
    plans.append(
        (
            f"--accumulation {plan.batch_size} --recompute block",
            replace(plan, loop=tight, recompute=RecomputeConfig("block")),
        )
    )
    return plans


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
