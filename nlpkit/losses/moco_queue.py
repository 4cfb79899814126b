"""Keys of earlier batches as negatives: MoCo's queue (He et al. 2020, arXiv 1911.05722)."""

import torch
from torch import Tensor, nn

from nlpkit.errors import UsageError
from nlpkit.losses.gather import gather_rows
from nlpkit.losses.numerics import shape, unit_rows


class MoCoQueue(nn.Module):
    """The unit vectors of the latest keys, oldest first out.

    It starts empty rather than with random vectors, so that every negative is one that an encoder made; the
    batch need not divide the size. Keys are stored without gradient. The contents and the position are part
    of the state_dict.

    Args:
        dim: D, the width of a key.
        size: how many keys are kept; 65,536 as in the paper.
        across_ranks: store the keys of all ranks on every rank, so that the queues stay equal.

    Raises:
        UsageError: a dimension or size below 1.
    """

    keys: Tensor

    def __init__(self, dim: int, size: int = 65_536, *, across_ranks: bool = False) -> None:
        super().__init__()
        if dim < 1 or size < 1:
            raise UsageError(f"a queue's dim and size must be at least 1, not {dim} and {size}.")
        self.across_ranks = across_ranks
        self.register_buffer("keys", torch.zeros(size, dim))
        self._enqueued = 0

    def __len__(self) -> int:
        """How many keys are in the queue."""
        return min(self._enqueued, len(self.keys))

    def negatives(self) -> Tensor:
        """A copy of the stored keys, (len(self), D), safe from what is enqueued before the backward pass."""
        return self.keys[: len(self)].clone()

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Store keys, (B, D), after the loss that contrasts them: before it they would be own negatives.

        Raises:
            UsageError: keys of another shape.
        """
        if keys.ndim != 2 or keys.shape[1] != self.keys.shape[1]:
            raise UsageError(f"keys must be B x {self.keys.shape[1]}, not {shape(keys)}.")
        rows = gather_rows(unit_rows(keys), across_ranks=self.across_ranks).rows
        size = len(self.keys)
        skipped = max(0, len(rows) - size)  # only the latest fit
        start = self._enqueued + skipped
        slots = torch.arange(start, start + len(rows) - skipped, device=self.keys.device) % size
        self.keys[slots] = rows[skipped:].to(self.keys)
        self._enqueued += len(rows)

    def get_extra_state(self) -> Tensor:
        """How many keys were ever stored, for the state_dict."""
        return torch.tensor(self._enqueued)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the count from a state_dict."""
        self._enqueued = int(state)
