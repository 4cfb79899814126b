"""`nlpkit embeddings train`: word vectors over the token shards of a corpus."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Out, Seed, Threads


def train(
    shards: Annotated[
        Path, typer.Argument(help="A folder of `nlpkit tokenizer encode`.", show_default=False)
    ],
    out: Out,
    dim: Annotated[int, typer.Option(help="The vectors' dimension.")] = 100,
    window: Annotated[int, typer.Option(help="The greatest distance of a context.")] = 5,
    negative: Annotated[int, typer.Option(help="Noise words for each observed one.")] = 5,
    epochs: Annotated[int, typer.Option(help="Passes over the corpus.")] = 5,
    lr: Annotated[float | None, typer.Option(help="Learning rate at the start [0.025; cbow: 0.05].")] = None,
    sample: Annotated[float, typer.Option(help="Thin out words more frequent than this; 0: none.")] = 1e-3,
    min_count: Annotated[int, typer.Option(help="Leave out words that occur less often.")] = 5,
    architecture: Annotated[str, typer.Option(help="skipgram or cbow.")] = "skipgram",
    negatives: Annotated[
        str, typer.Option(help="Drawn for each centre (shared) or pair (exact).")
    ] = "shared",
    seed: Seed = 1,
    threads: Threads = 0,
    hogwild: Annotated[bool, typer.Option("--hogwild", help="Faster, but no two runs are equal.")] = False,
) -> None:
    """Train word vectors over the token shards of a corpus."""
    from nlpkit.embeddings import train_word2vec

    from ..output import print_fields, progress_bar

    with progress_bar() as progress:
        vectors = train_word2vec(
            shards,
            out,
            dim=dim,
            window=window,
            negative=negative,
            epochs=epochs,
            lr=lr,
            sample=sample,
            min_count=min_count,
            architecture=architecture,  # type: ignore[arg-type]  # checked there, with a sentence
            negatives=negatives,  # type: ignore[arg-type]
            seed=seed,
            threads=threads,
            hogwild=hogwild,
            progress=progress,
        )
    print_fields({"vectors": str(out), "words": len(vectors), "dim": vectors.vector_size})
