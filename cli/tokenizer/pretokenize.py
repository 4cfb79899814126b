"""`nlpkit tokenizer pretokenize`: count a corpus now, train later."""

from typing import Any

from ..options import Corpus, Errors, Field, Json, Lines, Out, Seed, Threads
from .training_options import (
    HeldOut,
    MaxMemory,
    Pattern,
    Sample,
    SpecialTokens,
    Weights,
    parse_memory,
    parse_weights,
)


def pretokenize(
    corpus: Corpus,
    out: Out,
    pattern: Pattern = None,
    special_token: SpecialTokens = None,
    weight: Weights = None,
    sample: Sample = 1.0,
    seed: Seed = 1,
    held_out: HeldOut = 0.0,
    max_memory: MaxMemory = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Count the pre-tokens of a corpus into one file.

    `nlpkit tokenizer train --counts` adds up such files, from any number of machines, and learns the same
    vocabulary as from all the texts.
    """
    from nlpkit.tokenization import TrainingText, pretokenize_text

    from ..output import print_fields, print_json, progress_bar

    text = TrainingText(
        corpus,
        field=field,
        lines=lines,
        errors=errors,
        weights=parse_weights(weight),
        sample=sample,
        seed=seed,
        held_out=held_out,
    )
    given: dict[str, Any] = {"pattern": pattern, "special_tokens": special_token}
    with progress_bar() as progress:
        documents = pretokenize_text(
            text,
            out,
            **{name: value for name, value in given.items() if value is not None},
            max_memory=parse_memory(max_memory),
            threads=threads,
            progress=progress,
        )
    fields = {"documents": documents, "bytes": out.stat().st_size}
    if as_json:
        print_json({"out": str(out), **fields})
        return
    print_fields(fields)
    print(f"wrote {out}; next: nlpkit tokenizer train --counts {out} --out vocabulary")
