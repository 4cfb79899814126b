"""Learning curves: what a run read and how well, at equal bytes of text."""

import math
from pathlib import Path

import matplotlib.image
import pytest
import torch

from nlpkit.errors import UsageError
from nlpkit.files import read_json
from nlpkit.lm import compare_runs, plot_curves, train_lm
from nlpkit.lm.compare import read_curve
from nlpkit.training.metrics import read_metrics


@pytest.fixture(scope="module")
def runs(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("compare")
    for name, steps, width in (("short", 4, 16), ("long", 12, 8)):
        train_lm(
            shards, folder / name, preset="char-cpu", n_layer=1, n_head=1, n_embd=width, context_length=16,
            batch_size=4, steps=steps, warmup=0, evaluate_every=2,
        )  # fmt: skip
    return [folder / "short", folder / "long"]


def test_a_curve_says_what_was_read_and_how_well(runs: list[Path]) -> None:
    curve = read_curve(runs[1])
    train = read_json(runs[1] / "config.json")["train"]
    records = read_metrics(runs[1] / "metrics.jsonl")
    per_token = train["text_bytes"] / train["tokens"]
    assert curve.training[-1][0] == pytest.approx(12 * 4 * 16 * per_token)
    assert curve.training[2][1] == pytest.approx(records[2]["loss"] / math.log(2) / per_token)
    assert [bits for _, bits in curve.validation] == [
        record["validation_bits_per_byte"] for record in records if "validation_bits_per_byte" in record
    ]
    assert curve.seconds > 0


def test_reading_a_curve_draws_no_random_numbers(runs: list[Path]) -> None:
    before = torch.random.get_rng_state()
    read_curve(runs[0])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_runs_compare_at_the_bytes_that_all_have_read(runs: list[Path]) -> None:
    comparison = compare_runs(runs)
    short, long = comparison.curves
    assert comparison.equal_bytes == short.training[-1][0]
    assert long.validation_at(comparison.equal_bytes) == min(bits for _, bits in long.validation[:2])
    assert short.validation_at(1) is None


def test_curves_are_drawn(runs: list[Path], tmp_path: Path) -> None:
    plot_curves(compare_runs(runs).curves, tmp_path / "curves.png")
    assert matplotlib.image.imread(tmp_path / "curves.png").std() > 0.02
    assert (runs[0] / "curve.png").is_file()
    with pytest.raises(UsageError, match=r"name it \.png, \.svg or \.pdf"):
        plot_curves(compare_runs(runs).curves, tmp_path / "curves.txt")


def test_a_run_without_steps_is_refused(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((runs[0] / "config.json").read_bytes())
    with pytest.raises(UsageError, match="no finished step"):
        compare_runs([runs[0], tmp_path])


def test_tensorboard_files_hold_the_losses(shards: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra track is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    train_lm(shards, run, preset="char-cpu", n_layer=1, n_embd=16, steps=3, warmup=0, tensorboard=True)
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    losses = [record["loss"] for record in read_metrics(run / "metrics.jsonl")]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses)
