"""Putting a run's model on a device: precision, compilation and its share among processes."""

from dataclasses import dataclass

import torch
from torch import nn

from nlpkit.errors import UsageError
from nlpkit.lm.initial import InitialWeights
from nlpkit.lm.model import LanguageModel, build_model
from nlpkit.lm.presets import TrainingPlan
from nlpkit.lm.transformer import Transformer
from nlpkit.training.device import Precision, choose_precision, measure_peak
from nlpkit.training.processes import Processes, spread


@dataclass(frozen=True)
class Placement:
    """A model where it will be trained."""

    model: LanguageModel
    network: nn.Module
    """What the task calls: `model`, or what shares its work among processes."""
    precision: Precision

    def peak_flops(self) -> float:
        """Of one process's device; measures it, in some tenths of a second."""
        return measure_peak(self.model.embedding.weight.device, self.precision.dtype)


def place_model(
    plan: TrainingPlan,
    processes: Processes,
    *,
    dtype: str,
    compiled: bool | None,
    shard: bool,
    initial: InitialWeights | None = None,
) -> Placement:
    """A new model of `plan` on this process's device, with the same weights in every process.

    Args:
        plan: the run's options; the seed fixes the weights where `initial` does not.
        processes: which of how many this is, and its device.
        dtype: auto, float32 or bfloat16; see `choose_precision`.
        compiled: whether torch.compile is used; None: on CUDA. On a CPU it costs a start of half a minute
            and more, and the products are torch's own (see `nlpkit.training.products`).
        shard: keep a part of the weights in each process; see `spread`.
        initial: the weights to begin with instead of random ones.

    Raises:
        UsageError: the rows of a step can't be shared out, or dtype is not known.
    """
    parts = plan.loop.accumulation * processes.count
    if plan.batch_size % parts:
        raise UsageError(
            f"{processes.count} processes with --accumulation {plan.loop.accumulation} make {parts} parts, "
            f"which do not divide batch_size {plan.batch_size}: choose a multiple of {parts} for it."
        )
    device = processes.device
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(plan.loop.seed)
        model = build_model(plan.model)
    if initial is not None:
        initial.load_into(model)
    model = model.to(device)
    model.recompute = plan.recompute
    precision = _precision(model, plan, processes, dtype)
    if compiled or (compiled is None and device.type == "cuda"):
        model.compile()
    blocks = list(model.blocks) if isinstance(model, Transformer) else []
    network = spread(model, processes, shard=shard, blocks=blocks)
    return Placement(model, network, precision)


def _precision(model: LanguageModel, plan: TrainingPlan, processes: Processes, dtype: str) -> Precision:
    """The first process's choice, in all of them."""
    rows = plan.batch_size // (plan.loop.accumulation * processes.count)
    ids = torch.zeros(rows, plan.model.context_length, dtype=torch.long, device=processes.device)

    def step(dtype: torch.dtype) -> None:
        with (
            torch.random.fork_rng(),
            torch.autocast(processes.device.type, dtype, enabled=dtype != torch.float32),
        ):
            nll, _ = model(ids, targets=ids)
        (nll.sum() / nll.numel()).backward()
        model.zero_grad()

    precision = choose_precision(dtype, step, processes.device)
    halved = processes.sum(torch.tensor(float(processes.first and precision.dtype == torch.bfloat16)))
    chosen = torch.bfloat16 if halved > 0 else torch.float32
    return precision if chosen == precision.dtype else Precision(chosen, "as in the first process")
