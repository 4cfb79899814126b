"""`nlpkit lm compare`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json

EXAMPLE = "Example: nlpkit lm compare runs/small runs/large --plot curves.png"


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of `nlpkit lm train`.", show_default=False)],
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the learning curves as .png, .svg or .pdf.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put runs beside each other at equal bytes of text read, also where their vocabularies differ.

    Bits per byte are those on each run's own validation split: split the same text alike.
    """
    from nlpkit.lm import compare_runs, plot_curves

    from ..output import print_json, print_table

    comparison = compare_runs(runs)
    equal = f"at_{comparison.equal_bytes / 1e6:.3g}_MB"
    rows = [
        {
            "run": str(curve.run),
            "parameters": curve.parameters,
            "n_vocab": curve.n_vocab,
            "vocabulary": curve.vocabulary[:12],
            "bytes_per_token": curve.bytes_per_token,
            "MB_read": curve.training[-1][0] / 1e6,
            "bits_per_byte": min((bits for _, bits in curve.validation), default=None),
            equal: curve.validation_at(comparison.equal_bytes),
            "tokens_per_second": curve.tokens_per_second,
            "seconds": curve.seconds,
        }
        for curve in comparison.curves
    ]
    if plot is not None:
        plot_curves(comparison.curves, plot)
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
