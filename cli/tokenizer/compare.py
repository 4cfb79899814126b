"""`nlpkit tokenizer compare`: vocabularies on the same texts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Errors, Field, Json, Lines, Threads
from .common import ANY_VOCABULARY, AnyVocabulary, SplitPattern

if TYPE_CHECKING:
    from nlpkit.tokenization.comparison import Comparison, VocabularyFigures


def compare(
    vocabulary: AnyVocabulary,
    other: Annotated[str, typer.Argument(metavar="OTHER", help=f"Another one: {ANY_VOCABULARY}")],
    corpus: Annotated[
        list[str],
        typer.Argument(metavar="CORPUS...", help="Text files, folders, globs, `-`, or corpus:NAME."),
    ],
    pattern: SplitPattern = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Compare two vocabularies on a corpus: tokens, bytes and characters per token, fertility and more.

    Fertility is tokens per word between white space. `single bytes` is the share of tokens that are one byte
    of a character the vocabulary lacks. Rényi efficiency (order 2.5) is 1 where all ids are used equally.
    Several files are also listed one by one.
    """
    from dataclasses import asdict

    from nlpkit.text import Corpus
    from nlpkit.tokenization.comparison import compare_vocabularies
    from nlpkit.tokenization.conversion import open_vocabulary

    from ..output import print_json, print_table, progress_bar

    documents = Corpus(corpus, field=field, lines=lines, errors=errors)
    vocabularies = [open_vocabulary(given, pattern=_pattern(given, pattern)) for given in (vocabulary, other)]
    with progress_bar() as progress:
        comparison = compare_vocabularies(
            [opened.vocabulary for opened in vocabularies], documents, threads=threads, progress=progress
        )
    if as_json:
        print_json(asdict(comparison))
        return
    print_table(["", vocabulary, other], _total_rows(comparison))
    if len(comparison.vocabularies[0].sources) > 1:
        print()
        print_table(["source", "bytes per token", "", "fertility", ""], _source_rows(comparison))


def _pattern(given: str, pattern: str | None) -> str | None:
    """The pattern goes with rank files alone."""
    return pattern if given.endswith(".tiktoken") else None


def _total_rows(comparison: "Comparison") -> list[list[Any]]:
    def row(name: str, figure: "Any") -> list[Any]:
        return [name, *(figure(vocabulary) for vocabulary in comparison.vocabularies)]

    def shared(vocabulary: "VocabularyFigures") -> float:
        place = [v is vocabulary for v in comparison.vocabularies].index(True)
        return comparison.shared_tokens[0][1] / comparison.shared_tokens[place][place]

    return [
        row("ids", lambda v: v.n_vocab),
        row("tokens", lambda v: v.total.tokens),
        row("bytes per token", lambda v: v.total.bytes_per_token),
        row("characters per token", lambda v: v.total.characters_per_token),
        row("fertility", lambda v: v.total.fertility),
        row("single bytes", lambda v: f"{v.single_byte:.2%}"),
        row("ids used", lambda v: f"{v.used:,} ({v.used_share:.1%})"),
        row("encoding MB/s", lambda v: v.megabytes_per_second),
        row("Rényi efficiency", lambda v: v.renyi_efficiency),
        row("tokens that the other has", lambda v: f"{comparison.shared_tokens[0][1]:,} ({shared(v):.1%})"),
    ]


def _source_rows(comparison: "Comparison") -> list[list[Any]]:
    first, second = comparison.vocabularies
    return [
        [
            source,
            figures.bytes_per_token,
            second.sources[source].bytes_per_token,
            figures.fertility,
            second.sources[source].fertility,
        ]
        for source, figures in first.sources.items()
    ]
