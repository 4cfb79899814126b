"""`nlpkit tokenizer extend`: more tokens for a vocabulary."""

from typing import Annotated

import typer

from ..options import Corpus, Errors, Field, Json, Lines, Out, Seed, Threads
from .common import Vocabulary
from .training_options import (
    Counts,
    HeldOut,
    MaxMemory,
    MaxTokenBytes,
    MeasureOn,
    MinCount,
    PruneBelow,
    Sample,
    Weights,
    corpus_to_measure,
    parse_memory,
    print_summary,
    text_or_counts,
)


def extend(
    corpus: Corpus,
    vocabulary: Vocabulary,
    out: Out,
    add: Annotated[int, typer.Option(help="How many tokens to add.", show_default=False)],
    min_count: MinCount = 1,
    max_token_bytes: MaxTokenBytes = None,
    weight: Weights = None,
    sample: Sample = 1.0,
    seed: Seed = 1,
    held_out: HeldOut = 0.0,
    measure_on: MeasureOn = None,
    counts: Counts = False,
    max_memory: MaxMemory = None,
    prune_below: PruneBelow = 1,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Add tokens to a vocabulary, learnt from a corpus.

    All ids stay, those of special tokens too; the new ones follow the highest in use.
    """
    from nlpkit.tokenization import MergeLimits, Tokenizer, extend_vocabulary

    from ..output import progress_bar

    text = text_or_counts(corpus, counts, weight, sample, seed, held_out, field, lines, errors)
    with progress_bar() as progress:
        summary = extend_vocabulary(
            Tokenizer.load(vocabulary),
            text,
            out,
            add=add,
            limits=MergeLimits(min_count, max_token_bytes, prune_below),
            max_memory=parse_memory(max_memory),
            measure_on=corpus_to_measure(measure_on, field, lines, errors),
            threads=threads,
            progress=progress,
        )
    print_summary(summary, out, corpus, as_json)
