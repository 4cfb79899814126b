"""`nlpkit lm verify`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json

EXAMPLE = "Example: nlpkit lm verify runs/lm shards"


def verify(
    run: Annotated[Path, typer.Argument(help="A folder of `nlpkit lm train`.", show_default=False)],
    shards: Annotated[Path, typer.Argument(help="What it was trained on.", show_default=False)],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Json = False,
) -> None:
    """Train a run's last steps again and compare: does it resume to the same bits?

    Exits with 1 when a loss or a weight differs.
    """
    from dataclasses import asdict

    from nlpkit.lm import verify_lm

    from ..output import print_fields, print_json, progress_bar

    with progress_bar() as progress:
        result = verify_lm(run, shards, device=device, progress=progress)
    (print_json if as_json else print_fields)(asdict(result))
    if not result.equal:
        raise typer.Exit(1)
