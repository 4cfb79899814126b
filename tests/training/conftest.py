"""A task small enough to watch: a recurrent cell with dropout on numbers, its state carried."""

from collections.abc import Callable, Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from nlpkit.training import Muon


class ToyTask:
    """Fits a linear map of noisy rows and a carried mean; knows everything that a resume must restore."""

    step_work: Mapping[str, float] = {"rows": 6}

    def __init__(self, poison: int | None = None) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        matrix = self.module[0].weight
        rest = [p for p in self.module.parameters() if p is not matrix]
        self.optimizers: Mapping[str, Sequence[torch.optim.Optimizer]] = {
            "fit": [torch.optim.AdamW(rest, lr=1e-2, fused=True), Muon([(matrix, (8,))], lr=1e-2)]
        }
        self.poison = poison
        self.before_part: Callable[[int, int], None] = lambda step, part: None
        self.carried = torch.zeros(6)

    def batch(self, step: int, part: int, parts: int) -> tuple[Tensor, slice]:
        self.before_part(step, part)
        rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(step))
        share = slice(part * 6 // parts, (part + 1) * 6 // parts)
        return rows[share], share

    def describe(self, step: int) -> str:
        return f"the rows of {step}"

    def losses(self, batch: tuple[Tensor, slice], step: int) -> Mapping[str, Tensor]:
        rows, share = batch
        guess = self.module(rows)[:, 0] + self.carried[share]
        self.carried[share] = 0.5 * guess.detach()
        loss = (guess - rows.sum(1)).square().mean()
        return {"fit": loss * float("nan") if step == self.poison else loss}

    def state(self) -> Mapping[str, Tensor]:
        return {"carried": self.carried}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.carried = state["carried"].clone()

    def evaluate(self) -> Mapping[str, float]:
        with torch.no_grad():
            return {"held_out": float(sum(p.square().sum() for p in self.module.parameters()))}


@pytest.fixture
def toy_task() -> type[ToyTask]:
    return ToyTask
