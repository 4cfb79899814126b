"""`nlpkit lm`: the commands end to end, their errors, and Ctrl-C."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlpkit.lm import PRESETS
from nlpkit.text.shard_writer import ShardWriter
from nlpkit.text.shards import TokenShards
from nlpkit.tokenization import Tokenizer, WordVocabulary, encode_corpus

TINY = ["--preset", "char-cpu", "--n-layer", "1", "--n-embd", "16", "--context-length", "16", "--warmup", "0"]

Run = Callable[..., Any]


class Document:
    text = "the cat sat on the mat and the dog sat on the log\n" * 60


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lm") / "shards"
    vocabulary = WordVocabulary.train([Document.text], unit="character", min_count=1)
    encode_corpus([Document()], vocabulary, out, split="tail")
    return out


@pytest.fixture(scope="module")
def run(nlpkit: Run, shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lm") / "run"
    result = nlpkit("lm", "train", shards, "--out", out, *TINY, "--steps", 5, "--json")
    assert result.code == 0, result.err
    summary = json.loads(result.out)
    assert (summary["steps"], summary["run"]) == (5, str(out))
    assert "step 5  loss" in result.err
    assert "bits/byte" in result.err
    return out


@pytest.fixture(scope="module")
def bpe_run(nlpkit: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the gpt2 block on a byte-level BPE."""
    folder = tmp_path_factory.mktemp("bpe")
    tokenizer = Tokenizer.train([Document.text], vocab_size=270)
    encode_corpus([Document()], tokenizer, folder / "shards", split="tail")
    options = [*TINY, "--block", "gpt2", "--steps", 1]
    assert nlpkit("lm", "train", folder / "shards", "--out", folder / "run", *options).code == 0
    return folder / "run"


def test_evaluate_prints_what_the_training_said(nlpkit: Run, run: Path, shards: Path) -> None:
    result = nlpkit("lm", "evaluate", run, shards, "--json")
    evaluation = json.loads(result.out)
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert evaluation["bits_per_byte"] == pytest.approx(last["validation_bits_per_byte"], rel=1e-6)
    table = nlpkit("lm", "evaluate", run, shards, "--stride", 4).out
    assert "windows of 16 tokens, 4 apart" in table


def test_generate_continues_the_prompt(nlpkit: Run, run: Path) -> None:
    one, other = (nlpkit("lm", "generate", run, "--prompt", "the ", "-n", 20, "--seed", 3) for _ in range(2))
    assert one.out.startswith("the ")
    assert one.out == other.out
    as_json = json.loads(nlpkit("lm", "generate", run, "-p", "the ", "-n", 20, "--seed", 3, "--json").out)
    assert as_json["prompt"] + as_json["text"] == one.out.removesuffix("\n")


def test_verify_and_compare(nlpkit: Run, run: Path, shards: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    assert nlpkit("lm", "train", shards, "--out", longer, *TINY, "--steps", 6, "--save-every", 4).code == 0
    result = nlpkit("lm", "verify", longer, shards, "--json")
    assert (result.code, json.loads(result.out)["equal"]) == (0, True)
    picture = tmp_path / "curves.svg"
    rows = json.loads(nlpkit("lm", "compare", run, longer, "--plot", picture, "--json").out)
    assert [row["run"] for row in rows] == [str(run), str(longer)]
    assert rows[0]["n_vocab"] == rows[1]["n_vocab"]
    assert "<svg" in picture.read_text()
    assert "bits_per_byte" in nlpkit("lm", "compare", run, longer).out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "SHARDS", "--out", "RUN"], 2, "is not empty: go on with its run by --resume"),
        (["train", "RUN", "--out", "NEW"], 2, "train is no shard folder"),
        (["train", "SHARDS", "--out", "NEW", "--preset", "demos"], 2, "did you mean demo?"),
        (["train", "SHARDS", "--out", "NEW", "--n-head", "5"], 2, "n_head 5 does not divide n_embd"),
        (["evaluate", "SHARDS", "SHARDS"], 2, "holds no language model"),
        (["generate", "RUN", "--temperature", "-1"], 2, "temperature is -1.0"),
    ],
)
def test_errors_are_one_sentence(
    refuse: Run, run: Path, shards: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    places = {"SHARDS": shards, "RUN": run, "NEW": tmp_path / "new"}
    assert message in refuse(code, "lm", *(places.get(argument, argument) for argument in arguments))
    assert not (tmp_path / "new").exists()


@pytest.fixture
def damaged(run: Path, shards: Path, bpe_run: Path, tmp_path: Path) -> dict[str, Path]:
    """Runs and shards with one thing wrong with each."""
    folders = {name: tmp_path / name for name in ("cut", "key", "other", "empty")}
    for name in ("cut", "key", "other"):
        shutil.copytree(run, folders[name])
    weights = folders["cut"] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    config = json.loads((run / "config.json").read_text())
    config["model"]["n_heads"] = config["model"].pop("n_head")
    (folders["key"] / "config.json").write_text(json.dumps(config))
    shutil.rmtree(folders["other"] / "vocabulary")
    shutil.copytree(bpe_run / "vocabulary", folders["other"] / "vocabulary")
    shutil.copytree(shards, folders["empty"])
    shutil.rmtree(folders["empty"] / "validation")
    index = TokenShards(shards / "train").index
    with ShardWriter(
        folders["empty"] / "validation", fingerprint=index.fingerprint, n_vocab=index.n_vocab
    ) as writer:
        writer.write([], [], 0)
    return {
        "SHARDS": shards,
        "RUN": run,
        "BPE": bpe_run.parent / "shards",
        "NEW": tmp_path / "new",
        **folders,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "messages"),
    [
        (["evaluate", "RUN", "BPE"], 1, ["vocabulary"]),
        (["evaluate", "other", "SHARDS"], 1, ["vocabulary"]),
        (["evaluate", "cut", "SHARDS"], 1, ["model.safetensors is damaged"]),
        (["generate", "key"], 2, ["unknown key n_heads", "did you mean n_head?"]),
        (["train", "empty", "--out", "NEW"], 2, ["validation is empty", "--validation"]),
        (["train", "SHARDS", "--out", "NEW", "--context-length", "99999"], 2, ["lower --context-length"]),
        (["train", "SHARDS", "--out", "NEW", "--memory", "1MB"], 2, ["--memory"]),
    ],
)
def test_bad_data_and_runs_are_told_in_one_sentence(
    refuse: Run, damaged: dict[str, Path], arguments: list[str], code: int, messages: list[str]
) -> None:
    said = refuse(code, "lm", *(damaged.get(argument, argument) for argument in arguments))
    assert all(message in said for message in messages), said
    if "vocabulary" in messages:  # both are named by their hashes
        assert len(set(re.findall(r"\b[0-9a-f]{12}\b", said))) == 2, said
    assert not damaged["NEW"].exists()


def test_ctrl_c_saves_and_exits_130(nlpkit: Run, program: list[str], shards: Path, tmp_path: Path) -> None:
    command = ["lm", "train", str(shards), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [*program, *command, *TINY, "--steps", "100000"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.is_file() and metrics.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "which is saved in" in errors
    assert "--resume" in errors
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    step = json.loads((checkpoint / "state.json").read_text())["step"]
    assert step == len(metrics.read_text().splitlines())
    result = nlpkit(*command, "--resume", "--steps", 7)
    assert result.code == 2
    assert "begun with steps 100000, not 7" in result.err


def test_the_help_lists_the_presets_of_the_table_without_torch() -> None:
    program = (
        "import sys; from nlpkit.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "lm", "train", "--help"],
        capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for preset in PRESETS:
        assert preset in done.stdout


def test_export_and_import_by_command(nlpkit: Run, bpe_run: Path, tmp_path: Path) -> None:
    assert nlpkit("lm", "export", bpe_run, "--out", tmp_path / "hf").code == 0
    result = nlpkit("lm", "import", tmp_path / "hf", "--out", tmp_path / "again", "--json")
    assert json.loads(result.out)["architecture"] == "GPT2LMHeadModel"
    texts = [nlpkit("lm", "generate", run, "-p", "the", "-n", 9).out for run in (bpe_run, tmp_path / "again")]
    assert texts[0] == texts[1]
    result = nlpkit("lm", "import", tmp_path, "--out", tmp_path / "none")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "config.json does not exist" in result.err
