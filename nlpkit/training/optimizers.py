"""Which parameters which optimizer moves: AdamW or SGD with and without decay, Muon for hidden matrices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from nlpkit.errors import UsageError
from nlpkit.training.muon import Muon


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are moved."""

    optimizer: Literal["adamw", "muon", "sgd"] = "adamw"
    """adamw or sgd for all parameters, or muon for the hidden matrices and adamw for the rest."""
    lr: float = 1e-3
    """The learning rate of AdamW or SGD."""
    muon_lr: float = 0.02
    """Muon's (Jordan et al., 2024)."""
    beta1: float = 0.9
    beta2: float = 0.99
    """AdamW's decay rates; 0.99 rather than Adam's 0.999, as nanoGPT's small runs: they see few steps."""
    momentum: float = 0.0
    """SGD's."""
    weight_decay: float = 0.1
    """Decay of matrices, decoupled in AdamW and Muon; vectors (biases, gains) have none."""

    def __post_init__(self) -> None:
        for name in ("lr", "muon_lr"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}: it must be above 0.")
        for name in ("beta1", "beta2", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must lie in [0, 1).")
        if self.weight_decay < 0:
            raise UsageError(f"weight_decay is {self.weight_decay}: it must not be negative.")


def build_optimizers(
    module: nn.Module,
    config: OptimizerConfig,
    matrices: Sequence[tuple[Tensor, tuple[int, ...]]] = (),
    *,
    dtype: torch.dtype = torch.float32,
) -> list[Optimizer]:
    """The optimizers of one loss.

    Args:
        module: whose trainable parameters are moved, each by exactly one optimizer.
        config: which optimizer and its rates.
        matrices: the hidden matrices and the rows of those stacked in each (see `Muon`); used by muon.
        dtype: of the run's matrix products; used by muon.
    """
    stacks = list(matrices) if config.optimizer == "muon" else []
    taken = {parameter for parameter, _ in stacks}
    rest = [p for p in module.parameters() if p.requires_grad and p not in taken]
    groups = [
        {"params": [p for p in rest if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return [SGD(groups, lr=config.lr, momentum=config.momentum, fused=True)]
    # Fused, which takes a fifth of foreach's time on a CPU too.
    betas = (config.beta1, config.beta2)
    optimizers: list[Optimizer] = [AdamW(groups, lr=config.lr, betas=betas, fused=True)]
    if stacks:
        optimizers.append(Muon(stacks, lr=config.muon_lr, weight_decay=config.weight_decay, dtype=dtype))
    return optimizers
