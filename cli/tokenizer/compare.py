"""`nlpkit tokenizer compare`: vocabularies on the same texts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Errors, Field, Json, Lines, Threads
from .common import ANY_VOCABULARY, SplitPattern

if TYPE_CHECKING:
    from nlpkit.tokenization.comparison import Comparison, TextFigures, VocabularyFigures

MOST_ROWS = 30
"""Scripts and files that the tables list; `--json` has all."""


def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="VOCABULARY... CORPUS...",
            help=f"First the vocabularies, any number, each {ANY_VOCABULARY} From the first argument that is "
            "none of these on, the corpus: text files, folders, globs, `-`, or corpus:NAME.",
        ),
    ],
    pattern: SplitPattern = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="PAGE", help="Also write a page with plots to this file.")
    ] = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Compare vocabularies on a corpus: bytes per token, fertility by script, coverage, speed and more.

    Fertility is tokens per word between white space, in scripts that have it between words. Coverage is the
    share of characters that no token cuts, or of words that a vocabulary of words knows. Rényi efficiency
    (order 2.5) is 1 where all ids are used equally. Scripts, and files where there are several, are listed
    one by one; for one language a file, they are languages.
    """
    from nlpkit.files import require_file
    from nlpkit.text import Corpus
    from nlpkit.tokenization.comparison import compare_vocabularies, write_comparison_page
    from nlpkit.tokenization.conversion import open_vocabulary

    from ..output import print_json, progress_bar

    given, inputs = _told_apart(arguments)
    if html is not None:
        require_file(html)
    documents = Corpus(inputs, field=field, lines=lines, errors=errors)
    vocabularies = [open_vocabulary(one, pattern=_pattern(one, pattern)).vocabulary for one in given]
    with progress_bar() as progress:
        comparison = compare_vocabularies(
            vocabularies, documents, names=given, threads=threads, progress=progress
        )
    if html is not None:
        write_comparison_page(comparison, html, corpus=inputs)
    if as_json:
        print_json(comparison.as_json())
        return
    _print_tables(comparison)
    if html is not None:
        print(f"\nwrote {html}")


def _told_apart(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The vocabularies, and the corpus that follows them."""
    from nlpkit.errors import UsageError
    from nlpkit.tokenization.conversion import is_vocabulary

    count = next((i for i, one in enumerate(arguments) if not is_vocabulary(one)), len(arguments))
    if count == 0 and not Path(arguments[0]).exists():
        raise UsageError(
            f"{arguments[0]} does not exist, and no published vocabulary has this name: name vocabularies "
            "first, then the corpus."
        )
    if count == 0:
        raise UsageError(
            f"{arguments[0]} is no vocabulary: name vocabularies first ({ANY_VOCABULARY.rstrip('.')}), then "
            "the corpus."
        )
    if count == len(arguments):
        raise UsageError(
            f"{arguments[-1]} is a vocabulary too, and no corpus follows: name text files, a folder of text "
            "or corpus:sample last."
        )
    return arguments[:count], arguments[count:]


def _pattern(given: str, pattern: str | None) -> str | None:
    """The pattern goes with rank files alone."""
    return pattern if given.endswith(".tiktoken") else None


def _print_tables(comparison: "Comparison") -> None:
    from nlpkit.tokenization.comparison.wording import short_names

    from ..output import print_table

    names = short_names([vocabulary.name for vocabulary in comparison.vocabularies])
    print_table(["", *names], _total_rows(comparison))
    print(f"\nspeed: {comparison.speed_measured}")
    _print_parts("script", [vocabulary.scripts for vocabulary in comparison.vocabularies], names)
    if len(comparison.vocabularies[0].sources) > 1:
        _print_parts("file", [vocabulary.sources for vocabulary in comparison.vocabularies], names)


def _print_parts(kind: str, figures: "list[Mapping[str, TextFigures]]", names: list[str]) -> None:
    """What each vocabulary makes of the parts of the corpus, those with most text first."""
    from nlpkit.tokenization.comparison.wording import short_names

    from ..output import print_table

    parts = sorted(figures[0], key=lambda name: -figures[0][name].text_bytes)
    total = sum(one.text_bytes for one in figures[0].values())
    listed = list(zip(parts[:MOST_ROWS], short_names(parts[:MOST_ROWS]), strict=True))
    ratios: dict[str, Callable[[TextFigures], Any]] = {
        "bytes per token": lambda one: one.bytes_per_token,
        "fertility: tokens per word, or per character (c)": _fertility,
        "coverage": lambda one: _percent(one.coverage, 1),
    }
    for title, ratio in ratios.items():
        print(f"\n{title}, by {kind}")
        rows = [
            [
                short,
                _percent(figures[0][name].text_bytes / total),
                *(ratio(of_one[name]) for of_one in figures),
            ]
            for name, short in listed
        ]
        print_table(["", "share", *names], rows)
    if len(parts) > MOST_ROWS:
        print(f"and {len(parts) - MOST_ROWS:,} more with less text: see --json")


def _fertility(figures: "TextFigures") -> Any:
    if figures.fertility is not None:
        return f"{figures.fertility:.2f}"
    return f"{figures.tokens / figures.characters:.2f} c"


def _percent(share: float, least_digits: int = 0) -> str:
    from nlpkit.tokenization.comparison.wording import percent

    return percent(share, least_digits)


def _total_rows(comparison: "Comparison") -> list[list[Any]]:
    vocabularies = comparison.vocabularies

    def row(name: str, figure: Any) -> list[Any]:
        return [name, *(figure(vocabulary) for vocabulary in vocabularies)]

    def shared(vocabulary: "VocabularyFigures") -> str:
        place = [one is vocabulary for one in vocabularies].index(True)
        count = comparison.shared_tokens[0][place]
        return f"{count:,} ({_percent(count / max(1, comparison.shared_tokens[place][place]), 1)})"

    rows = [
        row("ids", lambda v: v.n_vocab),
        row("tokens", lambda v: v.total.tokens),
        row("bytes per token", lambda v: v.total.bytes_per_token),
        row("characters per token", lambda v: v.total.characters_per_token),
        row("fertility", lambda v: v.total.fertility),
        row("coverage", lambda v: _percent(v.total.coverage, 1)),
        row("ids used", lambda v: f"{v.used:,} ({_percent(v.used_share, 1)})"),
        row("Rényi efficiency", lambda v: v.renyi_efficiency),
        row("encoding MB/s", lambda v: v.megabytes_per_second),
        row("MB per CPU second", lambda v: v.megabytes_per_cpu_second),
    ]
    if len(vocabularies) > 1:
        rows.append(row("tokens that the first has", shared))
    return rows
