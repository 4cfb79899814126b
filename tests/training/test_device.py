"""Precision is measured, and what is not there is refused."""

import time

import pytest
import torch

from nlpkit.errors import UsageError
from nlpkit.training.device import choose_device, choose_precision, measure_peak, seed_devices

CPU = torch.device("cpu")


def timed(full: float, half: float) -> str:
    def step(dtype: torch.dtype) -> None:
        time.sleep(full if dtype == torch.float32 else half)

    precision = choose_precision("auto", step, CPU)
    return f"{precision.dtype}: {precision.reason}"


def test_bfloat16_is_taken_only_where_it_is_worthwhile() -> None:
    assert timed(0.1, 0.02).startswith("torch.bfloat16: a step in bfloat16 is ")
    assert timed(0.03, 0.1).startswith("torch.float32: a step in bfloat16 is 0.")
    assert "nothing to gain" in timed(0.001, 0.0)


def test_a_named_dtype_is_taken_without_measuring() -> None:
    assert choose_precision("bfloat16", lambda dtype: 1 / 0, CPU).dtype == torch.bfloat16  # type: ignore[arg-type,return-value]


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="--device tpu is not known"):
        choose_device("tpu")
    with pytest.raises(UsageError, match="--dtype float16 is not known"):
        choose_precision("float16", lambda dtype: None, CPU)
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="--device cuda is not there"):
            choose_device("cuda")
        assert choose_device().type in ("cpu", "mps")


def test_the_measured_peak_is_a_speed() -> None:
    assert 1e8 < measure_peak(CPU, torch.float32) < 1e15


def test_devices_are_seeded_as_torch_does() -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(2**63 + 5)
        expected = torch.rand(5)
        seed_devices(2**63 + 5)
        assert torch.equal(torch.rand(5), expected)
