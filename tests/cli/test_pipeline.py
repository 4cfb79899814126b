"""`nlpkit run` and `nlpkit demo` as a user types them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Done = Callable[..., str]
Refuse = Callable[..., str]

RECIPE = """\
name = "small"

[corpus]
inputs = ["book.txt"]

[tokenizer]
vocab_size = 265

[shards]
validation = 0.1
split = "tail"
"""
MODEL = """
[lm]
steps = 100000
n_embd = 8
n_head = 2
n_layer = 1
batch_size = 1
context_length = 8
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "book.txt").write_text("one two three two one\n" * 50)
    (tmp_path / "small.toml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def done(folder: Path, program: list[str]) -> Done:
    """What a command that succeeds in the folder prints."""

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [*program, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


@pytest.fixture
def refuse(nlpkit: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Run a command that must fail in the folder, after stages that are told; returns its one sentence."""
    monkeypatch.chdir(folder)

    def run(code: int, *arguments: str) -> str:
        ended = nlpkit(*arguments)
        assert ended.code == code, ended.err
        assert ended.err.startswith("nlpkit: ")
        assert ended.err.count("\n") == 1
        return str(ended.err)

    return run


def test_a_run_tells_its_stages_and_how_to_go_on(done: Done) -> None:
    out = done("run", "small.toml")
    assert "1 document, 1.1 kB" in out
    assert "265 tokens" in out
    assert "runs/small/tokenizer" in out
    command = out.splitlines()[-1].strip()
    assert command.startswith("nlpkit tokenizer show --vocabulary runs/small/tokenizer")
    again = done("run", "small.toml")
    assert again.count("as before") == 3


def test_set_dry_run_and_json(done: Done) -> None:
    done("run", "small.toml", "--json", "--out", "out")
    plan = done("run", "small.toml", "-o", "out", "--dry-run", "--set", "tokenizer.vocab_size=262")
    assert [line.split(maxsplit=1)[0] for line in plan.splitlines()[2:]] == ["corpus", "tokenizer", "shards"]
    assert "vocab_size changed from 265 to 262" in plan
    told = json.loads(done("run", "small.toml", "-o", "out", "--dry-run", "--json"))
    assert {stage["status"] for stage in told["stages"]} == {"done"}
    run = json.loads(done("run", "small.toml", "-o", "out", "--json", "--set", "tokenizer.vocab_size=262"))
    assert run["recipe"]["tokenizer"] == {"vocab_size": 262}
    assert run["stages"]["tokenizer"]["figures"]["n_vocab"] == 262


def test_the_demo_is_found_in_the_package(done: Done) -> None:
    out = done("demo", "--dry-run", "--set", "corpus.inputs=book.txt", "--set", "name=mine")
    assert out.startswith(f"mine in {Path('runs/mine')}\n")
    assert "report" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "none.toml"], "none.toml does not exist"),
        (["run", "bad.toml"], "bad.toml is not valid TOML: Expected '=' after a key"),
        (["run", "small.toml", "--set", "tokenizer.size=3"], "no key size: "),
        (["run", "small.toml", "--set", "lm.steps=3"], "has no stage [lm]"),
        (["run", "small.toml", "--set", "tokenizer.vocab_size=many"], "takes a whole number, not 'many'"),
        (["run", "small.toml", "--set", "tokenizer.vocab_size"], "write it as --set STAGE.KEY=VALUE"),
        (["run", "small.toml", "--set", "corpus.inputs=gone.txt"], "gone.txt"),
        (["run", "small.toml", "--set", "corpus.inputs=-"], "save standard input to a file first"),
        (["run", "small.toml", "--set", "tokenizer.vocab_size=100"], "100"),
        (["run", "small.toml", "--set", "tokenizer.pattern=unknown("], "not a valid regex"),
        (["run", "small.toml", "--set", "shards.split=middle"], "middle"),
        (["run", "small.toml", "--out", "book.txt"], "book.txt is a file"),
        (["run", "small.toml", "--out", "."], "holds other files and no run"),
        (["demo", "--set", "lm.stes=3"], "did you mean steps?"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    folder: Path, refuse: Refuse, arguments: list[str], said: str
) -> None:
    (folder / "bad.toml").write_text("[corpus]\ninputs\n")
    assert said in refuse(2, *arguments)


def test_a_vocabulary_that_the_text_cannot_give_is_refused_and_nothing_is_left(
    folder: Path, refuse: Refuse
) -> None:
    assert "--vocab-size 267 at most" in refuse(1, "run", "small.toml", "--set", "tokenizer.vocab_size=5000")
    assert not (folder / "runs" / "small" / "tokenizer").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions bind no administrator")
def test_a_folder_without_permission_is_one_sentence(folder: Path, refuse: Refuse) -> None:
    (folder / "locked").mkdir(mode=0o500)
    assert "locked" in refuse(1, "run", "small.toml", "--out", "locked/run")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that cannot be written")
def test_a_folder_that_cannot_be_made_is_one_sentence(refuse: Refuse) -> None:
    assert "/proc/run" in refuse(1, "run", "small.toml", "--out", "/proc/run")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_saves_the_model_and_the_same_command_goes_on(
    done: Done, program: list[str], folder: Path
) -> None:
    (folder / "small.toml").write_text(RECIPE + MODEL)
    with subprocess.Popen(
        [*program, "run", "small.toml", "--threads", "1"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        metrics = folder / "runs" / "small" / ".lm.partial" / "work" / "metrics.jsonl"
        deadline = time.monotonic() + 60
        while not (metrics.is_file() and metrics.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "nlpkit: interrupted: the same command goes on from here.\n")
    reached = len(metrics.read_text().splitlines())
    plan = json.loads(done("run", "small.toml", "--dry-run", "--json"))
    assert plan["stages"][-1] == {"stage": "lm", "status": "resume", "reason": "it was interrupted"}
    assert any((metrics.parent / "checkpoints").iterdir())
    assert reached >= 1
