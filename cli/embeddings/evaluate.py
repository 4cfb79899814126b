"""`nlpkit embeddings evaluate`: how good vectors are."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json


def evaluate(
    vectors: Annotated[
        list[Path],
        typer.Argument(
            metavar="VECTORS [VECTORS]",
            help="A folder of `nlpkit embeddings train`, or word2vec's format; two are compared.",
        ),
    ],
    analogies: Annotated[
        list[Path] | None, typer.Option("--analogies", help="`: section` lines, and lines of four words.")
    ] = None,
    pairs: Annotated[
        list[Path] | None, typer.Option("--pairs", help="Lines of word, word and score, separated by tabs.")
    ] = None,
    restrict_vocab: Annotated[
        int, typer.Option("--restrict-vocab", min=1, help="Know the most frequent so many words only.")
    ] = 300_000,
    html: Annotated[Path | None, typer.Option("--html", help="Write the tables as a page, too.")] = None,
    as_json: Json = False,
) -> None:
    """Score vectors by analogies (accuracy) and word pairs (Spearman), with 95 % intervals.

    Questions and pairs with a word that has no vector are left out. `nlpkit corpus list` names public sets.
    """
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.embeddings.evaluation_report import evaluate_models, write_page

    from ..output import print_json, print_table

    models = {str(path): KeyedVectors.load(path) for path in vectors}
    report = evaluate_models(models, analogies or [], pairs or [], restrict_vocab=restrict_vocab)
    if html is not None:
        write_page(report, html)
    if as_json:
        print_json(report)
        return
    for lines in filter(None, report.values()):
        print_table(list(lines[0]), [list(line.values()) for line in lines])
