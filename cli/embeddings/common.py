"""Arguments that the vector commands share, and how they print words."""

from pathlib import Path
from typing import Annotated

import typer

Vectors = Annotated[
    Path,
    typer.Argument(
        help="A folder of `nlpkit embeddings train`, or word2vec's format (.bin binary, else text).",
        show_default=False,
    ),
]
Topn = Annotated[int, typer.Option("--topn", "-n", min=1, help="How many words to list.")]


def print_neighbours(neighbours: list[tuple[str, float]], as_json: bool) -> None:
    """A table of words and their scores, or JSON."""
    from ..output import print_json, print_table

    if as_json:
        print_json([{"word": printable(word), "similarity": score} for word, score in neighbours])
    else:
        print_table(["word", "similarity"], [[printable(word), score] for word, score in neighbours])


def printable(word: str) -> str:
    """Bytes that are no UTF-8, line breaks and the like as escapes; spaces at the ends as ␣."""
    shown = word.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    inner = escaped.strip(" ")
    start = len(escaped) - len(escaped.lstrip(" "))
    return "␣" * start + inner + "␣" * (len(escaped) - start - len(inner))
