"""Recurrent language models: embedding, RNN, LSTM or GRU layers on torch's kernels, output layer.

Behind the interface of every language model here, `forward(ids, state, targets)`; the state is the layers'
hidden state (for the LSTM with its cells), so a text can be fed in pieces of any length. What the layers
compute is written out in `cells.py`.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpkit.lm.config import RecurrentConfig
from nlpkit.lm.head import Head
from nlpkit.training.recomputation import KEEP_ALL, run_again

HiddenState: TypeAlias = tuple[Tensor, ...]
"""Each layer's h, or h and c for the LSTM, one layer behind the other; each (1, B, width of the layer)."""

_LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_KERNELS: dict[str, Callable[..., Any]] = {"rnn": torch.rnn_tanh, "lstm": torch.lstm, "gru": torch.gru}
_GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class RecurrentLM(nn.Module):
    """An RNN (Elman, 1990), LSTM (Hochreiter and Schmidhuber, 1997) or GRU (Cho et al., 2014) over tokens."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.n_vocab, config.n_embd)
        self.layers = nn.ModuleList(
            _LAYERS[config.cell](before, after, batch_first=True) for before, after in pairwise(config.widths)
        )
        self.head = Head(self.embedding, tied=config.tied)
        self.recompute = KEEP_ALL
        self._states = 2 if config.cell == "lstm" else 1
        self._initialise()

    def _initialise(self) -> None:
        # Small enough for a tied output layer to begin near the uniform prediction.
        nn.init.normal_(self.embedding.weight, std=self.config.n_embd**-0.5)
        if self.config.cell == "lstm":
            for name, bias in self.layers.named_parameters():
                if name.endswith("bias_ih_l0"):  # remember at first (Jozefowicz et al., 2015)
                    _, forget, _, _ = bias.data.chunk(4)
                    forget.fill_(1.0)

    def forward(
        self, ids: Tensor, state: HiddenState | None = None, targets: Tensor | None = None
    ) -> tuple[Tensor, HiddenState]:
        """Predict the token after each of `ids`.

        Args:
            ids: (B, T).
            state: what an earlier call returned; None begins with zeros.
            targets: (B, T), the tokens that do come after.

        Returns:
            Logits (B, T, V), or with targets their negative log-likelihoods in nats (B, T); and the state
            after the last token.
        """
        state = self.initial_state(len(ids)) if state is None else state
        masks = self._draw_masks(ids)
        weights = [self._layer_weights(layer) for layer in self.layers]
        x = self._drop(self._embed(ids), masks[0])  # (B, T, D)
        x, after = self._through_time(x, state, weights, masks[1:])
        return self.head(x, targets), after

    def initial_state(self, batch_size: int) -> HiddenState:
        """Zeros: the state before any token."""
        like = self.embedding.weight
        widths = self.config.widths[1:]
        shapes = [(1, batch_size, width) for width in widths for _ in range(self._states)]
        # Not `new_zeros`: where the weights are shared out among processes, the state is not.
        return tuple(torch.zeros(shape, dtype=like.dtype, device=like.device) for shape in shapes)

    def matrices(self) -> list[tuple[Tensor, tuple[int, ...]]]:
        """The hidden matrices, each with the rows of the gates that are stacked in it."""
        gates = _GATES[self.config.cell]
        return [
            (parameter, (parameter.size(0) // gates,) * gates)
            for name, parameter in self.layers.named_parameters()
            if "weight" in name
        ]

    # ====================
    # Through the layers
    # ====================

    def _through_time(
        self, x: Tensor, state: HiddenState, weights: list[list[Tensor]], masks: list[Tensor | None]
    ) -> tuple[Tensor, HiddenState]:
        """The last layer's outputs and all last states; in segments of time that are run again."""
        if self.recompute.recompute == "none":
            return self._run_layers(x, state, weights, masks)
        every = self.recompute.recompute_every or math.isqrt(x.size(1) - 1) + 1
        outputs = []
        for piece in torch.split(x, every, dim=1):
            output, state = run_again(self._run_layers, piece, state, weights, masks, config=self.recompute)
            outputs.append(output)
        return torch.cat(outputs, dim=1), state

    def _run_layers(
        self, x: Tensor, state: HiddenState, weights: list[list[Tensor]], masks: list[Tensor | None]
    ) -> tuple[Tensor, HiddenState]:
        kernel = _KERNELS[self.config.cell]
        after: list[Tensor] = []
        for layer, (own, mask) in enumerate(zip(weights, masks, strict=True)):
            before = state[layer * self._states : (layer + 1) * self._states]
            # (..., has biases, layers, dropout between them, training, bidirectional, batch first)
            start = before if self._states == 2 else before[0]
            x, *states = kernel(x, start, own, True, 1, 0.0, self.training, False, True)
            after += states
            x = self._drop(x, mask)
        return x, tuple(after)

    # ====================
    # Dropout
    # ====================

    def _embed(self, ids: Tensor) -> Tensor:
        """The embeddings of ids (B, T); in training whole words are dropped wherever they stand."""
        rate = self.config.word_dropout
        weight = self.embedding.weight
        if self.training and rate > 0:
            weight = weight * F.dropout(weight.new_ones(len(weight), 1), rate)
        return F.embedding(ids, weight)

    def _layer_weights(self, layer: nn.Module) -> list[Tensor]:
        """A layer's weights for its kernel; in training without some of those from its own last state."""
        w_ih, w_hh, b_ih, b_hh = layer.parameters()
        return [w_ih, F.dropout(w_hh, self.config.weight_dropout, self.training), b_ih, b_hh]

    def _draw_masks(self, ids: Tensor) -> list[Tensor | None]:
        """One dropout mask for all of time, for the embeddings and each layer; None where not variational."""
        if not (self.training and self.config.variational and self.config.dropout > 0):
            return [None] * (self.config.n_layer + 1)
        ones = self.embedding.weight.new_ones
        return [F.dropout(ones(len(ids), 1, width), self.config.dropout) for width in self.config.widths]

    def _drop(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return F.dropout(x, self.config.dropout, self.training) if mask is None else x * mask


def detached(state: HiddenState) -> HiddenState:
    """The same values, cut off from the graph that made them (truncated back-propagation through time)."""
    return tuple(part.detach() for part in state)


def join(states: list[HiddenState]) -> HiddenState:
    """One state for the rows of several."""
    return tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))
