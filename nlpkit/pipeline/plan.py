"""What a run would do: for each stage whether it is done, to do or to resume, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nlpkit import __version__
from nlpkit.errors import CorruptFileError
from nlpkit.pipeline.partial import partial_folder, read_partial
from nlpkit.pipeline.recipe import Recipe
from nlpkit.pipeline.record import Identity, StageRecord, read_record
from nlpkit.pipeline.stage import Stage


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage of a plan: `record` is what an earlier run left, where that still stands."""

    stage: Stage
    identity: Identity
    status: Literal["done", "to do", "resume"]
    reason: str
    record: StageRecord | None


def plan_stages(recipe: Recipe, out: Path, stages: Sequence[Stage]) -> list[PlannedStage]:
    """The stages of `recipe` in the order in which they run, against what lies in the run folder `out`."""
    planned: dict[str, PlannedStage] = {}
    for stage in stages:
        if stage.name in recipe.tables:
            identity = _identify(stage, recipe, planned)
            planned[stage.name] = _compare(stage, identity, out)
    return list(planned.values())


def built_on(stage: Stage, recipe: Recipe) -> list[str]:
    """Names of the stages of `recipe` whose results `stage` reads."""
    return [*stage.needs, *(name for name in stage.uses if name in recipe.tables)]


def _identify(stage: Stage, recipe: Recipe, below: dict[str, PlannedStage]) -> Identity:
    parameters = recipe.tables[stage.name]
    return Identity(
        stage=stage.name,
        version=stage.version,
        nlpkit=__version__,
        parameters=parameters,
        needs={name: below[name].identity.hash for name in built_on(stage, recipe)},
        reads=stage.reads(parameters) if stage.reads else None,
    )


def _compare(stage: Stage, identity: Identity, out: Path) -> PlannedStage:
    record, reason = _standing(out / stage.name, identity)
    if record is not None:
        return PlannedStage(stage, identity, "done", reason, record)
    if stage.resumable:
        partial = read_partial(partial_folder(out, stage.name))
        if partial is not None and partial.hash == identity.hash:
            return PlannedStage(stage, identity, "resume", "it was interrupted", None)
    return PlannedStage(stage, identity, "to do", reason, None)


def _standing(folder: Path, identity: Identity) -> tuple[StageRecord | None, str]:
    """The record in `folder` if its result stands for `identity`, and the reason either way."""
    try:
        record = read_record(folder)
    except CorruptFileError:
        return None, "its record is damaged"
    if record is None:
        return None, "it has not run yet"
    if record.identity != identity:
        return None, identity.difference(record.identity)
    if changed := record.changed_file(folder):
        return None, f"{changed} was changed or lost"
    return record, "nothing changed"
