"""What torchrun starts twice for test_processes.py: python two_processes.py SHARDS FOLDER STEPS RUN…

Each run is a name of RUNS, trained (or gone on with) in FOLDER/NAME up to STEPS; below the plan's number of
steps it is interrupted there by a signal.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from nlpkit.lm import train_lm

STEPS = 9
COMMON: dict[str, Any] = {
    "preset": "char-cpu", "n_layer": 2, "n_embd": 16, "context_length": 16, "batch_size": 8, "steps": STEPS,
    "warmup": 2, "seed": 3, "dtype": "float32", "device": "cpu", "evaluate_every": 3,
}  # fmt: skip
RUNS: dict[str, dict[str, Any]] = {
    "transformer": {"n_head": 2, "average": 0.9},
    "documents": {"n_head": 2, "data": "documents", "optimizer": "adamw"},
    "sharded": {"n_head": 2, "shard": True, "accumulation": 2},
    "lstm": {"model": "lstm", "accumulation": 2},
    "sharded lstm": {"model": "lstm", "shard": True, "optimizer": "adamw"},
}


def train(shards: Path, folder: Path, name: str, steps: int) -> None:
    """Train a run up to `steps`."""

    def stop(record: Any) -> None:
        if record["step"] == steps - 1:  # the step after it is the last
            os.kill(os.getpid(), signal.SIGTERM)

    options = COMMON | RUNS[name]
    if steps == STEPS:
        train_lm(shards, folder / name, resume=True, **options)
        return
    try:
        train_lm(shards, folder / name, resume=True, log=stop, **options)
    except KeyboardInterrupt:
        return
    raise RuntimeError(f"{name} was not interrupted")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[4:]:  # each joins a group of its own
        train(Path(sys.argv[1]), Path(sys.argv[2]), name, int(sys.argv[3]))
