"""`nlpkit embeddings import`: other programs' files as a folder."""

from typing import Annotated

import typer

from ..options import Out
from .common import Vectors


def import_file(
    vectors: Vectors,
    out: Out,
    half: Annotated[bool, typer.Option("--half", help="Keep float16: half the size.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many words, the first ones.")
    ] = None,
) -> None:
    """Turn a vector file (word2vec, GloVe, fastText's .vec) into a folder, which opens at once."""
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.errors import UsageError

    from ..output import print_fields

    if limit is not None and vectors.is_dir():
        raise UsageError(f"{vectors} is a folder: --limit is for files.")
    if limit is None:
        loaded = KeyedVectors.load(vectors)
    else:
        loaded = KeyedVectors.load_word2vec_format(vectors, binary=".bin" in vectors.suffixes, limit=limit)
    loaded.save(out, precision="float16" if half else None)
    print_fields({"vectors": str(out), "words": len(loaded), "dim": loaded.vector_size})
