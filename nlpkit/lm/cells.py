"""What one step of a recurrent layer computes, written out.

The equations that `RecurrentLM` runs on torch's kernels, on the same parameters in the same layout, for
reading and as the tests' reference; back-propagation through time is autograd's, through `run_cell`.

Shapes: x (B, D), h and c (B, H), w_ih (gates × H, D), w_hh (gates × H, H), biases (gates × H,); the gates lie
one below the other in the rows.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

State = tuple[Tensor, ...]
Cell = Callable[[Tensor, State, Sequence[Tensor]], State]
"""(x, state, (w_ih, w_hh, b_ih, b_hh)) -> the next state, whose first tensor is the output."""


def rnn_cell(x: Tensor, state: State, weights: Sequence[Tensor]) -> State:
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman, 1990)."""
    w_ih, w_hh, b_ih, b_hh = weights
    (h,) = state
    return (torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh),)


def lstm_cell(x: Tensor, state: State, weights: Sequence[Tensor]) -> State:
    """c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh(c') (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    The input, forget and output gates i, f, o are sigmoids and the candidate g a tanh of the same sum as in
    `rnn_cell`, each with rows of its own, in the order i, f, g, o.
    """
    w_ih, w_hh, b_ih, b_hh = weights
    h, c = state
    i, f, g, o = (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_cell(x: Tensor, state: State, weights: Sequence[Tensor]) -> State:
    """h' = (1 - z) ⊙ n + z ⊙ h, n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn)) (Cho et al., 2014).

    The reset and update gates r, z are sigmoids; rows in the order r, z, n. As in cuDNN, the reset gate acts
    after the product with W_hn, not before it as in the paper: one product for all three gates.
    """
    w_ih, w_hh, b_ih, b_hh = weights
    (h,) = state
    from_x, from_h = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    size = 2 * h.size(1)
    r, z = torch.sigmoid(from_x[:, :size] + from_h[:, :size]).chunk(2, dim=1)
    n = torch.tanh(from_x[:, size:] + r * from_h[:, size:])
    return ((1 - z) * n + z * h,)


CELLS: dict[str, Cell] = {"rnn": rnn_cell, "lstm": lstm_cell, "gru": gru_cell}


def run_cell(cell: Cell, xs: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
    """A layer: the cell over xs (B, T, D) from left to right; the outputs (B, T, H) and the last state."""
    outputs = []
    for x in xs.unbind(1):
        state = cell(x, state, weights)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state
