"""`nlpkit embeddings similar`: the nearest words."""

from typing import Annotated

import typer

from ..options import Json
from .common import Topn, Vectors, print_neighbours


def similar(
    vectors: Vectors,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="One or several, which add up.")],
    negative: Annotated[
        list[str] | None, typer.Option("--negative", help="A word that counts against.")
    ] = None,
    topn: Topn = 10,
    as_json: Json = False,
) -> None:
    """List the words whose vectors are nearest by cosine."""
    from nlpkit.embeddings import KeyedVectors

    print_neighbours(KeyedVectors.load(vectors).most_similar(words, negative or [], topn), as_json)
