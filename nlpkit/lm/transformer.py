"""A decoder-only Transformer with two kinds of block on the same few layers.

- `gpt2` (Radford et al., 2019): LayerNorm before each half, learned positions, GELU, biases; embeddings and
  weights begin at N(0, 0.02), the projections into the residual stream smaller by sqrt(2 n_layer).
- `modern`, what small speed records agree on: RMSNorm (Zhang and Sennrich, 2019) without gain, rotary
  positions (Su et al., 2021), normalised queries and keys (Henry et al., 2020), squared ReLU (So et al.,
  2021, Primer), no biases, and projections into the residual stream that begin at zero, so that each block
  begins as the identity (Zhang et al., 2019, Fixup).

The state of generation is a cache of keys and values, filled by the same `forward`.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nlpkit.errors import UsageError
from nlpkit.lm.config import TransformerConfig
from nlpkit.lm.head import Head
from nlpkit.training.recomputation import KEEP_ALL, run_blocks

ROPE_BASE = 10_000.0
"""Su et al. (2021), section 3.3."""


class KeyValueCache:
    """Keys and values of the tokens so far, in memory set aside once for the whole context.

    `forward` writes into it and advances `length`: a cache continues one text, it is not copied.
    """

    def __init__(self, config: TransformerConfig, batch_size: int, like: Tensor) -> None:
        heads, width = config.n_head, config.n_embd // config.n_head
        shape = (config.n_layer, 2, batch_size, heads, config.context_length, width)
        self.tensor = like.new_zeros(shape)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put a layer's new keys and values (B, H, T, D / H) behind the old ones; all of them."""
        end = self.length + keys.size(2)
        self.tensor[layer, 0, :, :, self.length : end] = keys
        self.tensor[layer, 1, :, :, self.length : end] = values
        return self.tensor[layer, 0, :, :, :end], self.tensor[layer, 1, :, :, :end]


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) of x (B, T, H, D) by its position's angle; cosines, sines (T, 1, D/2)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)


def rotary_angles(length: int, width: int) -> Tensor:
    """The angle of position t and pair i, t · base^(-2i / width), shape (length, 1, width / 2)."""
    frequencies = ROPE_BASE ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.outer(torch.arange(length, dtype=torch.float64), frequencies)[:, None]


def make_norm(config: TransformerConfig) -> nn.Module:
    """LayerNorm with gain and bias, or RMSNorm without either."""
    if config.block == "gpt2":
        return nn.LayerNorm(config.n_embd)
    return nn.RMSNorm(config.n_embd, eps=1e-6, elementwise_affine=False)


class Attention(nn.Module):
    """Causal self-attention of `n_head` heads."""

    def __init__(self, config: TransformerConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        biased = config.block == "gpt2"
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=biased)
        self.projection = nn.Linear(config.n_embd, config.n_embd, bias=biased)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor] | None, cache: KeyValueCache | None) -> Tensor:
        """Mix each position of x (B, T, D) with those before it and those in the cache."""
        batch, length, width = x.shape
        shape = (batch, length, self.config.n_head, width // self.config.n_head)
        q, k, v = (part.view(shape) for part in self.qkv(x).split(width, dim=2))  # (B, T, H, D / H)
        if angles is not None:
            q, k = (rotate(F.rms_norm(part, shape[-1:], eps=1e-6), *angles) for part in (q, k))
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        before = 0
        if cache is not None:
            before = cache.length
            k, v = cache.extend(self.layer, k, v)
        # With earlier tokens in the cache, query t sees keys up to before + t, which is_causal does not mean.
        mask = (
            torch.ones(length, k.size(2), dtype=torch.bool, device=x.device).tril(before) if before else None
        )
        dropout = self.config.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=before == 0)
        mixed: Tensor = self.projection(y.transpose(1, 2).reshape(x.shape))
        return mixed


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
    """Two linear layers around GELU or squared ReLU, four times as wide between."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.block = config.block
        biased = config.block == "gpt2"
        self.expansion = nn.Linear(config.n_embd, 4 * config.n_embd, bias=biased)
        self.projection = nn.Linear(4 * config.n_embd, config.n_embd, bias=biased)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (B, T, D) by itself."""
        x = self.expansion(x)
        x = F.gelu(x, approximate="tanh") if self.block == "gpt2" else _SquaredRelu.apply(x)  # type: ignore[no-untyped-call]
        mixed: Tensor = self.projection(x)
        return mixed


class TransformerBlock(nn.Module):
    """Attention and feed-forward, each added to the residual stream, each behind its norm."""

    def __init__(self, config: TransformerConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor] | None, cache: KeyValueCache | None) -> Tensor:
        """The residual stream (B, T, D) behind this block."""
        x = x + self.dropout(self.attention(self.attention_norm(x), angles, cache))
        after: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return after


class Transformer(nn.Module):
    """The model: embedding, blocks, norm, output layer."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.n_vocab, config.n_embd)
        if config.block == "gpt2":
            self.positions = nn.Embedding(config.context_length, config.n_embd)
        else:
            angles = rotary_angles(config.context_length, config.n_embd // config.n_head)
            self.register_buffer("cosines", angles.cos().float(), persistent=False)
            self.register_buffer("sines", angles.sin().float(), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(TransformerBlock(config, layer) for layer in range(config.n_layer))
        self.norm = make_norm(config)
        self.head = Head(self.embedding, tied=config.tied, softcap=config.softcap)
        self.recompute = KEEP_ALL
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name == "head.weight" or parameter.dim() < 2:
                continue  # zero, and the defaults of norms and biases
            if self.config.block == "gpt2":
                into_stream = name.endswith("projection.weight")
                nn.init.normal_(
                    parameter, std=0.02 / (math.sqrt(2 * self.config.n_layer) if into_stream else 1)
                )
            elif name.endswith("projection.weight"):
                nn.init.zeros_(parameter)
            elif name == "embedding.weight":
                # The norm behind it makes its scale indifferent, so it is set for a tied output layer.
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.normal_(parameter, std=parameter.size(1) ** -0.5)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(
        self, ids: Tensor, state: KeyValueCache | None = None, targets: Tensor | None = None
    ) -> tuple[Tensor, KeyValueCache | None]:
        """Predict the token after each of `ids`.

        Args:
            ids: (B, T).
            state: a cache from `initial_state`, holding the tokens before `ids`; it is extended by them. With
                None nothing comes before and nothing is kept.
            targets: (B, T), the tokens that do come after.

        Returns:
            Logits (B, T, V), or with targets their negative log-likelihoods in nats (B, T); and `state`.

        Raises:
            UsageError: there are more tokens than the context holds.
        """
        begin = 0 if state is None else state.length
        end = begin + ids.size(1)
        if end > self.config.context_length:
            raise UsageError(f"{end} tokens exceed the model's context of {self.config.context_length}.")
        x = self.embedding(ids)  # (B, T, D)
        angles = None
        if self.config.block == "gpt2":
            x = x + self.positions.weight[begin:end]
        else:
            x = self.norm(x)
            angles = (self.cosines[begin:end], self.sines[begin:end])
        x = self.dropout(x)
        x = run_blocks(list(self.blocks), x, angles, state, config=self.recompute)
        if state is not None:
            state.length = end
        return self.head(self.norm(x), targets), state

    def initial_state(self, batch_size: int) -> KeyValueCache:
        """An empty cache for `batch_size` texts."""
        return KeyValueCache(self.config, batch_size, self.embedding.weight)

    def matrices(self) -> list[tuple[nn.Parameter, int]]:
        """The hidden matrices, each with the number of matrices stacked in its rows."""
        return [
            (parameter, 3 if name.endswith("qkv.weight") else 1)
            for name, parameter in self.blocks.named_parameters()
            if parameter.dim() == 2
        ]
