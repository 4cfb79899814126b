"""Muon: momentum whose matrix is made orthogonal before each step (Jordan et al., 2024, "Muon: an optimizer
for hidden layers in neural networks").

The orthogonalisation is five Newton-Schulz iterations in the dtype of the run's matrix products: bf16 where
that is fast, fp32 where it is emulated, as on many CPUs (torch 2.13's own `torch.optim.Muon` always uses
bf16). On a GPU, matrices of one shape are orthogonalised together as one batch. Where the weights are shared
out among processes, each one orthogonalises the whole matrices and keeps its part.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nlpkit.training.processes import placed_like, whole
from nlpkit.training.products import product

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""The quintic's coefficients, chosen by Jordan et al. for the steepest slope at zero."""

ITERATIONS = 5


def orthogonalize(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Each matrix of a batch (..., n, m) with its singular values brought close to 1 (0.7 to 1.2).

    The iterations are computed in `dtype`; bf16 is exact enough for them (Jordan et al.).
    """
    x = matrices.to(dtype)
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x  # the Gram matrix is then the smaller one
    x = (x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)).contiguous()
    if x.dim() > 2 and x.device.type == "cpu":  # one by one: oneDNN's products, which are not batched, win
        x = torch.stack([_iterate(single) for single in x.flatten(0, -3)]).view_as(x)
    else:
        x = _iterate(x)
    result: Tensor = (x.mT if tall else x).to(matrices.dtype)
    return result


def _iterate(x: Tensor) -> Tensor:
    """The Newton-Schulz iterations x <- a x + b (x xT) x + c (x xT)² x."""
    a, b, c = NEWTON_SCHULZ
    # Of scale · x the last coefficient is 1, and a product and a sum become one operation.
    scale: float = c**0.25
    x = scale * x
    b /= scale**2
    for _ in range(ITERATIONS):
        gram = product(x, x.mT)
        x = product(product(gram, gram, b * gram), x, a * x)
    return x / scale


class Muon(torch.optim.Optimizer):
    """Muon for the hidden weight matrices; everything else belongs to AdamW.

    Args:
        stacks: each parameter with the rows of the matrices that are stacked in it (three parts for a fused
            query-key-value projection, four for an LSTM's gates); each part is orthogonalised by itself.
        lr: the learning rate; an update has this times the root of max(1, rows / columns) as spectral norm.
        momentum: Nesterov's; 0.95 as Jordan et al.
        weight_decay: decoupled, times the learning rate.
        dtype: of the orthogonalisation.
    """

    def __init__(
        self,
        stacks: Iterable[tuple[Tensor, tuple[int, ...]]],
        *,
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        stacks = list(stacks)
        self._dtype = dtype
        self._rows = dict(stacks)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([parameter for parameter, _ in stacks], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            same_shape: dict[torch.Size, list[tuple[Tensor, int, Tensor]]] = defaultdict(list)
            updates: dict[Tensor, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    sizes = list(self._rows[parameter])
                    moments = torch.split(whole(self._momentum(parameter, group["momentum"])), sizes)
                    updates[parameter] = list(moments)
                    for index, moment in enumerate(moments):
                        same_shape[moment.shape].append((parameter, index, moment))
            for (rows, columns), places in same_shape.items():
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                orthogonal = orthogonalize(torch.stack([moment for *_, moment in places]), self._dtype)
                for (parameter, index, _), update in zip(places, orthogonal.mul_(scale), strict=True):
                    updates[parameter][index] = update
            for parameter, parts in updates.items():
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(placed_like(torch.cat(parts), parameter))

    def _momentum(self, parameter: Tensor, momentum: float) -> Tensor:
        """Fold the gradient into the buffer; Nesterov's look-ahead of it."""
        state: dict[str, Any] = self.state[parameter]
        gradient = parameter.grad
        if gradient is None:
            raise ValueError("a parameter without a gradient has no update")
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum"]
        buffer.lerp_(gradient, 1 - momentum)
        return gradient.lerp(buffer, momentum)
