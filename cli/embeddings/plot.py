"""`nlpkit embeddings plot`: a map of words."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Seed
from .common import Vectors


def plot(
    vectors: Vectors,
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What to write: .html to search and zoom in, or .png."),
    ],
    words: Annotated[
        list[str] | None, typer.Option("--word", help="Show these words only (give it for each).")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Else show so many, the most frequent.")] = 1500,
    seed: Seed = 1,
) -> None:
    """Draw a map on which words of like meaning are near each other (PCA, then t-SNE)."""
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.embeddings.map_page import draw_map

    from ..output import print_fields

    shown = draw_map(KeyedVectors.load(vectors), path, words, most=most, seed=seed)
    print_fields({"map": str(path), "words": shown})
