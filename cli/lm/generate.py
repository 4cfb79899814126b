"""`nlpkit lm generate`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, Seed

EXAMPLE = "Example: nlpkit lm generate runs/lm --prompt 'The' --max-tokens 100 --temperature 0.8"


def generate(
    run: Annotated[Path, typer.Argument(help="A folder of `nlpkit lm train`.", show_default=False)],
    prompt: Annotated[
        str,
        typer.Option("--prompt", "-p", help="What to continue; - reads it from stdin; empty begins anew."),
    ] = "",
    max_tokens: Annotated[int, typer.Option("--max-tokens", "-n", help="At most so many.")] = 200,
    temperature: Annotated[
        float, typer.Option(help="Below 1 safer choices, above 1 wilder ones; 0: always the likeliest.")
    ] = 1.0,
    top_k: Annotated[int, typer.Option(help="Choose among the k likeliest; 0: all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Choose among the likeliest that have this share.")] = 1.0,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Let a model continue a text; it appears as it is written."""
    from nlpkit.lm import generate as generate_text

    from ..output import print_json
    from ..standard_input import read_text

    start = read_text() if prompt == "-" else prompt
    pieces = generate_text(
        run, start, max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed
    )
    if as_json:
        print_json({"prompt": start, "text": "".join(pieces), "seed": seed})
        return
    print(start, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
