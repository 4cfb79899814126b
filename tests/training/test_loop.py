"""The loop resumes to the same bits, stops when asked, and says at which step a loss broke."""

import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.training import LoopConfig, run_training
from nlpkit.training.checkpoints import latest_checkpoint
from nlpkit.training.metrics import read_metrics

CONFIG = LoopConfig(steps=12, accumulation=3, warmup=2, evaluate_every=4, save_every=5, keep=2)


def losses(out: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(out / "metrics.jsonl")]


def last_weights(out: Path) -> dict[str, torch.Tensor]:
    path = latest_checkpoint(out / "checkpoints")
    assert path is not None
    return {
        f"{name}/{key}": value
        for name in ("model", "optimizer", "carried")
        for key, value in load_file(path / f"{name}.safetensors").items()
    }


def assert_same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture
def uninterrupted(toy_task: Callable[..., Any], tmp_path: Path) -> Path:
    run_training(toy_task(), CONFIG, tmp_path / "whole")
    return tmp_path / "whole"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_signal_inside_a_step_saves_and_resumes_to_the_same_bits(
    toy_task: Callable[..., Any], tmp_path: Path, uninterrupted: Path, part: int, number: int
) -> None:
    task = toy_task()
    task.before_part = lambda step, at: os.kill(os.getpid(), number) if (step, at) == (6, part) else None
    with pytest.raises(KeyboardInterrupt, match=r"after step 7.*--resume"):
        run_training(task, CONFIG, tmp_path / "run")
    assert len(losses(tmp_path / "run")) == 7
    torch.manual_seed(999)  # another process has other random numbers at hand
    figures = run_training(toy_task(), CONFIG, tmp_path / "run", resume=True)
    assert figures.step == 12
    assert losses(tmp_path / "run") == losses(uninterrupted)
    assert_same_bits(last_weights(tmp_path / "run"), last_weights(uninterrupted))


def test_a_run_killed_outright_goes_on_from_its_last_checkpoint(
    toy_task: Callable[..., Any], tmp_path: Path, uninterrupted: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(step: int, part: int) -> None:
        if (step, part) == (8, 1):
            raise Killed

    task = toy_task()
    task.before_part = kill
    with pytest.raises(Killed):
        run_training(task, CONFIG, tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "lo')  # the line that was being written
    run_training(toy_task(), CONFIG, tmp_path / "run", resume=True)
    assert losses(tmp_path / "run") == losses(uninterrupted)
    assert_same_bits(last_weights(tmp_path / "run"), last_weights(uninterrupted))


def test_a_kill_while_saving_leaves_the_checkpoint_before_usable(
    toy_task: Callable[..., Any], tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlpkit.training import checkpoints

    real = checkpoints.write_json

    def killed(path: Path, value: Any) -> None:
        if value.get("step") == 10:
            raise RuntimeError("killed")
        real(path, value)

    monkeypatch.setattr(checkpoints, "write_json", killed)
    with pytest.raises(RuntimeError, match="killed"):
        run_training(toy_task(), CONFIG, tmp_path / "run")
    monkeypatch.undo()
    folder = tmp_path / "run" / "checkpoints"
    (folder / ".step-00000010.abc.tmp").mkdir()  # what a kill leaves, with nobody to clean up
    half = folder / "step-00000011"  # and a folder whose files never reached the disk
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"")
    assert latest_checkpoint(folder) == folder / "step-00000005"
    run_training(toy_task(), CONFIG, tmp_path / "run", resume=True)
    assert not list(folder.glob(".*"))
    assert_same_bits(last_weights(tmp_path / "run"), last_weights(uninterrupted))


def test_damaged_checkpoints_are_passed_over_and_none_left_is_an_error(
    toy_task: Callable[..., Any], tmp_path: Path, uninterrupted: Path
) -> None:
    folder = uninterrupted / "checkpoints"
    newest, older = folder / "step-00000012", folder / "step-00000010"
    assert sorted(folder.iterdir()) == [older, newest]
    data = bytearray((newest / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (newest / "model.safetensors").write_bytes(data)
    assert latest_checkpoint(folder) == older
    (older / "state.json").write_text("{")
    with pytest.raises(CorruptFileError, match="no undamaged checkpoint"):
        run_training(toy_task(), CONFIG, uninterrupted, resume=True)


def test_parts_of_a_batch_add_up_to_the_whole(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    for parts in (1, 3):
        task = toy_task()
        task.module[1].p = 0.0  # dropout differs between the splits, by right
        run_training(task, LoopConfig(steps=5, accumulation=parts), tmp_path / str(parts))
    assert losses(tmp_path / "1") == pytest.approx(losses(tmp_path / "3"), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run_naming_the_step(
    toy_task: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(
        NlpkitError, match=r"the loss became nan at step 8, on the rows of 7; .* in the loss fit: lower --lr"
    ):
        run_training(toy_task(poison=7), CONFIG, tmp_path / "run")
    latest = latest_checkpoint(tmp_path / "run" / "checkpoints")
    assert latest is not None
    assert latest.name == "step-00000005"
    assert len(losses(tmp_path / "run")) == 7


def test_the_best_evaluation_decides_which_weights_stay(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    task = toy_task()
    values = iter([3.0, 1.0, 2.0])
    task.evaluate = lambda: {"held_out": next(values)}
    figures = run_training(task, CONFIG, tmp_path / "run")
    assert (figures.best_step, figures.best) == (8, {"held_out": 1.0})
    records = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [record["step"] for record in records if "held_out" in record] == [4, 8, 12]
    best = load_file(tmp_path / "run" / "model.safetensors")
    last = load_file(tmp_path / "run" / "checkpoints" / "step-00000012" / "model.safetensors")
    assert not torch.equal(best["0.weight"], last["0.weight"])


def test_without_held_out_data_the_last_weights_stay(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    task = toy_task()
    task.evaluate = dict
    figures = run_training(task, CONFIG, tmp_path / "run")
    assert (figures.best_step, figures.best) == (12, None)
    best = load_file(tmp_path / "run" / "model.safetensors")
    assert torch.equal(best["0.weight"], task.module[0].weight)


def test_the_callers_random_numbers_are_left_alone(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    task = toy_task()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run_training(task, LoopConfig(steps=2), tmp_path / "run")
    assert torch.equal(torch.rand(1), expected)


def test_signal_handlers_are_put_back(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run_training(toy_task(), LoopConfig(steps=1), tmp_path / "run")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_two_losses_each_move_their_own_parameters(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    task = toy_task()
    first, second = task.module[0], task.module[2]
    task.optimizers = {
        "first": [torch.optim.SGD(first.parameters(), lr=0.1)],
        "second": [torch.optim.SGD(second.parameters(), lr=0.1)],
    }
    start = [first.weight.clone(), second.weight.clone()]

    def two_losses(batch: Any, step: int) -> dict[str, torch.Tensor]:
        guess = task.module[0](batch[0])
        return {"first": guess.square().mean(), "second": 0.0 * second(guess).mean()}

    task.losses = two_losses
    run_training(task, LoopConfig(steps=1, accumulation=2), tmp_path / "run")
    assert not torch.equal(first.weight, start[0])
    assert torch.equal(second.weight, start[1])
    (record,) = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert {"first", "second", "first_lr", "second_gradient_norm"} <= record.keys()


def test_progress_and_log_are_called_each_step(toy_task: Callable[..., Any], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    logged: list[Any] = []
    run_training(
        toy_task(),
        LoopConfig(steps=3),
        tmp_path / "run",
        progress=lambda *call: seen.append(call),
        log=logged.append,
    )
    assert seen == [("train", step, 3) for step in (1, 2, 3)]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == logged
    assert all(math.isfinite(record["rows_per_second"]) for record in logged)


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"accumulation": 0}, {"keep": 0}, {"warmup": -1}, {"clip": -1.0}, {"decay": 0.0}]
)
def test_impossible_loops_are_refused(bad: dict[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(UsageError, match=f"{name} is"):
        LoopConfig(**bad)


def test_a_damaged_metrics_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(CorruptFileError, match=r"metrics\.jsonl:2 is no JSON"):
        read_metrics(path)
