"""`nlpkit run` and `nlpkit demo`: the main job from end to end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, output

if TYPE_CHECKING:
    from nlpkit.pipeline import Plan, PlannedStage, Run, StageRecord

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The run folder. Default: runs/ and the recipe's name.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Override a key; as often as needed."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what is to do and why, and do nothing.")]

ARTEFACTS = ("tokenizer", "shards", "embeddings", "lm", "report.html")
"""What a user goes on with, by its name in the run folder."""


def run(
    recipe: Annotated[Path, typer.Argument(help="A TOML file: its tables are stages.", show_default=False)],
    out: Out = None,
    overrides: Set = None,
    dry_run: DryRun = False,
    threads: options.Threads = 0,
    as_json: options.Json = False,
) -> None:
    """Run a recipe: text to tokenizer, word vectors, language model and report.

    What an earlier run made is kept where nothing that it depends on has changed; an interrupted run goes on
    where it stopped.

    Example: nlpkit run recipes/demo.toml --out runs/mine --set lm.steps=200
    """
    _run(recipe, out, overrides or [], dry_run, threads, as_json)


def demo(
    out: Out = None,
    overrides: Set = None,
    dry_run: DryRun = False,
    threads: options.Threads = 0,
    as_json: options.Json = False,
) -> None:
    """Run the bundled recipe: a tokenizer, word vectors and a language model from Python's own documentation.

    Example: nlpkit demo --set corpus.inputs=book.txt --set name=book
    """
    from nlpkit.pipeline import demo_recipe

    _run(demo_recipe(), out, overrides or [], dry_run, threads, as_json)


def _run(
    recipe: Path, out: Path | None, overrides: Sequence[str], dry_run: bool, threads: int, as_json: bool
) -> None:
    from nlpkit.pipeline import parse_override, plan_recipe, run_recipe

    given = dict(map(parse_override, overrides))
    if dry_run:
        _print_plan(plan_recipe(recipe, out=out, overrides=given), as_json)
        return
    try:
        with output.progress_bar() as progress:
            finished = run_recipe(
                recipe,
                out=out,
                overrides=given,
                threads=threads,
                progress=progress,
                stage_done=_say_nothing if as_json else _print_stage,
            )
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("interrupted: the same command goes on from here.") from error
    if as_json:
        output.print_json({"out": str(finished.out), **finished.content})
    else:
        _print_summary(finished)


def _print_plan(plan: "Plan", as_json: bool) -> None:
    rows = [[p.stage.name, p.status, p.reason] for p in plan.stages]
    if as_json:
        stages = [dict(zip(("stage", "status", "reason"), row, strict=True)) for row in rows]
        output.print_json({"name": plan.recipe.name, "out": str(plan.out), "stages": stages})
        return
    print(f"{plan.recipe.name} in {plan.out}")
    output.print_table(["stage", "status", "reason"], rows)


def _say_nothing(planned: "PlannedStage", record: "StageRecord") -> None:
    """With --json the end of the run says it all."""


def _print_stage(planned: "PlannedStage", record: "StageRecord") -> None:
    """One line a stage."""
    from nlpkit.pipeline.wording import duration

    output.clear_line()
    took = "as before" if planned.status == "done" else duration(record.seconds)
    print(f"{planned.stage.name:<11} {took:>11}  {record.line}", flush=True)


def _print_summary(finished: "Run") -> None:
    from nlpkit.pipeline.next_steps import next_commands
    from nlpkit.pipeline.wording import duration, size

    content = finished.content
    stages: Mapping[str, Any] = content["stages"]
    peak = f", {size(content['peak_memory'])} of memory at most" if content["peak_memory"] else ""
    print(f"\n{content['name']}: {duration(content['seconds'])} of work{peak}.")
    if "evaluate" in stages:
        figures = stages["evaluate"]["figures"]
        print("\nHeld-out text, in bits per byte (lower is better):")
        for name, bits in {"this model": figures["bits_per_byte"], **figures["compressors"]}.items():
            print(f"  {name:<10}  {bits:.3f}")
    print("\nMade:")
    for name in ARTEFACTS:
        if (finished.out / name).exists():
            print(f"  {finished.out / name}")
    if commands := next_commands(content, finished.out):
        print("\nNext:")
        for _, command in commands:
            print(f"  {command}")
