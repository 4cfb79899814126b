"""`nlpkit tokenizer export`: a vocabulary in another library's form."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..options import Errors, Field, Json, Lines
from .common import AnyVocabulary, CheckTexts, SplitPattern


class Format(StrEnum):
    """Whose files to write."""

    huggingface = "huggingface"
    tiktoken = "tiktoken"
    gpt2 = "gpt2"


def export(
    vocabulary: AnyVocabulary,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into; other files in it stay.")],
    format: Annotated[
        Format,
        typer.Option(
            help="huggingface (tokenizer.json, for AutoTokenizer), tiktoken (a plugin that needs no nlpkit) "
            "or gpt2 (vocab.json and merges.txt).",
            show_default=False,
        ),
    ],
    check: CheckTexts = None,
    pattern: SplitPattern = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    as_json: Json = False,
) -> None:
    """Write a vocabulary in another library's form, with the same ids.

    Where the other library is installed, both sides encode the same texts first, and nothing is written
    where they differ. What cannot be said in that form is refused by name.
    """
    from nlpkit.tokenization.conversion import export_vocabulary, open_vocabulary

    from ..output import print_fields, print_json
    from .common import check_texts, describe_agreement

    opened = open_vocabulary(vocabulary, pattern=pattern)
    texts = check_texts(check, field, lines, errors)
    agreement = export_vocabulary(opened.vocabulary, format, out, texts=texts)
    fields = {
        "vocabulary": opened.vocabulary.name,
        "ids": opened.vocabulary.n_vocab,
        "format": str(format),
        "checked": describe_agreement(agreement),
    }
    if as_json:
        print_json({**fields, "out": str(out)})
    else:
        print_fields(fields)
        print(f"wrote {out}")
