"""Running one stage: in a temporary folder that becomes the stage's folder once the work is whole."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nlpkit.errors import NlpkitError
from nlpkit.files import atomic_folder, replace_folder
from nlpkit.pipeline import machine
from nlpkit.pipeline.partial import WORK, Partial, partial_folder, read_partial
from nlpkit.pipeline.plan import PlannedStage
from nlpkit.pipeline.record import StageRecord, file_states
from nlpkit.pipeline.stage import StageContext
from nlpkit.progress import ProgressCallback


def execute(
    planned: PlannedStage, out: Path, inputs: Mapping[str, Path], progress: ProgressCallback, threads: int
) -> StageRecord:
    """Run a planned stage and put its folder in place.

    A resumable stage works in a folder of its own that outlives an interruption; the others start afresh.

    Raises:
        NlpkitError: the folder cannot be written; or what the stage itself raises.
    """
    run = _execute_resumable if planned.stage.resumable else _execute_afresh
    try:
        return run(planned, out, inputs, progress, threads)
    except OSError as error:
        if error.filename is None:  # a full disk found in the middle of a write names nothing
            raise NlpkitError(f"{out / planned.stage.name}: {error.strerror or error}.") from error
        raise


def _execute_afresh(
    planned: PlannedStage, out: Path, inputs: Mapping[str, Path], progress: ProgressCallback, threads: int
) -> StageRecord:
    with atomic_folder(out / planned.stage.name) as folder:
        record = _work(planned, StageContext(planned.identity.parameters, folder, inputs, progress, threads))
        record.write(folder)
    return record


def _execute_resumable(
    planned: PlannedStage, out: Path, inputs: Mapping[str, Path], progress: ProgressCallback, threads: int
) -> StageRecord:
    partial, before = _take_up(planned, out)
    work = partial / WORK
    started = time.perf_counter()
    try:
        record = _work(planned, StageContext(planned.identity.parameters, work, inputs, progress, threads))
    except BaseException:
        replace(before, seconds=before.seconds + time.perf_counter() - started).write(partial)
        raise
    record = replace(record, seconds=round(record.seconds + before.seconds, 3))
    record.write(work)
    replace_folder(work, out / planned.stage.name)
    shutil.rmtree(partial)
    return record


def _take_up(planned: PlannedStage, out: Path) -> tuple[Path, Partial]:
    """The folder of an interrupted attempt at the same result, or a new one."""
    partial = partial_folder(out, planned.stage.name)
    found = read_partial(partial)
    if found is not None and found.hash == planned.identity.hash:
        return partial, found
    if partial.exists():
        shutil.rmtree(partial)
    (partial / WORK).mkdir(parents=True)
    begun = Partial(planned.identity.hash, seconds=0.0)
    begun.write(partial)
    return partial, begun


def _work(planned: PlannedStage, context: StageContext) -> StageRecord:
    """Call the stage's function, measured."""
    machine.reset_peak_memory()
    started = time.perf_counter()
    outcome = planned.stage.run(context)
    return StageRecord(
        identity=planned.identity,
        line=outcome.line,
        figures=outcome.figures,
        seconds=round(time.perf_counter() - started, 3),
        peak_memory=machine.peak_memory(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        made_with=machine.description(context.threads),
        files=file_states(context.folder),
    )
