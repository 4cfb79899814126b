"""A number that is not finite is traced to where it began; a run may go on past the data that led there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nlpkit.errors import NlpkitError
from nlpkit.training import LoopConfig, run_training
from nlpkit.training.metrics import read_metrics
from nlpkit.training.nonfinite import find_nonfinite


class Root(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs().sqrt()


def found_in(module: nn.Module, x: torch.Tensor) -> str:
    return find_nonfinite(module, lambda: {"fit": module(x).sum()}, lambda text: text)


def test_the_first_bad_tensor_is_named() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(Root(), nn.Linear(2, 1)))
    assert found_in(module, torch.ones(1, 2)) == ""
    nn.init.constant_(module[1][1].weight, torch.inf)
    assert found_in(module, torch.ones(1, 2)) == "the weight 1.1.weight"
    nn.init.constant_(module[1][1].weight, 1.0)
    assert found_in(module, torch.full((1, 2), torch.nan)) == "the output of 0"
    nn.init.constant_(module[1][1].weight, 3e38)
    assert found_in(module, torch.full((1, 2), 1e4)) == "the output of 1.1"
    nn.init.constant_(module[1][1].weight, 1.0)
    nn.init.zeros_(module[0].weight)
    nn.init.zeros_(module[0].bias)  # the root's slope at 0 is infinite
    assert found_in(module, torch.ones(1, 2)) == "the gradient of 0.bias"
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_rollback_goes_back_to_the_checkpoint_and_past_the_bad_data(
    toy_task: Callable[..., Any], tmp_path: Path
) -> None:
    config = LoopConfig(steps=12, save_every=5, on_nonfinite="rollback")
    records: list[dict[str, Any]] = []
    read: list[int] = []
    task = toy_task(poison=7)
    task.before_part = lambda step, part: read.append(step)
    figures = run_training(task, config, tmp_path / "run", log=lambda record: records.append(dict(record)))
    assert figures.step == 12
    assert figures.skipped == 3  # the data of steps 5 to 7
    assert [step for step in read if step != 7] == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 13))
    (message,) = (record["rolled_back"] for record in records if "rolled_back" in record)
    assert message.startswith("the loss became nan at step 8, on the rows of 7")


def test_a_rollback_without_a_checkpoint_or_for_ever_stops(
    toy_task: Callable[..., Any], tmp_path: Path
) -> None:
    config = LoopConfig(steps=12, save_every=5, on_nonfinite="rollback")
    with pytest.raises(NlpkitError, match="nan at step 3"):
        run_training(toy_task(poison=2), config, tmp_path / "early")

    class Broken(toy_task):  # type: ignore[misc]
        def losses(self, batch: Any, step: int) -> Any:
            return {name: loss / (step < 7) for name, loss in super().losses(batch, step).items()}

    with pytest.raises(NlpkitError, match="inf at step 6"):
        run_training(Broken(), config, tmp_path / "always")


def test_a_stop_leaves_weights_and_carried_state_as_before_the_step(
    toy_task: Callable[..., Any], tmp_path: Path
) -> None:
    before: dict[str, torch.Tensor] = {}
    task = toy_task(poison=3)

    def remember(step: int, part: int) -> None:
        if step == 3 and not before:
            before.update({n: p.detach().clone() for n, p in task.module.named_parameters()})
            before["carried"] = task.carried.clone()

    task.before_part = remember
    with pytest.raises(NlpkitError, match="nan at step 4"):
        run_training(task, LoopConfig(steps=5, accumulation=2), tmp_path / "run")
    assert all(torch.equal(before[n], p) for n, p in task.module.named_parameters())
