"""Finding where a number that is not finite came from."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nlpkit.errors import NlpkitError


class NonFiniteError(NlpkitError):
    """A loss or a gradient became infinite or NaN; the weights are as before the step."""


def find_nonfinite(
    module: nn.Module, losses: Callable[[], Mapping[str, Tensor]], agree: Callable[[str], str]
) -> str:
    """Compute a step again and name the first tensor on the way that is not finite.

    Args:
        module: whose weights, outputs and gradients are looked at, in that order.
        losses: computes the losses again, of the same data and with the same random numbers.
        agree: what the first process that found something found; all go on together or stop together.

    Returns:
        In words, "the output of blocks.3.attention" say; empty when all is finite now.
    """
    weights = (name for name, parameter in module.named_parameters() if not _is_finite(parameter))
    culprit = agree(next((f"the weight {name}" for name in weights), ""))
    if culprit:
        return culprit
    computed, culprit = _watched(module, losses)
    culprit = agree(culprit)
    if culprit:
        return culprit
    torch.autograd.backward(list(computed.values()))
    # Backward runs from the last layer to the first: the last bad gradient is where it began.
    bad = [n for n, p in module.named_parameters() if p.grad is not None and not _is_finite(p.grad)]
    module.zero_grad()
    return agree(f"the gradient of {bad[-1]}" if bad else "")


def _watched(
    module: nn.Module, losses: Callable[[], Mapping[str, Tensor]]
) -> tuple[Mapping[str, Tensor], str]:
    """The losses, and what on the way to them is not finite."""
    found: list[str] = []
    hooks = [
        part.register_forward_hook(partial(_look, found, name or "the model"))
        for name, part in module.named_modules()
    ]
    try:
        computed = losses()
    finally:
        for hook in hooks:
            hook.remove()
    found = [f"the output of {name}" for name in found]
    found += [f"the loss {name}" for name, loss in computed.items() if not _is_finite(loss)]
    return computed, found[0] if found else ""


def _look(found: list[str], name: str, part: nn.Module, inputs: Any, output: Any) -> None:
    if not found and not all(_is_finite(leaf) for leaf in tree_leaves(output) if isinstance(leaf, Tensor)):
        found.append(name)


def _is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())
