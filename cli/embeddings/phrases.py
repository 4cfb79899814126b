"""`nlpkit embeddings phrases`: frequent pairs of words become one word, before training."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, Out


def phrases(
    shards: Annotated[
        Path, typer.Argument(help="A folder of `nlpkit tokenizer encode`, of words.", show_default=False)
    ],
    out: Out,
    delta: Annotated[int, typer.Option(help="Taken off each pair's count.")] = 5,
    threshold: Annotated[float, typer.Option(help="The least score of a phrase; less makes more.")] = 100.0,
    passes: Annotated[int, typer.Option(help="How often to join: phrases of up to 2^passes words.")] = 1,
    as_json: Json = False,
) -> None:
    """Write shards in which words that keep coming together are one, as new_york."""
    from dataclasses import asdict

    from nlpkit.embeddings.phrases import join_phrases

    from ..output import print_fields, print_json, print_table, progress_bar

    with progress_bar() as progress:
        found = join_phrases(shards, out, delta=delta, threshold=threshold, passes=passes, progress=progress)
    if as_json:
        print_json([{"phrase": phrase.text, **asdict(phrase)} for phrase in found])
        return
    print_table(["phrase", "count", "score"], [[one.text, one.count, one.score] for one in found[:20]])
    print_fields({"phrases": len(found), "shards": str(out)})
