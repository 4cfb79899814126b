"""Running a recipe: stage after stage into a run folder, skipping what stands, resuming what was cut off.

RUN/
  run.json       recipe after overrides, seeds, versions, and each stage's hash, seconds, memory, figures
  STAGE/         one folder a stage; it appears whole, with stage.json (see `nlpkit.pipeline.record`)
  report.html    where the recipe has a [report]
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.errors import NlpkitError
from nlpkit.files import read_json, write_json
from nlpkit.pipeline.execute import execute
from nlpkit.pipeline.folder import (
    RUN_FILE,
    RUN_FORMAT,
    RUN_VERSION,
    check_run_folder,
    locked,
    remove_leftovers,
)
from nlpkit.pipeline.plan import PlannedStage, built_on, plan_stages
from nlpkit.pipeline.recipe import Recipe, load_recipe
from nlpkit.pipeline.record import StageRecord
from nlpkit.pipeline.stage import Stage
from nlpkit.pipeline.stages import STAGES
from nlpkit.progress import ProgressCallback, no_progress

StageCallback: TypeAlias = Callable[[PlannedStage, StageRecord], None]
"""Called after each stage with what was planned for it and its record."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked recipe, the folder that it runs in, and what each stage would do."""

    recipe: Recipe
    out: Path
    stages: list[PlannedStage]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: the plan that it followed and the content of its `run.json`."""

    plan: Plan
    content: Mapping[str, Any]

    @property
    def out(self) -> Path:
        """The run folder."""
        return self.plan.out


def plan_recipe(
    recipe: Path,
    *,
    out: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    stages: Sequence[Stage] = STAGES,
) -> Plan:
    """What `run_recipe` would do with the same arguments; writes nothing.

    Args:
        recipe: a TOML file (`nlpkit.pipeline.recipe` describes it).
        out: the run folder; by default `runs/NAME` in the working folder.
        overrides: dotted key → value, as `{"lm.steps": 200}`.
        stages: what the recipe's tables may name.

    Raises:
        UsageError: the recipe is wrong, or `out` holds something else than a run of it.
    """
    checked = load_recipe(recipe, overrides=overrides, stages=stages)
    folder = Path("runs") / checked.name if out is None else out
    check_run_folder(folder, checked.name)
    return Plan(checked, folder, plan_stages(checked, folder, stages))


def run_recipe(
    recipe: Path,
    *,
    out: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
    stage_done: StageCallback | None = None,
    stages: Sequence[Stage] = STAGES,
) -> Run:
    """Run a recipe: skip the stages whose result stands, run or resume the others, publish the report.

    A stage's folder appears whole or not at all, so a run that was interrupted, at whatever moment, goes on
    when it is run again.

    Args:
        recipe: as for `plan_recipe`, like `out`, `overrides` and `stages`.
        out: the run folder.
        overrides: dotted key → value.
        threads: 0 for all that this process may run on.
        progress: called as `progress(phase, done, total)`.
        stage_done: called after each stage.
        stages: what the recipe's tables may name.

    Raises:
        UsageError: as for `plan_recipe`.
        NlpkitError: a stage failed, or another run is at work in the folder.
    """
    plan = plan_recipe(recipe, out=out, overrides=overrides, stages=stages)
    plan.out.mkdir(parents=True, exist_ok=True)
    with locked(plan.out):
        remove_leftovers(plan.out)
        records = {planned.stage.name: planned.record for planned in plan.stages if planned.record}
        content = _write_run(plan, records)
        for planned in plan.stages:
            name = planned.stage.name
            if name not in records:
                inputs = {below: plan.out / below for below in built_on(planned.stage, plan.recipe)}
                records[name] = execute(planned, plan.out, inputs, progress, threads)
                content = _write_run(plan, records)
            if stage_done is not None:
                stage_done(planned, records[name])
        for planned in plan.stages:
            if planned.stage.publish is not None:
                planned.stage.publish(plan.out)
    return Run(plan, content)


def _write_run(plan: Plan, records: Mapping[str, StageRecord]) -> dict[str, Any]:
    """Write `run.json`: a function of the recipe and the stages' records alone."""
    newest = max(records.values(), key=lambda record: record.finished, default=None)
    peaks = [record.peak_memory for record in records.values() if record.peak_memory is not None]
    content = {
        "format": RUN_FORMAT,
        "version": RUN_VERSION,
        "name": plan.recipe.name,
        "made_with": newest.made_with if newest else {},
        "recipe": plan.recipe.as_dict(),
        "seconds": round(sum(record.seconds for record in records.values()), 3),
        "peak_memory": max(peaks, default=None),
        "stages": {p.stage.name: _stage_entry(p, records.get(p.stage.name)) for p in plan.stages},
    }
    if _stored(plan.out / RUN_FILE) != content:
        write_json(plan.out / RUN_FILE, content)
    return content


def _stored(path: Path) -> dict[str, Any] | None:
    """What `run.json` says already, None where it cannot be read."""
    try:
        return read_json(path)
    except NlpkitError:
        return None


def _stage_entry(planned: PlannedStage, record: StageRecord | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"hash": planned.identity.hash, "done": record is not None}
    if record is not None:
        entry |= {
            "finished": record.finished,
            "seconds": record.seconds,
            "peak_memory": record.peak_memory,
            "line": record.line,
            "figures": record.figures,
        }
    return entry
