"""Arguments that the tokenizer commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nlpkit.tokenization.formats.agreement import Agreement

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
ANY_VOCABULARY = (
    "a folder of `nlpkit tokenizer train`, a published name such as cl100k_base, a tokenizer.json or a "
    "folder with one, a folder with GPT-2's two files, or a .tiktoken file."
)
AnyVocabulary = Annotated[
    str, typer.Argument(metavar="VOCABULARY", help=ANY_VOCABULARY[0].upper() + ANY_VOCABULARY[1:])
]
SplitPattern = Annotated[
    str | None,
    typer.Option("--pattern", help="What a .tiktoken file's vocabulary splits text by: a name or a regex."),
]
CheckTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--check",
        metavar="CORPUS",
        help="Text that both sides encode beside 2,000 made-up texts; any number.",
        show_default=False,
    ),
]


def check_texts(inputs: list[str] | None, field: str, lines: bool, errors: str) -> Iterable[str]:
    """The texts of `--check`."""
    from nlpkit.text import Corpus

    if not inputs:
        return ()
    corpus = Corpus(inputs, field=field, lines=lines, errors=errors)
    return (document.text for document in corpus)


def describe_agreement(agreement: "Agreement | None") -> str:
    """What the self-check compared, in words."""
    if agreement is None:
        return "not compared: pip install tokenizers, and both sides encode the same texts"
    return f"{agreement.texts:,} texts have the same ids with {agreement.peer}"
