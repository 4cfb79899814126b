"""`verify_lm`: does a run resume to the bits it had? It replays the steps between its last checkpoints."""

from dataclasses import dataclass
from pathlib import Path

import torch

from nlpkit.errors import UsageError
from nlpkit.lm.data import open_data
from nlpkit.lm.placement import place_model
from nlpkit.lm.run import read_run_config
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.training.averaging import WeightAverage
from nlpkit.training.checkpoints import list_checkpoints, load_checkpoint, load_tensors
from nlpkit.training.device import choose_device
from nlpkit.training.loop import Figures
from nlpkit.training.metrics import read_metrics
from nlpkit.training.processes import Processes
from nlpkit.training.step import train_step


@dataclass(frozen=True)
class Verification:
    """How far the replayed steps are from the recorded ones."""

    first_step: int
    last_step: int
    equal: bool
    """Whether all losses and weights agree bit for bit."""
    loss_difference: float
    """The largest between a step's recorded loss and the replayed one, in nats."""
    weight_difference: float
    """The largest between a weight of the last checkpoint and the replayed one."""


def verify_lm(
    run: Path, shards: Path, *, device: str = "auto", progress: ProgressCallback = no_progress
) -> Verification:
    """Train again from a run's last checkpoint but one to its last one, and compare losses and weights.

    On a CPU, with the same build and number of threads, all bits agree; GPUs add up in another order each
    time. The run is left as it is.

    Args:
        run: a folder that `train_lm` wrote, with two checkpoints (by its option save_every).
        shards: what it was trained on.
        device: see `train_lm`.
        progress: called after each step as ("verify", done, steps).

    Raises:
        UsageError: the run has no two checkpoints, or the shards are not its own.
        CorruptFileError: a checkpoint is damaged.
    """
    config = read_run_config(run)
    training = config.begun(run)
    checkpoints = list_checkpoints(run / "checkpoints")[-2:]
    if len(checkpoints) < 2:
        raise UsageError(f"{run} has no two checkpoints to compare: train with --save-every and --keep 2.")
    data = open_data(shards)
    data.check_belongs(config, run)
    processes = Processes(device=choose_device(device))
    placement = place_model(training.plan, processes, dtype=training.dtype, compiled=None, shard=False)
    task = data.task(training.plan, placement, processes)
    loop = training.plan.loop
    average = WeightAverage(task.module, loop.average) if loop.average else None
    figures = Figures(**load_checkpoint(checkpoints[0], task, average)["figures"])
    recorded = {record["step"]: record["loss"] for record in read_metrics(run / "metrics.jsonl")}
    last = int(checkpoints[1].name.removeprefix("step-"))
    losses = []
    for step in range(figures.step, last):
        loss = train_step(task, loop, step, position=step + figures.skipped)["loss"]
        losses.append(abs(loss - recorded[step + 1]))
        progress("verify", step + 1 - figures.step, last - figures.step)
    weights = load_tensors(checkpoints[1] / "model.safetensors")
    apart = {name: value.cpu() - weights[name] for name, value in task.module.state_dict().items()}
    return Verification(
        first_step=figures.step + 1,
        last_step=last,
        equal=max(losses) == 0 and all(torch.count_nonzero(gap) == 0 for gap in apart.values()),
        loss_difference=max(losses),
        weight_difference=max(float(gap.abs().max()) for gap in apart.values()),
    )
