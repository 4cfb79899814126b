"""Several processes that train one model: torchrun starts them, torch.distributed joins them.

Each process computes its share of a step's rows; DistributedDataParallel or FSDP2 averages the gradients. The
rows of a step are found before they are shared out, and checkpoints hold whole tensors, so a run may go on
with another number of processes.
"""

import gc
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.fsdp import fully_shard
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where this one computes."""

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and reports."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        return self.sum(values) / self.count

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, the same bits in each."""
        if self.count > 1:
            values = values.to(self.device, copy=True)
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in one of them at least."""
        return bool(self.sum(torch.tensor(float(flag))) > 0)

    def first_text(self, text: str) -> str:
        """The first text that is not empty, in the order of the processes."""
        if self.count == 1:
            return text
        texts: list[str] = [""] * self.count
        distributed.all_gather_object(texts, text)
        return next((found for found in texts if found), "")

    def wait(self) -> None:
        """Wait until all have come here."""
        if self.count > 1:
            distributed.barrier()


ALONE = Processes()

_GROUPS = itertools.count()
"""Groups that this process joins, one after the other; it joins the same ones as the others."""


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """This process among those of torchrun (by its WORLD_SIZE, RANK and LOCAL_RANK), or alone.

    A group that is already joined is used and left as it is.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if distributed.is_initialized():
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
        return
    if count == 1:
        yield Processes(device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    store, rank, count = next(rendezvous("env://"))
    # A later group must not read what an earlier one left under the same keys: it would wait for ever at the
    # addresses of sockets that nobody listens to any more.
    store = PrefixStore(f"nlpkit/{next(_GROUPS)}", store)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=count)
    try:
        yield Processes(rank, count, device)
    finally:
        # Wrapped models hold the group in cycles. Once they are gone, destroying it joins gloo's threads,
        # which would otherwise abort the process at its end.
        gc.collect()
        distributed.destroy_process_group()


def spread(module: nn.Module, processes: Processes, *, shard: bool, blocks: Iterable[nn.Module]) -> nn.Module:
    """What to call in place of `module` so that gradients are averaged over the processes.

    Call it before optimizers are made: sharding replaces the parameters.

    Args:
        module: with the same weights in every process.
        processes: alone, `module` itself is returned.
        shard: keep a part of each weight in each process (FSDP2; Zhao et al., 2023), or all of them in
            every one (DistributedDataParallel; Li et al., 2020).
        blocks: the parts of `module` whose weights are gathered one after the other when it is sharded.
    """
    if processes.count == 1:
        return module
    if not shard:
        return DistributedDataParallel(module)
    mesh = init_device_mesh(processes.device.type, (processes.count,))
    for block in blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which each process may hold a part; every process calls it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_state(module: nn.Module) -> dict[str, Tensor]:
    """A module's whole tensors by name; every process calls it."""
    return {name: whole(tensor) for name, tensor in module.state_dict().items()}


def placed_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor as `like` is kept: this process's part of it, or all, on the device of `like`."""
    tensor = tensor.to(like.device)
    if isinstance(like, DTensor):
        # Every process has the whole tensor: nothing needs to be sent.
        return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
    return tensor


def load_whole_state(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put whole tensors into a module.

    Raises:
        RuntimeError: they are not the module's, by name or by shape.
    """
    own = module.state_dict()
    if own.keys() == tensors.keys() and all(own[name].shape == tensors[name].shape for name in own):
        tensors = {name: placed_like(tensor, own[name]) for name, tensor in tensors.items()}
    module.load_state_dict(tensors)
