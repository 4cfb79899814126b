"""Two processes that share the work train the same model as one, also when their number changes midway."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlpkit.errors import UsageError
from nlpkit.lm.placement import place_model
from nlpkit.lm.presets import plan_training
from nlpkit.training.processes import Processes

SCRIPT = Path(__file__).with_name("two_processes.py")


def start(shards: Path, folder: Path, steps: int, names: list[str], *, processes: int) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    arguments = [str(SCRIPT), str(shards), str(folder), str(steps), *names]
    done = subprocess.run(
        [sys.executable, *(torchrun if processes > 1 else []), *arguments],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / "step-00000009" / "model.safetensors")


@pytest.fixture(scope="module")
def runs(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each run by one process, by two, and by one, two and one in turn."""
    folder = tmp_path_factory.mktemp("processes")
    names = ["transformer", "documents", "sharded", "lstm", "sharded lstm"]
    start(shards, folder / "one", 9, names, processes=1)
    start(shards, folder / "two", 9, names, processes=2)
    start(shards, folder / "changed", 3, ["sharded", "lstm"], processes=1)
    start(shards, folder / "changed", 6, ["sharded", "lstm"], processes=2)
    start(shards, folder / "changed", 9, ["sharded", "lstm"], processes=1)
    return folder


@pytest.mark.parametrize(
    ("how", "name"),
    [("two", name) for name in ("transformer", "documents", "sharded", "lstm", "sharded lstm")]
    + [("changed", "sharded"), ("changed", "lstm")],
)
def test_the_weights_are_those_of_one_process(runs: Path, how: str, name: str) -> None:
    one, other = weights(runs / "one" / name), weights(runs / how / name)
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(other[key], one[key], rtol=0, atol=1e-6)
    best = [load_file(runs / which / name / "model.safetensors") for which in ("one", how)]
    for key in best[0]:
        torch.testing.assert_close(best[1][key], best[0][key], rtol=0, atol=1e-6)


def test_rows_that_cannot_be_shared_out_are_refused() -> None:
    options: dict[str, Any] = {"batch_size": 6, "accumulation": 2}
    plan = plan_training("char-cpu", options, n_vocab=10)
    with pytest.raises(UsageError, match=r"2 processes with --accumulation 2 make 4 parts.*batch_size 6"):
        place_model(plan, Processes(0, 2), dtype="float32", compiled=False, shard=False)
