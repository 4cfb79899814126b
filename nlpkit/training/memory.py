"""How much memory a step takes, found without taking it.

A step is run once on torch's fake tensors, which have shapes and no data, while the bytes of live tensors are
counted. The count is exact for what torch allocates as tensors; what kernels allocate inside is not seen.
"""

import re
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nlpkit.errors import UsageError

_UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "KI": 2**10,
    "MI": 2**20,
    "GI": 2**30,
    "TI": 2**40,
}


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that are made within it and still live, and the most there were.

    What was there before does not count, nor do views of it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        given = {_storage_key(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and _storage_key(leaf) not in given:
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self.live -= self._sizes.pop(key)


def _storage_key(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


def peak_bytes(prepare: Callable[[], Callable[[], None]], *, fake: bool = True) -> int:
    """The most tensor bytes that live at once while `prepare()` and what it returns run.

    Args:
        prepare: makes a model (on the CPU) and returns a function that runs a step of it.
        fake: run without data; else in earnest, taking the time and the memory.
    """
    count = LiveBytes()
    with torch.random.fork_rng(devices=()), FakeTensorMode() if fake else nullcontext(), count:
        prepare()()
    return count.peak


def parse_bytes(text: str) -> int:
    """Bytes of a size such as 4GB, 512MiB or 1.5G (powers of 1000, with an i of 1024).

    Raises:
        UsageError: `text` is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", text, flags=re.IGNORECASE)
    if match is None:
        raise UsageError(f"{text!r} is no size: write it as 4GB or 512MiB.")
    return int(float(match[1]) * _UNITS[(match[2] or "").upper()])
