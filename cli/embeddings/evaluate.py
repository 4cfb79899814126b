"""`nlpkit embeddings evaluate`: how good vectors are."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json
from .common import Vectors


def evaluate(
    vectors: Vectors,
    analogies: Annotated[
        list[Path] | None, typer.Option("--analogies", help="`: section` lines, and lines of four words.")
    ] = None,
    pairs: Annotated[
        list[Path] | None, typer.Option("--pairs", help="Lines of word, word and score, separated by tabs.")
    ] = None,
    restrict_vocab: Annotated[
        int, typer.Option("--restrict-vocab", min=1, help="Know the most frequent so many words only.")
    ] = 300_000,
    as_json: Json = False,
) -> None:
    """Score vectors by analogies (accuracy) and word pairs (Spearman), with 95 % intervals.

    Questions and pairs with a word that has no vector are left out. `nlpkit corpus list` names public sets.
    """
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.embeddings.evaluation import evaluate_files

    from ..output import print_json, print_table

    report = evaluate_files(
        KeyedVectors.load(vectors), analogies or [], pairs or [], restrict_vocab=restrict_vocab
    )
    if as_json:
        print_json(report)
        return
    for lines in filter(None, report.values()):
        print_table(list(lines[0]), [list(line.values()) for line in lines])
