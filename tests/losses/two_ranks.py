"""One of two gloo processes of test_gather.py: python two_ranks.py RANK FOLDER.

Every case trains one step of an encoder under DistributedDataParallel on this rank's part of a batch, and the
same encoder alone on the joined batch; FOLDER/RANK.json says how far loss and gradients are apart.
"""

import copy
import gc
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from nlpkit.losses import InfoNCELoss, MoCoQueue, NTXentLoss, SupConLoss, gather_rows

Criterion = Callable[[bool], nn.Module]
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3, 2])
CASES: dict[str, Criterion] = {
    "InfoNCE": lambda ranks: InfoNCELoss(across_ranks=ranks),
    "InfoNCE, CLIP": lambda ranks: InfoNCELoss(symmetric=True, learn_temperature=True, across_ranks=ranks),
    "NT-Xent": lambda ranks: NTXentLoss(across_ranks=ranks),
    "SupCon": lambda ranks: SupConLoss(across_ranks=ranks),
}


class Encoder(nn.Module):
    """Two views (or one view and labels) through one layer into the criterion."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.criterion = criterion

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        if not second.is_floating_point():
            return self.criterion(self.layer(first), second)
        one, two = self.layer(torch.cat([first, second])).chunk(2)
        return self.criterion(one, two)


def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, list[Tensor]]:
    loss = model(*batch)
    loss.backward()
    return loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]


def distance(name: str, rank: int, cut: int) -> float:
    torch.manual_seed(7)
    first, second = torch.randn(2, 8, 6, dtype=torch.float64)
    batch = (first, LABELS if name == "SupCon" else second)
    part = tuple(rows[:cut] if rank == 0 else rows[cut:] for rows in batch)
    alone = Encoder(CASES[name](False)).double()
    spread = Encoder(CASES[name](True)).double()
    spread.load_state_dict(copy.deepcopy(alone.state_dict()))
    loss, gradients = step(DistributedDataParallel(spread), part)
    distributed.all_reduce(loss)
    expected, expected_gradients = step(alone, batch)
    gaps = [loss / 2 - expected, *(g - e for g, e in zip(gradients, expected_gradients, strict=True))]
    return max(gap.abs().max().item() for gap in gaps)


def queue_distance(rank: int) -> float:
    keys = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    queue, expected = MoCoQueue(3, 4, across_ranks=True), MoCoQueue(3, 4)
    queue.enqueue(keys[:2] if rank == 0 else keys[2:])
    expected.enqueue(keys)
    return (queue.negatives() - expected.negatives()).abs().max().item()


def gather_distance(rank: int) -> float:
    """Rows squared on both ranks with weights of the rank: the gradient is the sum over ranks."""
    rows = torch.tensor([[1.0], [2.0]] if rank == 0 else [[3.0]], requires_grad=True)
    gathered = gather_rows(rows)
    ((rank + 1) * gathered.rows.square()).sum().backward()
    assert rows.grad is not None
    right_rows = (gathered.rows.flatten() - torch.tensor([1.0, 2.0, 3.0])).abs().max()
    right_start = abs(gathered.start - 2 * rank)
    return max(right_rows.item(), right_start, (rows.grad - 3 * 2 * rows.detach()).abs().max().item())


def main() -> None:
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'store'}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=300),
    )
    gaps = {f"{name}, {cut} + {8 - cut}": distance(name, rank, cut) for name in CASES for cut in (4, 5)}
    gaps |= {"queue": queue_distance(rank), "gather": gather_distance(rank)}
    (folder / f"{rank}.json").write_text(json.dumps(gaps), encoding="utf-8")
    # the wrapped models hold the group in cycles: once they are gone, destroying it joins gloo's threads,
    # which at exit would abort the process when they want the interpreter's lock
    gc.collect()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
