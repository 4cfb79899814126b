"""Time for memory: activations are computed again in the backward pass instead of being kept.

One option for every model (Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost"):

- `none` keeps everything;
- `block` keeps what enters each segment of `recompute_every` blocks and runs it again; for a recurrent model
  the segments are stretches of time, by default the root of their number long. Chen's root rule is wrong for
  Transformers: a block's inner tensors are some fourteen times its input, so longer segments save nothing
  until there are about thirty blocks;
- `selective` runs each block again but for its attention, whose output is kept: most of `block`'s saving for
  little of its time.

Losses and gradients are bit for bit those of `none`, dropout included; only a recurrent model's dropout,
where it is not variational, is drawn in another order.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from nlpkit.errors import UsageError

_ATTENTION = [
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_cudnn_attention.default,
]
"""What scaled_dot_product_attention becomes on the devices at hand."""


@dataclass(frozen=True)
class RecomputeConfig:
    """What of the forward pass is computed twice."""

    recompute: Literal["none", "block", "selective"] = "none"
    """What is run again in the backward pass; see the module."""
    recompute_every: int = 0
    """Blocks, or a recurrent model's time steps, in a segment; 0: one block, or the root of the steps."""

    def __post_init__(self) -> None:
        if self.recompute_every < 0:
            raise UsageError(f"recompute_every is {self.recompute_every}: it must not be negative.")


KEEP_ALL = RecomputeConfig()


def run_again(function: Callable[..., Any], *arguments: Any, config: RecomputeConfig) -> Any:
    """`function(*arguments)`, of which only the arguments are kept for the backward pass.

    With `selective` the outputs of attention are kept too.
    """
    if config.recompute == "none" or not torch.is_grad_enabled():
        return function(*arguments)
    if config.recompute == "block":
        return checkpoint(function, *arguments, use_reentrant=False)
    contexts = functools.partial(create_selective_checkpoint_contexts, _ATTENTION)
    return checkpoint(function, *arguments, use_reentrant=False, context_fn=contexts)


def run_blocks(
    blocks: Sequence[Callable[..., Tensor]], x: Tensor, *arguments: Any, config: RecomputeConfig
) -> Tensor:
    """x through all blocks, each called as `block(x, *arguments)`; `config` says what is kept."""
    every = max(1, config.recompute_every)

    def run(segment: Sequence[Callable[..., Tensor]], x: Tensor) -> Tensor:
        for block in segment:
            x = block(x, *arguments)
        return x

    for begin in range(0, len(blocks), every):
        x = run_again(run, blocks[begin : begin + every], x, config=config)
    return x
