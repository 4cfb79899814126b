"""The machinery on small stages: what runs, what is skipped, what interruptions and wrong folders leave."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.pipeline.run import plan_recipe, run_recipe

ALL = ["text", "count", "step 0", "step 1", "step 2"]


def test_a_run_leaves_a_folder_a_stage_and_a_record_of_itself(pipeline) -> None:
    run = pipeline.run()
    assert pipeline.ran == ALL
    assert {path.name for path in pipeline.out.iterdir()} == {"text", "count", "train", "run.json", ".lock"}
    content = json.loads((pipeline.out / "run.json").read_text())
    assert content == run.content
    assert content["name"] == "small"
    assert content["recipe"]["count"] == {"rate": 0.5, "seed": 7}
    assert content["stages"]["count"]["figures"] == {"rate": 0.5}
    assert content["stages"]["count"]["line"] == "a count"
    assert content["stages"]["count"]["seconds"] >= 0
    assert content["peak_memory"] is None or content["peak_memory"] > 2**20
    assert content["made_with"]["versions"]["nlpkit"]
    assert content["made_with"]["threads"] >= 1


def test_a_second_run_does_nothing_and_changes_no_file(pipeline) -> None:
    pipeline.run()
    before = pipeline.files()
    pipeline.run()
    assert pipeline.ran == []
    assert pipeline.files() == before


def test_a_changed_key_redoes_what_depends_on_it(pipeline) -> None:
    pipeline.run()
    pipeline.run(train__steps=4)
    assert pipeline.ran == ["step 0", "step 1", "step 2", "step 3"]
    pipeline.run(count__rate=0.25, train__steps=4)
    assert pipeline.ran[0] == "count"
    assert "text" not in pipeline.ran
    assert "step 3" in pipeline.ran


def test_a_key_set_to_what_it_was_redoes_nothing(pipeline) -> None:
    pipeline.run()
    pipeline.run(train__steps=3, seed=7)
    assert pipeline.ran == []


def test_changed_text_outside_redoes_everything(pipeline) -> None:
    pipeline.run()
    pipeline.source.write_text("other text")
    assert pipeline.statuses()["text"] == ("to do", "the text that it reads changed")
    assert pipeline.statuses()["count"] == ("to do", "text changed")
    pipeline.run()
    assert pipeline.ran == ALL


def test_a_plan_tells_what_is_to_do_and_why_and_writes_nothing(pipeline) -> None:
    assert pipeline.statuses() == dict.fromkeys(["text", "count", "train"], ("to do", "it has not run yet"))
    assert not pipeline.out.exists()
    pipeline.run()
    before = pipeline.files()
    assert pipeline.statuses() == dict.fromkeys(["text", "count", "train"], ("done", "nothing changed"))
    assert pipeline.statuses(count__rate=1.5) == {
        "text": ("done", "nothing changed"),
        "count": ("to do", "rate changed from 0.5 to 1.5"),
        "train": ("to do", "count changed"),
    }
    assert pipeline.statuses(text__lines=True)["text"] == (
        "to do",
        "lines changed from the default to true",
    )
    assert pipeline.files() == before


def test_another_release_redoes_everything(pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.run()
    monkeypatch.setattr("nlpkit.pipeline.plan.__version__", "99.0")
    status, reason = pipeline.statuses()["text"]
    assert status == "to do"
    assert "this is 99.0" in reason


def test_a_stage_uses_what_the_recipe_has_and_publishes_at_every_end(pipeline) -> None:
    pipeline.recipe.write_text(pipeline.recipe.read_text() + "[page]\n")
    pipeline.run()
    assert json.loads((pipeline.out / "page" / "stage.json").read_text())["figures"] == {
        "inputs": ["count", "train"]
    }
    (pipeline.out / "report.html").unlink()
    pipeline.run()
    assert pipeline.ran == []
    assert (pipeline.out / "report.html").read_text() == (pipeline.out / "run.json").read_text()


def test_callbacks_hear_of_stages_and_progress(pipeline) -> None:
    phases, stages = [], []
    for _ in range(2):
        run_recipe(
            pipeline.recipe,
            stages=pipeline.stages,
            out=pipeline.out,
            progress=lambda phase, done, total: phases.append((phase, done, total)),
            stage_done=lambda planned, record: stages.append((planned.status, record.line)),
        )
    assert phases == [("counting", 1, 1)]
    assert stages == [(s, line) for s in ("to do", "done") for line in ("a text", "a count", "a model")]


# ---- interruptions ----------------------------------------------------------------------------------


def test_ctrl_c_leaves_a_run_that_goes_on(pipeline) -> None:
    pipeline.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    assert not (pipeline.out / "train").exists()
    assert pipeline.statuses()["train"] == ("resume", "it was interrupted")
    pipeline.stop_at = None
    pipeline.run()
    assert pipeline.ran == ["step 2"]
    assert (pipeline.out / "train" / "steps").read_text() == "0\n1\n2\n"
    assert {path.name for path in (pipeline.out / "train").iterdir()} == {"steps", "stage.json"}
    pipeline.run()
    assert pipeline.ran == []


def test_time_spent_before_an_interruption_counts(pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    pipeline.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    spent = json.loads((pipeline.out / ".train.partial" / "stage.partial.json").read_text())["seconds"]
    pipeline.stop_at = None
    run = pipeline.run()
    assert spent > 0
    assert run.content["stages"]["train"]["seconds"] == spent + 100


def test_an_interrupted_stage_starts_afresh_when_its_keys_have_changed(pipeline) -> None:
    pipeline.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    pipeline.stop_at = None
    assert pipeline.statuses(train__steps=4)["train"][0] == "to do"
    pipeline.run(train__steps=4)
    assert pipeline.ran == ["step 0", "step 1", "step 2", "step 3"]


def test_an_unreadable_partial_folder_is_made_anew(pipeline) -> None:
    pipeline.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    (pipeline.out / ".train.partial" / "stage.partial.json").write_text("{")
    pipeline.stop_at = None
    pipeline.run()
    assert pipeline.ran == ["step 0", "step 1", "step 2"]


def test_a_full_disk_leaves_no_half_of_a_stage(pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "text.txt")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        pipeline.run()
    monkeypatch.undo()
    assert not (pipeline.out / "text").exists()
    assert not list(pipeline.out.glob(".*.tmp"))
    pipeline.run()
    assert pipeline.ran == ALL


def test_a_full_disk_that_names_no_file_is_told_with_the_stage(pipeline) -> None:
    pipeline.error, pipeline.stop_at = OSError(errno.ENOSPC, "No space left on device"), 1
    with pytest.raises(NlpkitError, match=r"run.train: No space left on device\.$"):
        pipeline.run()
    assert not (pipeline.out / "train").exists()
    pipeline.stop_at = None
    pipeline.run()
    assert pipeline.ran == ["step 1", "step 2"]


def test_a_failing_stage_keeps_what_stood_before(pipeline) -> None:
    pipeline.run()
    pipeline.error, pipeline.stop_at = NlpkitError("steps must be even."), 3
    with pytest.raises(NlpkitError, match="steps must be even"):
        pipeline.run(train__steps=5)
    assert (pipeline.out / "train" / "steps").read_text() == "0\n1\n2\n"
    assert json.loads((pipeline.out / "run.json").read_text())["stages"]["train"]["done"] is False


def test_a_killed_run_leaves_nothing_that_the_next_one_minds(pipeline) -> None:
    pipeline.run()
    (pipeline.out / ".count.abc.tmp").mkdir()
    (pipeline.out / ".count.abc.tmp" / "half").write_text("x")
    (pipeline.out / ".run.json.abc.tmp").write_text("x")
    pipeline.run()
    assert pipeline.ran == []
    assert not list(pipeline.out.glob(".*.tmp"))


# ---- run folders that are not as they should be ------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "deep" / "count").unlink(), "deep/count was changed or lost"),
        (lambda folder: (folder / "deep" / "count").write_text("12"), "deep/count was changed or lost"),
        (lambda folder: (folder / "deep" / "count").write_text("8"), "deep/count was changed or lost"),
        (lambda folder: (folder / "stage.json").write_text("{"), "its record is damaged"),
        (lambda folder: (folder / "stage.json").write_text("{}"), "its record is damaged"),
        (lambda folder: (folder / "stage.json").unlink(), "it has not run yet"),
        (shutil.rmtree, "it has not run yet"),
    ],
)
def test_a_stage_that_was_tampered_with_is_redone_alone(pipeline, damage, reason: str) -> None:
    pipeline.run()
    before = (pipeline.out / "count" / "deep" / "count").read_text()
    damage(pipeline.out / "count")
    assert pipeline.statuses()["count"] == ("to do", reason)
    pipeline.run()
    assert pipeline.ran == ["count"]
    assert (pipeline.out / "count" / "deep" / "count").read_text() == before


def test_a_record_edited_by_hand_is_not_believed(pipeline) -> None:
    pipeline.run()
    path = pipeline.out / "count" / "stage.json"
    path.write_text(path.read_text().replace('"rate": 0.5', '"rate": 0.75'))
    assert pipeline.statuses(count__rate=0.75)["count"] == ("to do", "its record is damaged")


def test_a_copied_run_folder_stands(pipeline, tmp_path: Path) -> None:
    pipeline.run()
    shutil.copytree(pipeline.out, tmp_path / "copy", copy_function=shutil.copyfile)
    plan = plan_recipe(pipeline.recipe, stages=pipeline.stages, out=tmp_path / "copy")
    assert {planned.status for planned in plan.stages} == {"done"}


def test_a_file_in_the_place_of_the_folder_is_refused(pipeline) -> None:
    pipeline.out.write_text("mine")
    with pytest.raises(UsageError, match="run is a file: choose a folder for --out"):
        pipeline.run()
    assert pipeline.out.read_text() == "mine"


def test_a_folder_that_holds_something_else_is_refused_and_kept(pipeline) -> None:
    pipeline.out.mkdir()
    (pipeline.out / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files and no run"):
        pipeline.run()
    assert pipeline.files() == {"thesis.txt": b"mine"}


def test_an_empty_folder_will_do(pipeline) -> None:
    pipeline.out.mkdir()
    pipeline.run()
    assert pipeline.ran == ALL


def test_the_run_of_another_recipe_is_refused(pipeline) -> None:
    pipeline.run()
    with pytest.raises(UsageError, match="holds a run of recipe small, not other"):
        pipeline.run(name="other")


def test_a_foreign_run_json_is_refused_and_a_damaged_one_is_written_anew(pipeline) -> None:
    pipeline.run()
    content = (pipeline.out / "run.json").read_bytes()
    (pipeline.out / "run.json").write_text('{"format": "other"}')
    with pytest.raises(UsageError, match=r"run\.json is not nlpkit's"):
        pipeline.run()
    (pipeline.out / "run.json").write_text("{")
    pipeline.run()
    assert pipeline.ran == []
    assert (pipeline.out / "run.json").read_bytes() == content


def test_two_runs_in_one_folder_exclude_each_other(pipeline) -> None:
    pipeline.run()
    code = (
        "import sys, pathlib; from nlpkit.pipeline.folder import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(pipeline.out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(NlpkitError, match="another run is at work"):
            pipeline.run()
        other.communicate()
    pipeline.run()


def test_the_run_folder_defaults_to_runs_and_the_name(pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pipeline.folder)
    assert plan_recipe(pipeline.recipe, stages=pipeline.stages).out == Path("runs/small")
