"""`nlpkit embeddings train`: word vectors over the token shards of a corpus."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from ..options import Out, Seed, Threads

COMPILED = ("negative-sampling", "hierarchical-softmax")
BY_TORCH = ("nce", "sampled-softmax", "infonce")
"""The objectives of the compiled trainer, and those that it does not know."""

BY_TORCH_ONLY = f"is for training by torch, with --objective {', '.join(BY_TORCH)}, --pieces or --device"
NOT_BY_TORCH = f"is for the compiled trainer, without --objective {', '.join(BY_TORCH)}, --pieces or --device"


def train(
    ctx: typer.Context,
    shards: Annotated[
        Path, typer.Argument(help="A folder of `nlpkit tokenizer encode`.", show_default=False)
    ],
    out: Out,
    dim: Annotated[int, typer.Option(help="The vectors' dimension.")] = 100,
    window: Annotated[int, typer.Option(help="The greatest distance of a context.")] = 5,
    negative: Annotated[
        int | None,
        typer.Option(
            help="Noise words for each observed one [5]; but for negative sampling, each batch [512]."
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the corpus.")] = 5,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate at the start [0.025; cbow: 0.05; torch: 0.2].")
    ] = None,
    sample: Annotated[float, typer.Option(help="Thin out words more frequent than this; 0: none.")] = 1e-3,
    min_count: Annotated[int, typer.Option(help="Leave out words that occur less often.")] = 5,
    architecture: Annotated[
        str, typer.Option(help="skipgram, cbow (mean of the contexts) or cbow-sum.")
    ] = "skipgram",
    negatives: Annotated[
        str, typer.Option(help="Drawn for each centre (shared) or pair (exact).")
    ] = "shared",
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without a lower held-out loss; 0: never.")
    ] = 0,
    seed: Seed = 1,
    threads: Threads = 0,
    hogwild: Annotated[bool, typer.Option("--hogwild", help="Faster, but no two runs are equal.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training of the same settings.")
    ] = False,
    objective: Annotated[
        str,
        typer.Option(
            help="negative-sampling or hierarchical-softmax, or by torch: nce, sampled-softmax or infonce."
        ),
    ] = "negative-sampling",
    temperature: Annotated[
        float | None, typer.Option(help="Of infonce: what cosines are divided by [0.1].")
    ] = None,
    pieces: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Make words of this tokenizer's tokens: any word has a vector (by torch)."
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Train by torch on this: cpu, cuda, ….")] = None,
) -> None:
    """Train word vectors over the token shards of a corpus.

    Ctrl-C saves a checkpoint first; the same command with --resume goes on from there.
    """
    from nlpkit.errors import UsageError

    from ..output import print_fields, progress_bar

    if objective not in COMPILED + BY_TORCH:
        raise UsageError(f"--objective must be one of {', '.join(COMPILED + BY_TORCH)}, not {objective!r}.")
    given = {name: value for name, value in ctx.params.items() if _is_given(ctx, name)}
    with progress_bar() as progress:
        if objective in BY_TORCH or pieces is not None or device is not None:
            from nlpkit.embeddings.sampled_training import train_sampled_vectors

            if objective == "hierarchical-softmax":
                raise UsageError(
                    f"--objective {objective} is not for torch: leave out --pieces and --device."
                )
            _check_known(given, train_sampled_vectors, NOT_BY_TORCH)
            given = {"objective": objective, **given}
            vectors = train_sampled_vectors(**given, progress=progress)
        else:
            from nlpkit.embeddings import train_word2vec

            _check_known(given, train_word2vec, BY_TORCH_ONLY)
            vectors = train_word2vec(**given, progress=progress)
    print_fields({"vectors": str(out), "words": len(vectors), "dim": vectors.vector_size})


def _is_given(ctx: typer.Context, name: str) -> bool:
    """Whether an option is on the command line; for the others, the library's defaults hold."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _check_known(given: Mapping[str, object], function: Callable[..., object], why: str) -> None:
    from nlpkit.errors import UsageError

    for name in given:
        if name not in inspect.signature(function).parameters:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} {why}: leave it out.")
