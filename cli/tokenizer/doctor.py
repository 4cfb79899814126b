"""`nlpkit tokenizer doctor`: what is wrong with a vocabulary, and what is worth knowing."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Errors, Field, Json, Lines


def doctor(
    vocabulary: Annotated[
        Path,
        typer.Argument(help="A folder of `nlpkit tokenizer train`, or a .tiktoken file.", show_default=False),
    ],
    corpus: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CORPUS]...", help="Text in which tokens that never occur are sought."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="The split pattern that it is used with, where that is another than its own."),
    ] = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    as_json: Json = False,
) -> None:
    """Examine a vocabulary; exit 1 when something is wrong with it.

    Wrong are damaged or double entries, bytes without a token, ids of special tokens that collide, and tokens
    that no text gives; `note` marks what is worth knowing. With --json, all ids concerned are listed.
    """
    from dataclasses import asdict

    from nlpkit.text import Corpus
    from nlpkit.tokenization.doctor import examine_vocabulary

    from ..output import print_json, progress_bar

    texts = Corpus(corpus, field=field, lines=lines, errors=errors) if corpus else ()
    with progress_bar() as progress:
        findings = examine_vocabulary(
            vocabulary, pattern=pattern, corpus=(document.text for document in texts), progress=progress
        )
    wrong = any(finding.wrong for finding in findings)
    if as_json:
        print_json({"wrong": wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            print(f"{'WRONG' if finding.wrong else 'note '}  {finding.name}: {finding.sentence}")
        if not wrong:
            print("Nothing is wrong with this vocabulary.")
    if wrong:
        raise typer.Exit(1)
