"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

Corpus = Annotated[
    list[str],
    typer.Argument(
        metavar="CORPUS...",
        help="Text files (.txt .jsonl .csv .tsv .parquet, also .gz .bz2 .xz .zst), folders, globs, `-` for "
        "stdin, or corpus:NAME for one of `nlpkit corpus list`.",
    ),
]
Field = Annotated[str, typer.Option("--field", help="Where the text is in .jsonl, .csv, .tsv and .parquet.")]
Lines = Annotated[bool, typer.Option("--lines", help="In .txt, one document a line instead of a file.")]
Errors = Annotated[str, typer.Option("--errors", help="On invalid UTF-8: strict (stop), replace or skip.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write; replaced as a whole.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Fixes every random choice.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="0: all that this process may run on.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
