"""`nlpkit lm export`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, Out

EXAMPLE = "Example: nlpkit lm export runs/lm --out hf"


def export(
    run: Annotated[Path, typer.Argument(help="A folder of `nlpkit lm train`.", show_default=False)],
    out: Out,
    as_json: Json = False,
) -> None:
    """Write a Transformer of the gpt2 or llama block as files that transformers loads, tokenizer included."""
    from nlpkit.lm import export_lm

    from ..output import print_json

    export_lm(run, out)
    if as_json:
        print_json({"out": str(out)})
    else:
        print(f"wrote {out}; load it with AutoModelForCausalLM.from_pretrained({str(out)!r})")
