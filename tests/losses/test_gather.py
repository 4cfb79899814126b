"""Two ranks are one process with the joined batch: loss and gradients."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nlpkit.errors import UsageError
from nlpkit.losses import gather_rows, info_nce_loss, nt_xent_loss, share_of_mean


def test_two_ranks_have_the_loss_and_gradients_of_the_joined_batch(tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_ranks.py")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in (0, 1)
    ]
    try:
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert all(process.returncode == 0 for process in processes), outputs
    ranks = json.loads(outputs[0][0])
    assert len(ranks) == 2
    for gaps in ranks:
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
