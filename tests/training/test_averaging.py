"""The moving average of the weights follows its recurrence, stands in for them, and resumes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from nlpkit.training import LoopConfig, run_training
from nlpkit.training.averaging import WeightAverage
from nlpkit.training.checkpoints import latest_checkpoint


def test_the_average_follows_its_recurrence_and_gives_the_weights_back() -> None:
    module = nn.Linear(3, 2)
    average = WeightAverage(module, 0.75)
    expected = module.weight.detach().clone()
    for value in (1.0, -2.0, 5.0):
        nn.init.constant_(module.weight, value)
        average.update()
        expected = 0.75 * expected + 0.25 * value
    with average.in_place():
        torch.testing.assert_close(module.weight.detach(), expected)
    assert (module.weight == 5.0).all()


def test_the_averaged_weights_are_evaluated_and_kept_and_resume_to_the_same_bits(
    toy_task: Callable[..., Any], tmp_path: Path
) -> None:
    config = LoopConfig(steps=8, average=0.9, save_every=3, evaluate_every=8)
    whole, part = tmp_path / "whole", tmp_path / "part"
    task = toy_task()
    figures = run_training(task, config, whole)
    kept = load_file(whole / "model.safetensors")
    assert figures.best is not None
    assert figures.best["held_out"] == pytest.approx(sum(float(t.square().sum()) for t in kept.values()))
    assert not torch.equal(kept["0.weight"], task.module[0].weight)

    class Killed(BaseException):
        pass

    def kill(step: int, part: int) -> None:
        if step == 5:
            raise Killed

    broken = toy_task()
    broken.before_part = kill
    with pytest.raises(Killed):
        run_training(broken, config, part)
    run_training(toy_task(), config, part, resume=True)
    for name in ("model", "average"):
        one, other = (
            load_file(folder / f"{name}.safetensors")
            for folder in map(latest_checkpoint, (whole / "checkpoints", part / "checkpoints"))
            if folder is not None
        )
        assert all(torch.equal(one[key], other[key]) for key in one)
