"""What Transformer blocks are made of: norms, rotary positions, attention with its cache, feed-forward."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nlpkit.lm.config import Block, TransformerConfig
from nlpkit.training.products import Linear


@dataclass(frozen=True)
class BlockStyle:
    """The choices that make a kind of block."""

    norm: Literal["layer", "rms", "rms without gain"]
    """LayerNorm (Ba et al., 2016) or RMSNorm (Zhang and Sennrich, 2019)."""
    activation: Literal["gelu", "swiglu", "squared relu"]
    """GELU by tanh (Hendrycks and Gimpel, 2016), SwiGLU (Shazeer, 2020) or relu² (So et al., 2021)."""
    bias: bool
    """Whether linear layers have biases."""
    rotary: bool
    """Rotary positions (Su et al., 2021), or learned ones added to the embedding."""
    qk_norm: bool
    """Queries and keys of unit root mean square (Henry et al., 2020)."""
    zero_projections: bool
    """Projections into the residual stream begin at zero, so that a block begins as the identity (Zhang et
    al., 2019, Fixup); else at N(0, 0.02 / sqrt(2 n_layer)) (Radford et al., 2019)."""
    embedding_norm: bool
    """A norm directly behind the embedding, as in nanochat (2025)."""


STYLES: dict[Block, BlockStyle] = {
    "gpt2": BlockStyle("layer", "gelu", True, False, False, False, False),
    "llama": BlockStyle("rms", "swiglu", False, True, False, False, False),
    "modern": BlockStyle("rms without gain", "squared relu", False, True, True, True, True),
}


def make_norm(config: TransformerConfig) -> nn.Module:
    """The norm of the config's kind of block."""
    kind = STYLES[config.block].norm
    if kind == "layer":
        return nn.LayerNorm(config.n_embd, eps=config.norm_eps)
    return nn.RMSNorm(config.n_embd, eps=config.norm_eps, elementwise_affine=kind == "rms")


def rotary_angles(length: int, width: int, base: float) -> Tensor:
    """The angle of position t and pair i, t · base^(-2i / width), shape (length, 1, width / 2)."""
    frequencies = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.outer(torch.arange(length, dtype=torch.float64), frequencies)[:, None]


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) of x (B, T, H, D) by its position's angle; cosines, sines (T, 1, D/2)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)


class KeyValueCache:
    """Keys and values of the tokens so far, in memory set aside once for the whole context.

    `forward` writes into it and advances `length`: a cache continues one text, it is not copied.
    """

    def __init__(self, config: TransformerConfig, batch_size: int, like: Tensor) -> None:
        shape = (config.n_layer, 2, batch_size, config.kv_heads, config.context_length, config.head_width)
        self.tensor = like.new_zeros(shape)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put a layer's new keys and values (B, H, T, D / H) behind the old ones; all of them."""
        end = self.length + keys.size(2)
        self.tensor[layer, 0, :, :, self.length : end] = keys
        self.tensor[layer, 1, :, :, self.length : end] = values
        return self.tensor[layer, 0, :, :, :end], self.tensor[layer, 1, :, :, :end]


class Attention(nn.Module):
    """Causal self-attention; heads of queries may share heads of keys and values (Ainslie et al., 2023)."""

    def __init__(self, config: TransformerConfig, layer: int) -> None:
        super().__init__()
        self.config, self.style, self.layer = config, STYLES[config.block], layer
        self.rows = (config.n_embd, *(2 * [config.kv_heads * config.head_width]))
        """Of queries, keys and values in `qkv`."""
        self.qkv = Linear(config.n_embd, sum(self.rows), bias=self.style.bias)
        self.projection = Linear(config.n_embd, config.n_embd, bias=self.style.bias)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor] | None, cache: KeyValueCache | None) -> Tensor:
        """Mix each position of x (B, T, D) with those before it and those in the cache."""
        shape = (*x.shape[:2], -1, self.config.head_width)  # (B, T, heads, D / H)
        q, k, v = (part.view(shape) for part in torch.split(self.qkv(x), list(self.rows), dim=2))
        if self.style.qk_norm:
            q, k = (F.rms_norm(part, part.shape[-1:], eps=self.config.norm_eps) for part in (q, k))
        if angles is not None:
            q, k = rotate(q, *angles), rotate(k, *angles)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        before = 0
        if cache is not None:
            before = cache.length
            k, v = cache.extend(self.layer, k, v)
        if k.size(1) < q.size(1):
            k, v = (part.repeat_interleave(q.size(1) // k.size(1), dim=1) for part in (k, v))
        y = self._attend(q, k, v, before)
        mixed: Tensor = self.projection(y.transpose(1, 2).flatten(2))
        return mixed

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, before: int) -> Tensor:
        """Attention of the queries behind `before` earlier tokens; a single query sees all keys."""
        dropout = self.config.dropout if self.training else 0.0
        mask = None
        if before and q.size(2) > 1:  # query t sees keys up to before + t, which is_causal does not mean
            mask = torch.ones(q.size(2), k.size(2), dtype=torch.bool, device=q.device).tril(before)
        return F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal=before == 0)


class _SquaredRelu(torch.autograd.Function):
    """relu(x)², whose gradient is 2 · relu(x): half the passes over memory that autograd's own would take."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        slope: Tensor = grad * positive
        return slope.mul_(2)


class FeedForward(nn.Module):
    """Two linear layers with an activation between; SwiGLU's first one makes a gate and a value."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        style = STYLES[config.block]
        self.activation = style.activation
        self.rows = (config.hidden_width,) * (2 if style.activation == "swiglu" else 1)
        """Of the gate and the value in `expansion`, or of the one part."""
        self.expansion = Linear(config.n_embd, sum(self.rows), bias=style.bias)
        self.projection = Linear(config.hidden_width, config.n_embd, bias=style.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (B, T, D) by itself."""
        x = self.expansion(x)
        if self.activation == "gelu":
            x = F.gelu(x, approximate="tanh")
        elif self.activation == "swiglu":
            gate, value = x.chunk(2, dim=-1)
            x = F.silu(gate) * value
        else:
            x = _SquaredRelu.apply(x)  # type: ignore[no-untyped-call]
        mixed: Tensor = self.projection(x)
        return mixed
