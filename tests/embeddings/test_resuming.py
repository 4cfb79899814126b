"""Stopping and going on, held-out loss, early stopping: `train_word2vec` over several epochs."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import KeyedVectors, train_word2vec
from nlpkit.embeddings import training_state as states
from nlpkit.embeddings.sampled_training import TorchTrainer, train_sampled_vectors
from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.tokenization import Tokenizer

Write = Callable[..., Path]


class StopAfter:
    """A progress callback that ends training when so many epochs are done."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def __call__(self, phase: str, done: int, total: int) -> None:
        if done > self.epochs * total // 5:  # of five
            raise KeyboardInterrupt


def sentences(count: int, seed: int = 0, words: int = 300) -> list[str]:
    generator = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(words)]
    weights = [1 / (i + 1) for i in range(words)]
    return [" ".join(generator.choices(vocabulary, weights, k=30)) for _ in range(count)]


@pytest.fixture
def shards(write_shards: Write) -> Path:
    """Of 300 words, with held-out text."""
    return write_shards(sentences(150), held_out=sentences(40, seed=1))


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"negatives": "exact"},
        {"architecture": "cbow"},
        {"objective": "hierarchical-softmax"},
        {"patience": 5},
    ],
    ids=str,
)
def test_two_epochs_and_three_are_five(shards: Path, tmp_path: Path, choice: dict[str, Any]) -> None:
    options = {"dim": 10, "epochs": 5, "min_count": 1, **choice}
    whole = train_word2vec(shards, tmp_path / "whole", **options)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_word2vec(shards, out, progress=StopAfter(2), **options)
    assert not out.exists()
    assert json.loads((tmp_path / "out.checkpoint/state.json").read_text())["epoch"] == 2
    phases: list[int] = []
    resumed = train_word2vec(
        shards,
        out,
        resume=True,
        progress=lambda phase, done, total: phases.append(5 * done // total),
        **options,
    )
    assert min(phases) == 3  # the first two epochs were not trained again
    assert resumed.vectors.tobytes() == whole.vectors.tobytes()
    assert not (tmp_path / "out.checkpoint").exists()
    lines = [read_metrics(tmp_path / name) for name in ("whole", "out")]
    for one, other in zip(*lines, strict=True):
        for name in ("epoch", "loss", "held_out_loss", "predictions", "kept"):
            assert one[name] == other[name]


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "choice",
    [
        {"objective": "nce"},
        {"objective": "infonce", "architecture": "cbow", "patience": 5},
        {"objective": "negative-sampling", "architecture": "cbow-sum"},
        {"objective": "sampled-softmax"},
    ],
    ids=str,
)
def test_two_epochs_and_three_are_five_by_torch(
    shards: Path, tmp_path: Path, choice: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlpkit.embeddings.windows.PART_TOKENS", 1000)
    options = {"dim": 10, "epochs": 5, "min_count": 1, "batch": 256, "threads": 1, **choice}
    whole = train_sampled_vectors(shards, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        train_sampled_vectors(shards, tmp_path / "out", progress=StopAfter(2), **options)
    assert json.loads((tmp_path / "out.checkpoint/state.json").read_text())["epoch"] == 2
    resumed = train_sampled_vectors(shards, tmp_path / "out", resume=True, **options)
    assert resumed.vectors.tobytes() == whole.vectors.tobytes()
    assert not (tmp_path / "out.checkpoint").exists()
    lines = [read_metrics(tmp_path / name) for name in ("whole", "out")]
    names = set(lines[0][0]) - {"seconds", "cpu_seconds", "words_per_second"}
    assert {"epoch", "loss", "held_out_loss", "held_out_predictions", "predictions", "words", "kept"} <= names
    for one, other in zip(*lines, strict=True):
        assert {name: one[name] for name in names} == {name: other[name] for name in names}


def test_a_torch_checkpoint_within_an_epoch(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved after each part, as if ten minutes had passed each time, and stopped in the second epoch."""
    options: dict[str, Any] = {"dim": 4, "epochs": 2, "min_count": 1, "batch": 64, "threads": 1, "window": 3}
    monkeypatch.setattr("nlpkit.embeddings.windows.PART_TOKENS", 700)
    monkeypatch.setattr(TorchTrainer, "part_tokens", 700)
    whole = train_sampled_vectors(shards, tmp_path / "whole", **options)
    monkeypatch.setattr("nlpkit.embeddings.epochs.CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr("nlpkit.embeddings.epochs.STRETCH_SECONDS", 0.0)

    def stop(phase: str, done: int, total: int) -> None:
        if done > 0.75 * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_sampled_vectors(shards, tmp_path / "out", progress=stop, **options)
    state = json.loads((tmp_path / "out.checkpoint/state.json").read_text())
    assert (state["epoch"], state["position"] % 700, state["position"] > 700) == (1, 0, True)
    resumed = train_sampled_vectors(shards, tmp_path / "out", resume=True, **options)
    assert resumed.vectors.tobytes() == whole.vectors.tobytes()


def test_a_checkpoint_of_the_other_trainer_is_refused(shards: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"dim": 4, "epochs": 5, "min_count": 1}
    with pytest.raises(KeyboardInterrupt):
        train_word2vec(shards, tmp_path / "out", progress=StopAfter(1), **options)
    with pytest.raises(UsageError, match="was made with trainer 'compiled', not 'torch'"):
        train_sampled_vectors(shards, tmp_path / "out", resume=True, **options)


def test_without_resume_training_starts_over(shards: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"dim": 4, "epochs": 5, "min_count": 1}
    with pytest.raises(KeyboardInterrupt):
        train_word2vec(shards, tmp_path / "out", progress=StopAfter(3), **options)
    train_word2vec(shards, tmp_path / "out", **(options | {"window": 2}))
    assert len(read_metrics(tmp_path / "out")) == 5
    assert not (tmp_path / "out.checkpoint").exists()


def test_resuming_without_a_checkpoint_starts(shards: Path, tmp_path: Path) -> None:
    train_word2vec(shards, tmp_path / "out", dim=4, epochs=1, min_count=1, resume=True)
    assert len(read_metrics(tmp_path / "out")) == 1


def test_a_checkpoint_within_an_epoch(
    shards: Path, tmp_path: Path, write_shards: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corpus of two chunks, saved after the first as if ten minutes had passed."""
    big = write_shards(sentences(9_500, words=50), "big")
    options: dict[str, Any] = {"dim": 2, "epochs": 1, "window": 2, "negative": 1}
    whole = train_word2vec(big, tmp_path / "whole", **options)
    monkeypatch.setattr("nlpkit.embeddings.epochs.CHECKPOINT_SECONDS", -1.0)
    seen: list[dict[str, Any]] = []

    def stop(phase: str, done: int, total: int) -> None:
        path = tmp_path / "out.checkpoint/state.json"
        if path.is_file():
            seen.append(json.loads(path.read_text()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_word2vec(big, tmp_path / "out", progress=stop, **options)
    assert seen[0]["epoch"] == 0
    assert seen[0]["position"] == 2**18
    resumed = train_word2vec(big, tmp_path / "out", resume=True, **options)
    assert resumed.vectors.tobytes() == whole.vectors.tobytes()
    assert read_metrics(tmp_path / "out")[0]["loss"] == pytest.approx(
        read_metrics(tmp_path / "whole")[0]["loss"], rel=1e-12
    )


PROGRAM = """
import sys
from pathlib import Path
from nlpkit.cli import main
sys.argv = ["nlpkit", "embeddings", "train", {shards!r}, "--out", {out!r},
            "--dim", "200", "--epochs", "{epochs}", "--min-count", "1", *{more!r}]
main()
"""


def start(shards: Path, out: Path, epochs: int, *more: str) -> "subprocess.Popen[str]":
    program = PROGRAM.format(shards=str(shards), out=str(out), epochs=epochs, more=list(more))
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        threading.Event().wait(0.02)


def test_ctrl_c_saves_and_exits_130(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(shards, out, 100_000)
    wait_for(tmp_path / "out.checkpoint/state.json", process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "is saved in" in error
    assert "--resume goes on from there" in error
    assert not out.exists()
    assert json.loads((tmp_path / "out.checkpoint/state.json").read_text())["epoch"] > 0


def test_kill_leaves_a_checkpoint_to_resume_from(shards: Path, tmp_path: Path) -> None:
    """Killed at some moment, resumed: the same bits as never stopped."""
    out, epochs = tmp_path / "out", 40
    process = start(shards, out, epochs)
    wait_for(tmp_path / "out.checkpoint/state.json", process)
    process.kill()
    process.communicate()
    again = start(shards, out, epochs, "--resume")
    assert again.wait(timeout=120) == 0
    assert again.stderr is not None
    again.stderr.close()
    whole = train_word2vec(shards, tmp_path / "whole", dim=200, epochs=epochs, min_count=1)
    assert KeyedVectors.load(out).vectors.tobytes() == whole.vectors.tobytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"window": 3},
            "was made with window 5, not 3: give the same settings and corpus, or leave out --resume",
        ),
        ({"epochs": 6}, "was made with epochs 5, not 6"),
        ({"lr": 0.5}, "was made with lr 0.025, not 0.5"),
    ],
)
def test_other_settings_are_refused(shards: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    options: dict[str, Any] = {"dim": 4, "epochs": 5, "min_count": 1}
    with pytest.raises(KeyboardInterrupt):
        train_word2vec(shards, tmp_path / "out", progress=StopAfter(1), **options)
    with pytest.raises(UsageError, match=said):
        train_word2vec(shards, tmp_path / "out", resume=True, **(options | changes))


def test_another_corpus_is_refused(write_shards: Write, tmp_path: Path) -> None:
    text = sentences(100)
    one, other = write_shards(text, "one"), write_shards([*text[1:], text[0]], "other")
    options: dict[str, Any] = {"dim": 4, "epochs": 5}
    with pytest.raises(KeyboardInterrupt):
        train_word2vec(one, tmp_path / "out", progress=StopAfter(1), **options)
    with pytest.raises(UsageError, match="was made with corpus"):
        train_word2vec(other, tmp_path / "out", resume=True, **options)


@pytest.mark.parametrize("damage", ["truncate", "other shape", "no json", "other version", "no field"])
def test_a_damaged_checkpoint_is_told(shards: Path, tmp_path: Path, damage: str) -> None:
    options: dict[str, Any] = {"dim": 4, "epochs": 5, "min_count": 1}
    with pytest.raises(KeyboardInterrupt):
        train_word2vec(shards, tmp_path / "out", progress=StopAfter(1), **options)
    folder = tmp_path / "out.checkpoint"
    state = json.loads((folder / "state.json").read_text())
    if damage == "truncate":
        os.truncate(folder / "input.npy", 200)
    elif damage == "other shape":
        np.save(folder / "output.npy", np.zeros((3, 4), np.float32))
    elif damage == "no json":
        (folder / "state.json").write_text("{")
    elif damage == "other version":
        (folder / "state.json").write_text(json.dumps({**state, "version": 99}))
    else:
        del state["tally"]
        (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(CorruptFileError):
        train_word2vec(shards, tmp_path / "out", resume=True, **options)


# ----- held-out loss and early stopping -----


def test_each_epoch_tells_its_held_out_loss(shards: Path, tmp_path: Path) -> None:
    train_word2vec(shards, tmp_path / "out", dim=10, epochs=4, min_count=1, lr=0.1)
    losses = [line["held_out_loss"] for line in read_metrics(tmp_path / "out")]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] < 6 * np.log(2) + 0.01  # what no knowledge costs: six scores of 0
    assert all(line["held_out_predictions"] > 1000 for line in read_metrics(tmp_path / "out"))


def test_training_stops_when_it_only_learns_by_heart(write_shards: Write, tmp_path: Path) -> None:
    """Text that repeats itself, and held-out text of another kind: from some epoch on it only gets worse."""
    shards = write_shards(["a b c d e f g h"] * 60, held_out=["a h c f e d g b", "h g f e d c b a"] * 5)
    options: dict[str, Any] = {"dim": 20, "epochs": 200, "sample": 0, "lr": 0.5, "window": 1}
    stopped = train_word2vec(shards, tmp_path / "stopped", patience=2, **options)
    losses = [line["held_out_loss"] for line in read_metrics(tmp_path / "stopped")]
    assert len(losses) < 200
    best = losses.index(min(losses))
    assert best == len(losses) - 3
    seen: list[Any] = []
    real = states.save_checkpoint

    def spy(folder: Path, matrices: Any, state: Any, best: Any, settings: Any) -> None:
        seen.append(np.array(matrices["input"]))
        real(folder, matrices, state, best, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nlpkit.embeddings.epochs.save_checkpoint", spy)
        train_word2vec(shards, tmp_path / "again", patience=2, **options)
    np.testing.assert_array_equal(stopped.vectors, seen[best])  # the vectors are those of the best epoch


def test_torch_stops_early_too_and_keeps_the_best(write_shards: Write, tmp_path: Path) -> None:
    """With pieces, whose rows must be those of the best epoch as well."""
    text = ["a b c d e f g h"] * 60
    shards = write_shards(text, held_out=["a h c f e d g b", "h g f e d c b a"] * 5)
    Tokenizer.train(text, vocab_size=262).save(tmp_path / "bpe")
    options: dict[str, Any] = {"dim": 20, "sample": 0, "lr": 0.5, "window": 1, "batch": 64, "threads": 1}
    options |= {"objective": "negative-sampling", "negative": 3, "pieces": tmp_path / "bpe"}
    stopped = train_sampled_vectors(shards, tmp_path / "stopped", patience=2, epochs=100, **options)
    losses = [line["held_out_loss"] for line in read_metrics(tmp_path / "stopped")]
    assert losses.index(min(losses)) == len(losses) - 3 < 97
    assert stopped.pieces is not None
    checkpoint: list[Any] = []
    real = states.save_checkpoint

    def spy(folder: Path, matrices: Any, *more: Any) -> None:
        checkpoint.append(np.array(matrices["input"]))
        real(folder, matrices, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nlpkit.embeddings.epochs.save_checkpoint", spy)
        train_sampled_vectors(shards, tmp_path / "again", patience=2, epochs=100, **options)
    used = stopped.pieces.vectors.any(axis=1)
    best = checkpoint[len(losses) - 3][len(stopped) :]
    np.testing.assert_array_equal(stopped.pieces.vectors[used], best[used])
    assert np.count_nonzero(used) >= 8


# ----- disk full -----


def test_a_full_disk_ends_training_and_leaves_nothing_half(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = np.save

    def full(file: Any, array: Any, **more: Any) -> None:
        if Path(file).name == "output.npy":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        real(file, array, **more)

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(OSError, match="No space left on device"):
        train_word2vec(shards, tmp_path / "out", dim=4, epochs=2, min_count=1)
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
