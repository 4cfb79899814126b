"""`nlpkit corpus list|get|stats`: corpora that have a name, and what any corpus holds."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .output import print_fields, print_json, print_table, progress_bar

app = typer.Typer(help="Corpora with a name, and figures of any corpus.", no_args_is_help=True)


@app.command("list", epilog="Example: nlpkit corpus list --json")
def list_corpora(as_json: options.Json = False) -> None:
    """List what may stand behind corpus:NAME."""
    from nlpkit.text.corpora import describe_corpora

    corpora = describe_corpora()
    if as_json:
        print_json([asdict(corpus) for corpus in corpora])
        return
    header = ["name", "kind", "language", "bytes", "here", "licence", "description"]
    rows = [[getattr(corpus, column) for column in header] for corpus in corpora]
    print_table(header, rows)


@app.command(
    epilog="Example: nlpkit corpus get tinyshakespeare; "
    "nlpkit corpus get https://example.org/texts.jsonl.gz --sha256 2c26b46b68ffc68f…"
)
def get(
    corpus: Annotated[str, typer.Argument(metavar="NAME|URL", help="One of the list, or a file's address.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder to write to. Default: where corpus:NAME finds it; for a URL, the current folder.",
        ),
    ] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="Checksum of a URL's file.")] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="Take this file instead of downloading.")
    ] = None,
) -> None:
    """Download a corpus, check its SHA-256, and print where it is."""
    from nlpkit.text.fetching import get_corpus

    with progress_bar() as progress:
        path = get_corpus(corpus, out=out, sha256=sha256, from_file=from_file, progress=progress)
    print(path)


@app.command(epilog="Example: nlpkit corpus stats corpus:sample notes/ 'more/*.jsonl.gz'")
def stats(
    corpus: options.Corpus,
    field: options.Field = "text",
    lines: options.Lines = False,
    errors: options.Errors = "strict",
    as_json: options.Json = False,
) -> None:
    """Count documents, bytes, characters, words, scripts and duplicates."""
    from nlpkit.text import Corpus
    from nlpkit.text.statistics import corpus_stats

    with progress_bar() as progress:
        figures = asdict(
            corpus_stats(Corpus(corpus, field=field, lines=lines, errors=errors), progress=progress)
        )
    if as_json:
        print_json(figures)
        return
    shares = figures.pop("scripts").items()
    figures["scripts"] = ", ".join(f"{script} {share:.1%}" for script, share in shares if share >= 0.001)
    print_fields({name.replace("_", " "): value for name, value in figures.items()})
