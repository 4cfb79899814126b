"""The output layer and its cross-entropy, fused in chunks: whole logits are never built in training.

For tokens × vocabulary logits, autograd would keep three copies (logits, log-softmax and its gradient):
2.3 GiB for 4,096 tokens of GPT-2's vocabulary. Here each chunk of rows makes its logits, its share of the
loss and, at once, its share of the gradient, `(softmax - one_hot)` times the weights and the inputs; only
these small gradients outlive the chunk. No product is computed twice.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nlpkit.training.products import add_product, product

CHUNK_ELEMENTS = 2**21
"""Logits in a chunk on a CPU: 8 MiB of fp32, about what a core's cache holds."""

HALVED_CHUNK_ELEMENTS = 2**23
"""The same for products in bf16, which are so fast that adding up each chunk's gradient would cost more."""

GPU_CHUNK_ELEMENTS = 2**26
"""The same on other devices: 256 MiB, enough to keep them busy."""


def fused_nll(x: Tensor, weight: Tensor, targets: Tensor, softcap: float = 0.0) -> Tensor:
    """-log softmax(x @ weight.T)[target] of each row, never holding more than a chunk of logits.

    The gradient is formed in the forward pass for the usual case that every row's loss has the same weight
    (a mean or a sum); for other weights it is computed again, in chunks too.

    Args:
        x: (N, D).
        weight: (V, D).
        targets: (N,), in [0, V); a negative one is not charged: its row's loss is 0.
        softcap: c > 0 bends the logits to c · tanh(logits / c) (Gemma 2, 2024); 0 leaves them.

    Returns:
        (N,) in nats.
    """
    dtype = _product_dtype(x)
    with torch.autocast(x.device.type, enabled=False):
        nll: Tensor = _FusedNll.apply(x, weight, targets, softcap, dtype)  # type: ignore[no-untyped-call]
    return nll


def _product_dtype(x: Tensor) -> torch.dtype:
    """Of the products with the output layer's weights."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def _chunk_elements(device: torch.device, dtype: torch.dtype) -> int:
    """Logits made at once."""
    if device.type != "cpu":
        return GPU_CHUNK_ELEMENTS
    return HALVED_CHUNK_ELEMENTS if dtype == torch.bfloat16 else CHUNK_ELEMENTS


def cap(logits: Tensor, softcap: float) -> Tensor:
    """c · tanh(logits / c)."""
    return softcap * torch.tanh(logits / softcap) if softcap > 0 else logits


class _FusedNll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, targets: Tensor, softcap: float, dtype: torch.dtype
    ) -> Tensor:
        ctx.softcap, ctx.dtype = softcap, dtype
        wants_gradient = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        nll, *gradients = _pass(x, weight, targets, softcap, dtype, None, gradients=wants_gradient)
        ctx.save_for_backward(x, weight, targets, *gradients)
        return nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, weight, targets, grad_x, grad_weight = ctx.saved_tensors
        # A sum's gradient is one number spread out: that is seen without looking at the numbers.
        if grad.stride() == (0,) or bool((grad == grad[:1]).all()):
            scale = grad[0] if len(grad) else grad.sum()
            return (grad_x * scale).to(x.dtype), grad_weight * scale, None, None, None
        _, grad_x, grad_weight = _pass(x, weight, targets, ctx.softcap, ctx.dtype, grad, gradients=True)
        return grad_x.to(x.dtype), grad_weight, None, None, None


def _pass(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    softcap: float,
    dtype: torch.dtype,
    row_weights: Tensor | None,
    *,
    gradients: bool,
) -> list[Tensor]:
    """The losses and, where asked, the gradients of their (weighted) sum to x and to weight."""
    charged = targets >= 0
    targets = targets.clamp(min=0)
    x, weight = x.to(dtype), weight.to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    nll = x.new_empty(len(x), dtype=wide)
    grad_x = torch.empty_like(x, dtype=wide) if gradients else None
    grad_weight = weight.new_zeros(weight.T.shape, dtype=wide) if gradients else None  # (D, V)
    row_weights = charged.to(dtype) if row_weights is None else (row_weights * charged).to(dtype)
    rows = max(1, _chunk_elements(x.device, dtype) // len(weight))
    for begin in range(0, len(x), rows):
        part = slice(begin, begin + rows)
        logits = cap(product(x[part], weight.T).to(wide), softcap)
        target = targets[part, None]
        nll[part], slope = _softmax(logits, target)
        if grad_x is None or grad_weight is None:
            continue
        slope.scatter_add_(1, target, slope.new_full((1, 1), -1.0).expand_as(target))  # softmax - one_hot
        if softcap > 0:
            slope *= 1 - (logits / softcap).square_()  # tanh' = 1 - tanh²
        slope = slope.to(dtype)
        scale = row_weights[part, None]
        grad_x[part] = product(slope, weight) * scale
        if dtype == wide:
            add_product(grad_weight, (x[part] * scale).T, slope)
        else:
            grad_weight += (x[part] * scale).T @ slope
    nll *= charged
    return [nll] if grad_x is None or grad_weight is None else [nll, grad_x, grad_weight.T.contiguous()]


def _softmax(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """-log softmax(logits)[target] of each row (N,), and softmax(logits) (N, V); target (N, 1)."""
    highest = logits.amax(dim=1, keepdim=True)
    probabilities = torch.softmax(logits, dim=1)
    # The highest logit's probability is exp(0) / sum, so the sum's logarithm needs no second exponential.
    log_sum = -probabilities.amax(dim=1, keepdim=True).log()
    return (highest - logits.gather(1, target) + log_sum)[:, 0], probabilities


class Head(nn.Module):
    """From the last hidden state to logits, or to the loss of each token where targets are given.

    Args:
        embedding: whose weights are shared when `tied` (Press and Wolf, 2017).
        tied: share them, or have weights of its own that begin at zero: the first prediction is uniform.
        softcap: see `fused_nll`.
    """

    def __init__(self, embedding: nn.Embedding, *, tied: bool, softcap: float = 0.0) -> None:
        super().__init__()
        self._embedding = (embedding,)  # in a tuple: it is saved once, where it belongs
        self.weight = None if tied else nn.Parameter(torch.zeros_like(embedding.weight))
        self.softcap = softcap

    def forward(self, x: Tensor, targets: Tensor | None) -> Tensor:
        """Logits (B, T, V) of x (B, T, D), or with targets (B, T) the nats of each token (B, T)."""
        weight = self._embedding[0].weight if self.weight is None else self.weight
        if targets is None:
            return cap(x @ weight.T, self.softcap)
        nll = fused_nll(x.flatten(0, 1), weight, targets.flatten(), self.softcap)
        return nll.view_as(targets).clone()  # no view: FSDP2 hangs its hook on the output
