"""One update of the weights."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from nlpkit.training.device import seed_devices
from nlpkit.training.loop_config import LoopConfig
from nlpkit.training.nonfinite import NonFiniteError, find_nonfinite
from nlpkit.training.permutation import hash_key
from nlpkit.training.processes import ALONE, Processes, whole
from nlpkit.training.schedules import rate_factor
from nlpkit.training.task import Task


def train_step(
    task: Task, config: LoopConfig, step: int, *, position: int | None = None, processes: Processes = ALONE
) -> dict[str, float]:
    """One update of the weights: losses, gradient norm and learning rate by name.

    Args:
        task: what is trained.
        config: the run's.
        step: counts from 0; decides the learning rate.
        position: which step's data are read, and with which random numbers; `step` where nothing was skipped.
        processes: among which the step's rows are shared out.

    Raises:
        NonFiniteError: a loss or the gradient is not finite; the weights are as before the step.
    """
    position = step if position is None else position
    factor = rate_factor(
        config.schedule,
        step,
        config.steps,
        warmup=config.warmup,
        final=config.final_lr,
        decay=config.decay,
    )
    carried = {name: tensor.clone() for name, tensor in task.state().items()}
    losses = _backward(task, config, position, processes)
    norms = {name: clip_gradients(_parameters(task, name), config.clip) for name in task.optimizers}
    for what, values in (("loss", losses), ("gradient norm", norms)):
        for value in values.values():
            if not math.isfinite(value):
                task.load_state(carried)
                raise _explain(f"the {what} became {value}", task, config, step, position, processes)
    record = {name if len(losses) > 1 else "loss": loss for name, loss in losses.items()}
    for name, optimizers in task.optimizers.items():
        label = f"{name}_" if len(task.optimizers) > 1 else ""
        record[f"{label}gradient_norm"] = norms[name]
        record[f"{label}lr"] = optimizers[0].param_groups[0]["lr"] * factor
        for optimizer in optimizers:
            with _scaled_lr(optimizer, factor):
                optimizer.step()
            optimizer.zero_grad()
    return record


def _backward(task: Task, config: LoopConfig, position: int, processes: Processes) -> dict[str, float]:
    """Add up the gradients of this process's parts of a step; the mean losses of all processes' parts."""
    seed_devices(_random_seed(config, position, processes))
    totals: dict[str, Tensor] = {}
    for part in range(config.accumulation):
        losses = _losses(task, config, position, part, processes)
        for count, (name, loss) in enumerate(losses.items(), start=1):
            torch.autograd.backward(
                loss / config.accumulation,
                inputs=_parameters(task, name) if len(losses) > 1 else None,
                retain_graph=count < len(losses),
            )
            totals[name] = totals.get(name, 0.0) + loss.detach() / config.accumulation
    means = processes.mean(torch.stack(list(totals.values()))).tolist()
    return dict(zip(totals, means, strict=True))


def _losses(
    task: Task, config: LoopConfig, position: int, part: int, processes: Processes
) -> dict[str, Tensor]:
    """The losses of this process's `part`-th part."""
    parts = config.accumulation * processes.count
    batch = task.batch(position, part * processes.count + processes.rank, parts)
    return dict(task.losses(batch, position))


def _random_seed(config: LoopConfig, position: int, processes: Processes) -> int:
    """Of dropout: another one in each step, and in each process but the first."""
    ranks = [processes.rank] if processes.rank else []
    return hash_key(config.seed, position, *ranks)


def _parameters(task: Task, name: str) -> list[Tensor]:
    return [
        p for optimizer in task.optimizers[name] for group in optimizer.param_groups for p in group["params"]
    ]


def clip_gradients(parameters: list[Tensor], limit: float) -> float:
    """Scale the gradients so that their global norm is at most `limit` (0: leave them); the norm before."""
    return whole(clip_grad_norm_(parameters, limit if limit > 0 else math.inf)).item()


def _explain(
    what: str, task: Task, config: LoopConfig, step: int, position: int, processes: Processes
) -> NonFiniteError:
    """The error that says what broke, where it began and on which data; the gradients are cleared."""
    task.module.zero_grad()
    seed_devices(_random_seed(config, position, processes))
    culprit = ""
    for part in range(config.accumulation):
        losses = partial(_losses, task, config, position, part, processes)
        culprit = culprit or find_nonfinite(task.module, losses, processes.first_text)
    origin = f"; the first number that is not finite is in {culprit}" if culprit else ""
    return NonFiniteError(
        f"{what} at step {step + 1}, on {task.describe(position)}{origin}: lower --lr, raise --warmup, or "
        "look at those data; the checkpoints before it are kept."
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
