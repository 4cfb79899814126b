"""`nlpkit lm evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json

EXAMPLE = "Example: nlpkit lm evaluate runs/lm shards --stride 64"


def evaluate(
    run: Annotated[Path, typer.Argument(help="A folder of `nlpkit lm train`.", show_default=False)],
    shards: Annotated[
        Path,
        typer.Argument(
            help="A folder of `nlpkit tokenizer encode`, of the same vocabulary.", show_default=False
        ),
    ],
    split: Annotated[str, typer.Option(help="validation or train.")] = "validation",
    stride: Annotated[
        int | None,
        typer.Option(
            help="Tokens between the windows of a Transformer: smaller gives each token more to look back on "
            "and takes longer [the context length].",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a model on a whole split: nats per token, perplexity, bits per byte."""
    from dataclasses import asdict

    from nlpkit.lm import evaluate_lm

    from ..output import print_fields, print_json, progress_bar

    with progress_bar() as progress:
        result = asdict(evaluate_lm(run, shards, split=split, stride=stride, progress=progress))
    (print_json if as_json else print_fields)(result)
