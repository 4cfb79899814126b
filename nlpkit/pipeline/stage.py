"""What a stage of a pipeline is: a name, the keys it takes, what it needs, and the function it calls.

The stages themselves stand in `nlpkit.pipeline.stages`; this file knows nothing of text or models, so the
machinery (recipe, plan, run) is tested with stages of three lines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.progress import ProgressCallback

KeyType: TypeAlias = type[int] | type[float] | type[bool] | type[str] | type[list[str]]
"""What a recipe may give for a key: a whole number, a number, true or false, text, a list of texts."""


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage's function is called with.

    Attributes:
        parameters: the stage's keys as the recipe and the overrides give them; absent keys keep the library
            function's defaults.
        folder: where to write; it becomes `RUN/STAGE` once the function has returned. Empty, except for a
            resumable stage that was interrupted: then it holds what the earlier attempt wrote.
        inputs: the finished folder of each stage that this one builds on, by stage name.
        progress: called as `progress(phase, done, total)`.
        threads: 0 for all that this process may run on; results never depend on it.
    """

    parameters: Mapping[str, Any]
    folder: Path
    inputs: Mapping[str, Path]
    progress: ProgressCallback
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage's function returns: one line for people and figures (JSON values) for the report."""

    line: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline.

    Attributes:
        name: the recipe's table and the folder's name.
        run: does the work; imports what is heavy inside.
        keys: what the table may hold, with the type of each: the keyword parameters of the library function.
        required: the keys that have no default.
        needs: stages that must be in the recipe too.
        uses: stages that it builds on where the recipe has them.
        reads: for a stage that reads from outside the run folder: a hash of what lies there now.
        version: raised whenever the stage's function writes something else than before.
        resumable: whether `run` goes on from what an interrupted attempt left in its folder.
        publish: called with the run folder at the end of every run, to write what belongs beside `run.json`;
            quick, and without effect where nothing changed.
    """

    name: str
    run: Callable[[StageContext], Outcome]
    keys: Mapping[str, KeyType]
    required: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    reads: Callable[[Mapping[str, Any]], str] | None = None
    version: int = 1
    resumable: bool = False
    publish: Callable[[Path], None] | None = None
