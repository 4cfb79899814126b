"""What every loss does alike: single precision or better inside, unit vectors, reductions.

Half-precision inputs are raised before anything is computed, because that is where contrastive losses break:
exp(1/temperature) overflows float16 below a temperature of 0.09, and a cosine in float16 divided by 0.01 is
off by a tenth.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from nlpkit.errors import UsageError

Reduction = Literal["mean", "sum", "none"]


def at_least_float32(values: Tensor) -> Tensor:
    """Raise float16 and bfloat16 to float32; float32 and float64 stay.

    Raises:
        UsageError: `values` are not floating-point numbers.
    """
    if not values.is_floating_point():
        raise UsageError(f"a loss takes floating-point scores or features, not {values.dtype}.")
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def without_autocast(values: Tensor) -> torch.autocast:
    """A context in which mixed precision leaves the loss alone on the device of `values`."""
    return torch.autocast(values.device.type, enabled=False)


def unit_rows(features: Tensor) -> Tensor:
    """Scale the last axis to length 1, in at least float32.

    A zero vector has no direction: it stays zero and takes no gradient, where dividing by a small constant
    would multiply its gradient by 10^12 or, in half precision, make NaN.
    """
    features = at_least_float32(features)
    norms = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    found = norms > torch.finfo(features.dtype).tiny
    return torch.where(found, features / torch.where(found, norms, 1.0), 0.0)


def reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    """The mean, the sum, or each of the losses as they are.

    Raises:
        UsageError: another reduction, or the mean of no losses.
    """
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if reduction != "mean":
        raise UsageError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}.")
    if losses.numel() == 0:
        raise UsageError("the batch is empty: a mean loss needs at least one example.")
    return losses.mean()


def shape(values: Tensor) -> str:
    """The shape as error messages print it: `3 x 5`."""
    return " x ".join(map(str, values.shape)) or "a scalar"


def check_temperature(temperature: Tensor | float) -> None:
    """Refuse a temperature that is not positive; one in a tensor is not looked at, since a GPU would wait.

    Raises:
        UsageError: as said.
    """
    if not isinstance(temperature, Tensor) and not 0 < temperature < math.inf:
        raise UsageError(f"the temperature must be a positive number, not {temperature}.")


def check_pairs(first: Tensor, second: Tensor) -> None:
    """Refuse features that are not two equal B x D tensors with B at least 1.

    Raises:
        UsageError: as said.
    """
    if first.ndim != 2 or first.shape != second.shape or len(first) == 0:
        raise UsageError(
            f"paired features must both be B x D with B at least 1, not {shape(first)} and {shape(second)}."
        )
