"""`nlpkit tokenizer train`: a vocabulary from a corpus."""

import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpkit.errors import UsageError

from ..options import Corpus, Errors, Field, Json, Lines, Out, Seed, Threads
from .training_options import (
    Counts,
    HeldOut,
    MaxMemory,
    MaxTokenBytes,
    MeasureOn,
    Pattern,
    PruneBelow,
    Sample,
    SpecialTokens,
    Weights,
    corpus_to_measure,
    parse_memory,
    print_summary,
    text_or_counts,
)

if TYPE_CHECKING:
    from nlpkit.text import Corpus as Documents
    from nlpkit.tokenization import WordVocabulary

DEFAULT_VOCAB_SIZE = 32_000
MEASURED_CHARACTERS = 4_000_000
"""How much of the corpus the bytes per token of words are measured on: a second's work at most."""


class Kind(StrEnum):
    """What the ids of a vocabulary stand for."""

    bpe = "bpe"
    words = "words"
    pretokens = "pretokens"
    characters = "characters"


def train(
    corpus: Corpus,
    out: Out,
    vocab_size: Annotated[
        int | None,
        typer.Option(
            help="Ids in all: bytes, merges, special and reserved tokens [bpe: 32000]; for words the most "
            "to keep."
        ),
    ] = None,
    kind: Annotated[
        Kind, typer.Option(help="bpe, or whole words (between white space), pre-tokens or characters.")
    ] = Kind.bpe,
    pattern: Pattern = None,
    special_token: SpecialTokens = None,
    reserve: Annotated[
        int, typer.Option(min=0, help="Special tokens <|reserved_0|>, … behind the others.")
    ] = 0,
    min_count: Annotated[
        int | None, typer.Option(help="Fewest occurrences of a merge [1], or of a word [5].")
    ] = None,
    max_token_bytes: MaxTokenBytes = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Lower-case the text (not for bpe).")
    ] = False,
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
    """Learn a vocabulary from a corpus and write it as a folder.

    The merges are those of Hugging Face's BpeTrainer, the same for any number of threads and any order of
    the inputs. Special tokens are never learnt from: a text is cut where one stands.
    """
    if kind is not Kind.bpe:
        only_bpe = {
            "--special-token": special_token,
            "--reserve": reserve,
            "--max-token-bytes": max_token_bytes,
            "--weight": weight,
            "--sample": sample != 1,
            "--held-out": held_out,
            "--measure-on": measure_on,
            "--counts": counts,
            "--max-memory": max_memory,
            "--prune-below": prune_below != 1,
        }
        _refuse(only_bpe, "--kind bpe")
        from nlpkit.text import Corpus as Documents

        texts = Documents(corpus, field=field, lines=lines, errors=errors)
        _train_words(texts, out, kind, vocab_size, pattern, min_count, lowercase, threads, as_json)
        return
    _refuse({"--lowercase": lowercase}, "words, pretokens and characters")
    from nlpkit.tokenization import MergeLimits, train_vocabulary

    from ..output import progress_bar

    text = text_or_counts(corpus, counts, weight, sample, seed, held_out, field, lines, errors)
    with progress_bar() as progress:
        summary = train_vocabulary(
            text,
            out,
            vocab_size=DEFAULT_VOCAB_SIZE if vocab_size is None else vocab_size,
            pattern=pattern,
            special_tokens=special_token,
            reserve=reserve,
            limits=MergeLimits(1 if min_count is None else min_count, max_token_bytes, prune_below),
            max_memory=parse_memory(max_memory),
            measure_on=corpus_to_measure(measure_on, field, lines, errors),
            threads=threads,
            progress=progress,
        )
    print_summary(summary, out, corpus, as_json)


def _refuse(options: Mapping[str, object], only_for: str) -> None:
    for name, given in options.items():
        if given:
            raise UsageError(f"{name} is for {only_for}: leave it out.")


def _train_words(
    documents: "Documents",
    out: Path,
    kind: Kind,
    vocab_size: int | None,
    pattern: str | None,
    min_count: int | None,
    lowercase: bool,
    threads: int,
    as_json: bool,
) -> None:
    from nlpkit.pipeline.machine import peak_memory
    from nlpkit.tokenization import WordVocabulary

    from ..output import print_fields, print_json, progress_bar

    started = time.perf_counter()
    with progress_bar() as progress:
        vocabulary = WordVocabulary.train(
            (document.text for document in documents),
            unit=kind.value.removesuffix("s"),  # type: ignore[arg-type]  # word, pretoken or character
            min_count=5 if min_count is None else min_count,
            lowercase=lowercase,
            pattern=pattern or "cl100k",
            max_size=vocab_size,
            threads=threads,
            progress=progress,
        )
    vocabulary.save(out)
    summary = {
        "vocabulary": str(out),
        "kind": kind.value,
        "ids": vocabulary.n_vocab,
        "bytes_per_token": _measure(vocabulary, documents),
        "seconds": time.perf_counter() - started,
        "peak_memory": peak_memory(),
    }
    if as_json:
        print_json(summary)
        return
    print_fields({name.replace("_", " "): value for name, value in summary.items()})
    print(f"next: nlpkit tokenizer encode {' '.join(documents.inputs)} --vocabulary {out} --out shards")


def _measure(vocabulary: "WordVocabulary", documents: "Documents") -> float:
    """Bytes per token on the first part of the training text."""
    text_bytes = tokens = characters = 0
    for document in documents:
        part = document.text[: MEASURED_CHARACTERS - characters]
        characters += len(part)
        text_bytes += len(part.encode("utf-8"))
        tokens += len(vocabulary.encode_ordinary(part))
        if characters >= MEASURED_CHARACTERS:
            break
    return text_bytes / max(1, tokens)
