"""What `nlpkit doctor` tells: the installation, the machine, and what about them is poor, in plain words."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.pipeline import machine
from nlpkit.text.corpora import cache_folder

MEMORY_WANTED = 3 * 2**29
"""Bytes of memory that the demo stays within: 1.5 GiB."""
DISK_WANTED = 2**30
"""Bytes of disk that leave room for a corpus, its shards and a few checkpoints: 1 GiB."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Facts by name (None where unknown; sizes in bytes), and one sentence for each thing that is poor."""

    facts: Mapping[str, Any]
    warnings: tuple[str, ...]


def diagnose(folder: Path = Path()) -> Diagnosis:
    """Look at this installation and machine; `folder` is where disk space is asked for.

    A part that cannot be loaded becomes a warning, not an error.
    """
    core, core_warnings = _core()
    torch, torch_warnings = _torch()
    facts = {
        "versions": machine.versions(),
        "system": machine.system(),
        **core,
        **torch,
        "cache": str(cache_folder()),
        "memory": machine.total_memory(),
        "free memory": machine.free_memory(),
        "free disk": shutil.disk_usage(folder).free,
    }
    return Diagnosis(facts, (*core_warnings, *torch_warnings, *_room(facts), *_terminal()))


def _core() -> tuple[dict[str, Any], list[str]]:
    try:
        from nlpkit import _core as core
    except ImportError as error:
        return {"core": None}, [f"the compiled core cannot be loaded ({error}): install nlpkit again."]
    facts = {"core": core.compiler(), "simd": core.simd_level(), "threads": core.resolve_threads()}
    warnings = []
    if facts["simd"] in ("x86-64", "scalar"):
        warnings.append("this processor has no AVX2: everything works, training and encoding are slower.")
    if facts["threads"] == 1:
        warnings.append("only one thread may run here: give the process more processors to train faster.")
    return facts, warnings


def _torch() -> tuple[dict[str, Any], list[str]]:
    try:
        import torch
    except (ImportError, OSError) as error:
        warning = f"torch cannot be loaded ({error}): language models need it; install it again."
        return {"torch devices": None}, [warning]
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    warnings = []
    if torch.version.cuda and len(devices) == 1:
        warnings.append(
            f"torch is built for CUDA {torch.version.cuda} but finds no GPU: models train on the CPU."
        )
    return {"torch devices": devices, "torch threads": torch.get_num_threads()}, warnings


def _room(facts: Mapping[str, Any]) -> list[str]:
    warnings = []
    memory = facts["free memory"]
    if memory is not None and memory < MEMORY_WANTED:
        warnings.append(f"{memory / 2**30:.1f} GiB of memory are free: the demo wants 1.5 GiB.")
    if facts["free disk"] < DISK_WANTED:
        warnings.append(f"{facts['free disk'] / 2**30:.1f} GiB of disk are free here: a run may want 1 GiB.")
    return warnings


def _terminal() -> list[str]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding == "utf8":
        return []
    return [
        f"output is written as {sys.stdout.encoding}: set PYTHONUTF8=1, or text in other scripts may fail."
    ]
