"""`nlpkit embeddings analogy`: A is to B as C is to what."""

from typing import Annotated

import typer

from ..options import Json
from .common import Topn, Vectors, print_neighbours


def analogy(
    vectors: Vectors,
    a: Annotated[str, typer.Argument(help="As this word", show_default=False)],
    b: Annotated[str, typer.Argument(help="is to this one,", show_default=False)],
    c: Annotated[str, typer.Argument(help="so is this one to the answers.", show_default=False)],
    topn: Topn = 10,
    multiply: Annotated[bool, typer.Option("--multiply", help="3CosMul instead of 3CosAdd.")] = False,
    as_json: Json = False,
) -> None:
    """Complete an analogy: A is to B as C is to what?"""
    from nlpkit.embeddings import KeyedVectors

    loaded = KeyedVectors.load(vectors)
    ask = loaded.most_similar_cosmul if multiply else loaded.most_similar
    print_neighbours(ask([b, c], [a], topn), as_json)
