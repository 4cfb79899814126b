"""The cells written out equal torch's kernels, forward and backward through time."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nlpkit.lm.cells import CELLS, run_cell
from nlpkit.lm.config import RecurrentConfig
from nlpkit.lm.model import build_model


@pytest.mark.parametrize("name", CELLS)
def test_layers_of_cells_equal_the_model(name: str) -> None:
    torch.manual_seed(0)
    config = RecurrentConfig(11, cell=name, n_layer=3, n_embd=6, n_hidden=9)  # type: ignore[arg-type]
    model: Any = build_model(config).double()
    ids = torch.randint(0, 11, (3, 20))
    start = tuple(torch.randn_like(part) for part in model.initial_state(3))
    per_layer = len(start) // 3

    def by_hand() -> Tensor:
        xs: Tensor = model.embedding(ids)
        for index, layer in enumerate(model.layers):
            own = tuple(part[0] for part in start[index * per_layer : (index + 1) * per_layer])
            xs, _ = run_cell(CELLS[name], xs, own, list(layer.parameters()))
        return xs @ model.embedding.weight.T

    logits, _ = model(ids, start)
    torch.testing.assert_close(by_hand(), logits, rtol=1e-9, atol=1e-9)
    ours = torch.autograd.grad(by_hand().sin().sum(), list(model.parameters()))
    torchs = torch.autograd.grad(model(ids, start)[0].sin().sum(), list(model.parameters()))
    for one, other in zip(ours, torchs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
