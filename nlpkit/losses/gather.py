"""Rows of every rank on every rank, with the gradient that one process with the joined batch would have.

`torch.distributed.all_gather` has no backward pass: through it, a row's gradient holds only what its own rank
did with it. Here the gradients of all ranks are added up for the rank that owns the row, and a loss is
weighted by `share_of_mean`, so that after DistributedDataParallel's mean over the ranks the parameters get
exactly the gradient of the mean over the joined batch, also where the ranks' batches differ in size.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from nlpkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class GatheredRows:
    """The rows of all ranks, in the order of the ranks.

    Attributes:
        rows: (sum of the ranks' B, ...).
        start: where this rank's own rows begin.
    """

    rows: Tensor
    start: int


def gather_rows(local: Tensor, *, across_ranks: bool = True) -> GatheredRows:
    """Gather each rank's (B, ...) rows; B may differ from rank to rank.

    Every rank has to call it, and its backward pass, in the same order. Without an initialised process
    group, in a group of one, or with `across_ranks` false, the rows are returned as they are.

    Raises:
        UsageError: a scalar, which has no rows.
    """
    if local.ndim == 0:
        raise UsageError("only rows can be gathered: a scalar has none.")
    if not across_ranks or _world_size() == 1:
        return GatheredRows(local, 0)
    sizes = _gather_sizes(local)
    rows: Tensor = _GatherRows.apply(local, sizes)  # type: ignore[no-untyped-call]
    return GatheredRows(rows, sum(sizes[: distributed.get_rank()]))


def share_of_mean(total: Tensor, count: int | Tensor, *, across_ranks: bool) -> Tensor:
    """`total / count`, where `count` is of this rank; across ranks, this rank's share of the joint mean.

    The share is total * ranks / (count of all ranks): the mean of the shares is the mean over the joined
    batch. A count of 0 gives 0 rather than NaN.
    """
    counts = torch.as_tensor(count, dtype=total.dtype, device=total.device).clone()
    if across_ranks and _world_size() > 1:
        distributed.all_reduce(counts)
        total = total * _world_size()
    return total / counts.clamp(min=1)


def _world_size() -> int:
    ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if ready else 1


def _gather_sizes(local: Tensor) -> list[int]:
    own = torch.tensor([len(local)], device=local.device)
    sizes = [torch.empty_like(own) for _ in range(_world_size())]
    distributed.all_gather(sizes, own)
    return [int(size) for size in torch.cat(sizes).tolist()]


class _GatherRows(torch.autograd.Function):
    """Forward: all_gather, padded to the largest rank. Backward: sum over ranks, the own rows of it."""

    @staticmethod
    def forward(ctx: Any, local: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        padded = local.new_zeros(max(sizes), *local.shape[1:])
        padded[: len(local)] = local
        parts = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        summed = gradient.contiguous().clone()
        distributed.all_reduce(summed)
        start = sum(ctx.sizes[: distributed.get_rank()])
        return summed[start : start + ctx.sizes[distributed.get_rank()]], None
