"""Arguments that the tokenizer commands share."""

from pathlib import Path
from typing import Annotated

import typer

Vocabulary = Annotated[
    Path,
    typer.Option(
        "--vocabulary", "-v", metavar="DIR", help="A folder of `nlpkit tokenizer train`.", show_default=False
    ),
]
CorpusOrStdin = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CORPUS",
        help="Text files (.txt .jsonl .csv .tsv .parquet, also .gz .bz2 .xz .zst), folders, globs, or "
        "corpus:NAME for one of `nlpkit corpus list`; stdin if there is none.",
        show_default=False,
    ),
]
