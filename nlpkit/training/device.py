"""Where and in which precision to compute: chosen by looking and by measuring, with the reason in words."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from nlpkit.errors import UsageError

WORTHWHILE = 1.5
"""How many times as fast as fp32 bf16 must be to be chosen: its eight bits cost a little accuracy."""

SHORT_STEP = 0.02
"""Seconds: a step below this is not worth choosing for, and too short to measure on a busy machine."""


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; auto takes the first of cuda, mps and cpu that is there.

    Raises:
        UsageError: there is no such device, or none of that name.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, available in there.items() if available)
    if name not in there:
        raise UsageError(f"--device {name} is not known: choose auto, cpu, cuda or mps.")
    if not there[name]:
        raise UsageError(f"--device {name} is not there, or this torch is built without it: choose cpu.")
    return torch.device(name)


def seed_devices(seed: int) -> None:
    """Seed the random numbers of the CPU and of the devices in use.

    torch.manual_seed does so too, but where CUDA is not in use it walks the call stack for a later message,
    which takes as long as a small layer.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


@dataclass(frozen=True)
class Precision:
    """The dtype of matrix products, and why."""

    dtype: torch.dtype
    reason: str


def choose_precision(name: str, step: Callable[[torch.dtype], None], device: torch.device) -> Precision:
    """The dtype of a name; auto runs a step in fp32 and in bf16, and takes bf16 where it is worthwhile.

    On CPUs without instructions for it, bf16 is some 17 times slower than fp32, so no rule by device is safe.

    Args:
        name: auto, float32 or bfloat16.
        step: runs a step in a dtype, leaving nothing behind.
        device: to wait for.

    Raises:
        UsageError: the name is not known.
    """
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if name in named:
        return Precision(named[name], "not measured")
    if name != "auto":
        raise UsageError(f"--dtype {name} is not known: choose auto, float32 or bfloat16.")
    full = _seconds(step, torch.float32, device)
    if full < SHORT_STEP:
        return Precision(torch.float32, f"a step takes {full * 1e3:.1f} ms: nothing to gain by bfloat16")
    half = _seconds(step, torch.bfloat16, device)
    speed = f"a step in bfloat16 is {full / half:.2f} times as fast as in float32 here"
    return Precision(torch.bfloat16 if full / half >= WORTHWHILE else torch.float32, speed)


def measure_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product: the roof of a step's speed."""
    size = 1024 if device.type == "cpu" else 8192
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))

    def multiply(dtype: torch.dtype) -> None:
        torch.mm(a, b)

    return float(2 * size**3 / _seconds(multiply, dtype, device))


def _seconds(step: Callable[[torch.dtype], None], dtype: torch.dtype, device: torch.device) -> float:
    """The shortest of three runs behind a first one that warms up."""
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        step(dtype)
        if device.type == "cuda":
            torch.cuda.synchronize()
        elif device.type == "mps":
            torch.mps.synchronize()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])
