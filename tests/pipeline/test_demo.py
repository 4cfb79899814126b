"""The demo's recipe for real, on the sample corpus with a model of a few thousand parameters."""

import gzip
import json
import lzma
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from nlpkit.cli import main

from nlpkit.errors import UsageError
from nlpkit.pipeline import Run, demo_recipe, plan_recipe, run_recipe
from nlpkit.pipeline.held_out import held_out_texts
from nlpkit.pipeline.next_steps import next_commands

TINY: Mapping[str, Any] = {
    "corpus.inputs": ["corpus:sample"],
    "tokenizer.vocab_size": 400,
    "words.min_count": 2,
    "embeddings.epochs": 1,
    "embeddings.min_count": 2,
    "embeddings.dim": 8,
    "lm.n_layer": 1,
    "lm.n_head": 2,
    "lm.n_embd": 16,
    "lm.context_length": 32,
    "lm.batch_size": 4,
    "lm.steps": 6,
    "lm.warmup": 1,
    "lm.evaluate_every": 3,
    "lm.save_every": 2,
    "generate.max_tokens": 5,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_recipe(demo_recipe(), out=tmp_path_factory.mktemp("runs") / "demo", overrides=TINY, threads=1)


def test_every_stage_leaves_its_files(run: Run) -> None:
    for file in (
        "corpus/corpus.json",
        "tokenizer/vocabulary.tiktoken",
        "shards/train/index.json",
        "shards/validation/index.json",
        "words/vocabulary/nlpkit.json",
        "embeddings/vectors.npy",
        "lm/model.safetensors",
        "lm/metrics.jsonl",
        "evaluate/evaluation.json",
        "generate/generated.json",
        "report/figures.json",
        "run.json",
        "report.html",
    ):
        assert (run.out / file).is_file(), file
    assert not [path for path in run.out.iterdir() if path.name.endswith((".partial", ".tmp", ".old"))]


def test_the_threads_asked_for_are_recorded(run: Run) -> None:
    assert run.content["made_with"]["threads"] == 1


def test_the_compressors_figures_are_those_of_gzip_and_xz(run: Run) -> None:
    text = b"".join(held_out_texts(run.out / "shards"))
    figures = json.loads((run.out / "evaluate" / "evaluation.json").read_text())
    assert figures["text_bytes"] == len(text)
    assert figures["compressors"] == {
        "gzip -9": 8 * len(gzip.compress(text, 9)) / len(text),
        "xz -9": 8 * len(lzma.compress(text, preset=9)) / len(text),
    }


def test_the_page_shows_this_run_and_no_folder_of_this_machine(run: Run) -> None:
    page = (run.out / "report.html").read_text(encoding="utf-8")
    assert "corpus:sample" in page
    assert f"{run.content['stages']['evaluate']['figures']['bits_per_byte']:.3f}" in page
    for folder in (run.out.parent, Path.cwd(), Path.home(), Path(sys.prefix)):
        assert str(folder) not in page


def test_several_scripts_are_counted(run: Run) -> None:
    scripts = json.loads((run.out / "report" / "figures.json").read_text())["corpus"]["scripts"]
    assert len(scripts) >= 5
    assert sum(share for _, share in scripts) == pytest.approx(1, abs=0.01)


def test_a_second_run_changes_nothing_and_loads_no_torch(run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.out.rglob("*") if path.name != ".lock"}
    code = (
        "import json, pathlib, sys; from nlpkit.pipeline import demo_recipe, run_recipe\n"
        "out, overrides = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])\n"
        "run = run_recipe(demo_recipe(), out=out, overrides=overrides)\n"
        "print({planned.status for planned in run.plan.stages}, {'torch', 'sklearn'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(run.out), json.dumps(dict(TINY))]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "{'done'} set()\n"
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    ("change", "to_do"),
    [
        ({"generate.temperature": 0.5}, {"generate", "report"}),
        ({"lm.steps": 7}, {"lm", "evaluate", "generate", "report"}),
        ({"words.min_count": 3}, {"words", "embeddings", "report"}),
        ({"seed": 2}, {"shards", "embeddings", "lm", "evaluate", "generate", "report"}),
        ({"tokenizer.vocab_size": 410}, {"tokenizer", "shards", "lm", "evaluate", "generate", "report"}),
    ],
)
def test_a_changed_key_redoes_only_what_depends_on_it(
    run: Run, change: Mapping[str, Any], to_do: set[str]
) -> None:
    plan = plan_recipe(demo_recipe(), out=run.out, overrides={**TINY, **change})
    assert {planned.stage.name for planned in plan.stages if planned.status != "done"} == to_do


def test_an_interrupted_model_goes_on_to_the_same_bits(run: Run, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("train", 5):
            raise KeyboardInterrupt

    overrides = {**TINY, "name": "demo"}
    with pytest.raises(KeyboardInterrupt):
        run_recipe(demo_recipe(), out=tmp_path / "run", overrides=overrides, threads=1, progress=stop)
    plan = plan_recipe(demo_recipe(), out=tmp_path / "run", overrides=overrides)
    statuses = {planned.stage.name: planned.status for planned in plan.stages}
    assert (statuses["embeddings"], statuses["lm"], statuses["evaluate"]) == ("done", "resume", "to do")
    steps: list[int] = []
    resumed = run_recipe(
        demo_recipe(),
        out=tmp_path / "run",
        overrides=overrides,
        threads=1,
        progress=lambda phase, done, total: steps.append(done) if phase == "train" else None,
    )
    assert steps == [5, 6]
    for file in ("lm/model.safetensors", "evaluate/evaluation.json", "generate/generated.json"):
        assert (resumed.out / file).read_bytes() == (run.out / file).read_bytes()


@pytest.mark.parametrize("number", range(3))
def test_the_commands_that_it_ends_with_run(
    run: Run, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, command = next_commands(run.content, run.out)[number]
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 20


def test_paths_with_spaces_are_quoted_in_commands() -> None:
    stages = {"lm": {}, "report": {"figures": {"example_word": " it's"}}}
    commands = [shlex.split(command) for _, command in next_commands({"stages": stages}, Path("my runs"))]
    assert commands[0][3] == str(Path("my runs/lm"))
    assert commands[1][-2:] == [str(Path("my runs/embeddings")), " it's"]


def test_without_held_out_text_evaluation_says_what_to_set(tmp_path: Path) -> None:
    recipe = tmp_path / "bare.toml"
    recipe.write_text(
        '[corpus]\ninputs = "corpus:sample"\n[tokenizer]\nvocab_size = 300\n[shards]\nvalidation = 0\n[lm]\n'
        "n_embd = 8\nn_head = 2\nn_layer = 1\nsteps = 1\nbatch_size = 1\ncontext_length = 8\n[evaluate]\n"
    )
    with pytest.raises(UsageError, match=r"\[evaluate\] needs held-out text: set validation above 0"):
        run_recipe(recipe, out=tmp_path / "run")


def test_a_recipe_without_a_model_makes_a_page(tmp_path: Path) -> None:
    recipe = tmp_path / "tokens.toml"
    text = tmp_path / "book.txt"
    text.write_text("one two three two one " * 50)
    recipe.write_text(
        f'[corpus]\ninputs = ["{text.as_posix()}"]\n[tokenizer]\nvocab_size = 265\n'
        "[shards]\nvalidation = 0\n[report]\n"
    )
    run = run_recipe(recipe, out=tmp_path / "run")
    page = (run.out / "report.html").read_text(encoding="utf-8")
    assert "book.txt" in page
    assert str(tmp_path) not in page
    assert "Language model" not in page
