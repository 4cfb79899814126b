"""Two ranks are one process with the joined batch: loss and gradients."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nlpkit.errors import UsageError
from nlpkit.losses import gather_rows, info_nce_loss, nt_xent_loss, share_of_mean


def start(rank: int, folder: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("two_ranks.py")
    with (folder / f"{rank}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, str(script), str(rank), str(folder)], stdout=log, stderr=subprocess.STDOUT
        )


def test_two_ranks_have_the_loss_and_gradients_of_the_joined_batch(tmp_path: Path) -> None:
    processes = [start(rank, tmp_path) for rank in (0, 1)]
    try:
        codes = [process.wait(timeout=600) for process in processes]  # a few seconds, on a machine at rest
    finally:
        for process in processes:
            process.kill()
            process.wait()
    logs = "".join((tmp_path / f"{rank}.log").read_text(encoding="utf-8") for rank in (0, 1))
    assert codes == [0, 0], logs
    for rank in (0, 1):
        gaps = json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        assert len(gaps) == 10
        assert max(gaps.values()) < 1e-9, gaps


def test_alone_the_rows_are_their_own_gathering() -> None:
    rows = torch.randn(3, 2)
    assert gather_rows(rows).rows is rows
    assert gather_rows(rows).start == 0
    pair = torch.randn(2, 4, 3)
    for loss in (info_nce_loss, nt_xent_loss):
        assert loss(*pair, across_ranks=True).equal(loss(*pair))


def test_a_share_of_nothing_is_zero() -> None:
    assert share_of_mean(torch.tensor(6.0), 4, across_ranks=True).item() == 1.5
    assert share_of_mean(torch.tensor(0.0), 0, across_ranks=True).item() == 0


def test_a_scalar_has_no_rows() -> None:
    with pytest.raises(UsageError, match="only rows can be gathered"):
        gather_rows(torch.tensor(1.0))
