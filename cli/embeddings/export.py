"""`nlpkit embeddings export`: other programs' files."""

from pathlib import Path
from typing import Annotated

import typer

from .common import Vectors


def export(
    vectors: Vectors,
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write: .bin is binary, all else text.")
    ],
) -> None:
    """Write word2vec's format, for gensim and others. A space inside a token becomes ▁."""
    from nlpkit.embeddings import KeyedVectors

    from ..output import print_fields

    loaded = KeyedVectors.load(vectors)
    left_out = loaded.save_word2vec_format(path, binary=path.suffix == ".bin")
    print_fields({"file": str(path), "words": len(loaded) - left_out, "left out": left_out})
