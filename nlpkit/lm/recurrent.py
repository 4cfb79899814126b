"""Recurrent language models: embedding, RNN, LSTM or GRU layers on torch's kernels, output layer.

Behind the interface of every language model here, `forward(ids, state, targets)`; the state is the layers'
hidden state (for the LSTM with its cells), so a text can be fed in pieces of any length.
"""

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn

from nlpkit.lm.config import RecurrentConfig
from nlpkit.lm.head import Head
from nlpkit.training.recomputation import KEEP_ALL, run_again

HiddenState: TypeAlias = tuple[Tensor, ...]
"""(h,) or, for the LSTM, (h, c); each (n_layer, B, n_embd)."""

_LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class RecurrentLM(nn.Module):
    """An RNN (Elman, 1990), LSTM (Hochreiter and Schmidhuber, 1997) or GRU (Cho et al., 2014) over tokens."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.n_vocab, config.n_embd)
        self.layers = _LAYERS[config.cell](
            config.n_embd,
            config.n_embd,
            config.n_layer,
            batch_first=True,
            dropout=config.dropout if config.n_layer > 1 else 0.0,  # torch's is between layers only
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(self.embedding, tied=config.tied)
        self.recompute = KEEP_ALL
        self._initialise()

    def _initialise(self) -> None:
        # Small enough for a tied output layer to begin near the uniform prediction.
        nn.init.normal_(self.embedding.weight, std=self.config.n_embd**-0.5)
        if self.config.cell == "lstm":
            for name, bias in self.layers.named_parameters():
                if name.startswith("bias_ih"):  # remember at first (Jozefowicz et al., 2015)
                    bias.data[self.config.n_embd : 2 * self.config.n_embd] = 1.0

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
        x = self.dropout(self.embedding(ids))  # (B, T, D)
        state = self.initial_state(len(ids)) if state is None else state
        x, after = self._through_time(x, state)
        return self.head(self.dropout(x), targets), after

    def _through_time(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """The layers' outputs and last state, in segments where they are to be run again."""
        if self.recompute.recompute == "none":
            return self._run_layers(x, state)
        every = self.recompute.recompute_every or math.isqrt(x.size(1) - 1) + 1
        outputs = []
        for piece in torch.split(x, every, dim=1):
            output, state = run_again(self._run_layers, piece, state, config=self.recompute)
            outputs.append(output)
        return torch.cat(outputs, dim=1), state

    def _run_layers(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        if self.config.cell == "lstm":
            x, after = self.layers(x, state)
            return x, after
        x, hidden = self.layers(x, state[0])
        return x, (hidden,)

    def initial_state(self, batch_size: int) -> HiddenState:
        """Zeros: the state before any token."""
        like = self.embedding.weight
        shape = (self.config.n_layer, batch_size, self.config.n_embd)
        return tuple(like.new_zeros(shape) for _ in range(2 if self.config.cell == "lstm" else 1))

    def matrices(self) -> list[tuple[Tensor, tuple[int, ...]]]:
        """The hidden matrices, each with the rows of the gates that are stacked in it."""
        rows = (self.config.n_embd,) * _GATES[self.config.cell]
        return [(p, rows) for name, p in self.layers.named_parameters() if name.startswith("weight")]


def detached(state: HiddenState) -> HiddenState:
    """The same values, cut off from the graph that made them (truncated back-propagation through time)."""
    return tuple(part.detach() for part in state)


def join(states: list[HiddenState]) -> HiddenState:
    """One state for the rows of several."""
    return tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))
