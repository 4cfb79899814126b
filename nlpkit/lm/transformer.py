"""A decoder-only Transformer with three kinds of block on the same layers.

- `gpt2` (Radford et al., 2019): LayerNorm before each half, learned positions, GELU, biases.
- `llama` (Touvron et al., 2023): RMSNorm, rotary positions, SwiGLU, no biases, grouped-query attention where
  `n_kv_head` is below `n_head`: what files in Llama's layout hold.
- `modern`, what small speed records agree on: RMSNorm without gain, also behind the embedding, rotary
  positions, normalised queries and keys, squared ReLU, no biases, projections that begin at zero.

Each choice's source stands at `BlockStyle`. The state of generation is a cache of keys and values, filled by
the same `forward`.
"""

import math

from torch import Tensor, nn

from nlpkit.errors import UsageError
from nlpkit.lm.config import TransformerConfig
from nlpkit.lm.head import Head
from nlpkit.lm.layers import STYLES, Attention, FeedForward, KeyValueCache, make_norm, rotary_angles
from nlpkit.training.recomputation import KEEP_ALL, run_blocks


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
        self.config, self.style = config, STYLES[config.block]
        self.embedding = nn.Embedding(config.n_vocab, config.n_embd)
        if self.style.rotary:
            angles = rotary_angles(config.context_length, config.head_width, config.rope_base)
            self.register_buffer("cosines", angles.cos().float(), persistent=False)
            self.register_buffer("sines", angles.sin().float(), persistent=False)
        else:
            self.positions = nn.Embedding(config.context_length, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(TransformerBlock(config, layer) for layer in range(config.n_layer))
        self.norm = make_norm(config)
        self.head = Head(self.embedding, tied=config.tied, softcap=config.softcap)
        self.recompute = KEEP_ALL
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2 and name != "head.weight":  # that one begins at zero
                nn.init.normal_(parameter, std=self._initial_std(name, parameter))

    def _initial_std(self, name: str, parameter: Tensor) -> float:
        """GPT-2's 0.02 (and llama's); with normalised inputs everywhere 1 / sqrt(inputs), as nanochat."""
        into_stream = name.endswith("projection.weight")
        if self.style.zero_projections:
            if into_stream:
                return 0.0
            return 0.02 if name == "embedding.weight" else parameter.size(1) ** -0.5
        return 0.02 / (math.sqrt(2 * self.config.n_layer) if into_stream else 1)

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
        x = self.norm(x) if self.style.embedding_norm else x
        angles = (self.cosines[begin:end], self.sines[begin:end]) if self.style.rotary else None
        x = x if self.style.rotary else x + self.positions.weight[begin:end]
        x = run_blocks(list(self.blocks), self.dropout(x), angles, state, config=self.recompute)
        if state is not None:
            state.length = end
        return self.head(self.norm(x), targets), state

    def initial_state(self, batch_size: int) -> KeyValueCache:
        """An empty cache for `batch_size` texts."""
        return KeyValueCache(self.config, batch_size, self.embedding.weight)

    def matrices(self) -> list[tuple[Tensor, tuple[int, ...]]]:
        """The hidden matrices, each with the rows of the matrices that are stacked in it."""
        found: list[tuple[Tensor, tuple[int, ...]]] = []
        for module in self.blocks.modules():
            if isinstance(module, Attention):
                found += [(module.qkv.weight, module.rows)]
            elif isinstance(module, FeedForward):
                found += [(module.expansion.weight, module.rows)]
            if isinstance(module, Attention | FeedForward):
                found += [(module.projection.weight, (module.projection.out_features,))]
        return found
