"""`nlpkit lm import`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, Out

EXAMPLE = "Example: nlpkit lm import gpt2 --out runs/gpt2"


def import_model(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of transformers' files: config.json, model.safetensors, tokenizer.json.",
            show_default=False,
        ),
    ],
    out: Out,
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="The vocabulary, in any form of `nlpkit tokenizer import` [what lies in the folder].",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a run folder of a GPT2LMHeadModel or LlamaForCausalLM of transformers.

    It can be evaluated, let write, and trained on from by `nlpkit lm train SHARDS --init RUN`, where the
    shards are encoded with RUN/vocabulary. What nlpkit's models do not have is refused by name.
    """
    from dataclasses import asdict

    from nlpkit.lm import import_lm

    from ..output import print_fields, print_json

    summary = {"run": str(out), **asdict(import_lm(folder, out, vocabulary=vocabulary))}
    (print_json if as_json else print_fields)(summary)
