"""`nlpkit tokenizer import`: another library's vocabulary as a folder of nlpkit's."""

from typing import Annotated

import typer

from ..options import Errors, Field, Json, Lines, Out
from .common import AnyVocabulary, CheckTexts, SplitPattern


def import_vocabulary(
    vocabulary: AnyVocabulary,
    out: Out,
    pattern: SplitPattern = None,
    special_token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT[=ID]",
            help="A special token of a .tiktoken file, any number; the next id after the others by default.",
            show_default=False,
        ),
    ] = None,
    check: CheckTexts = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    as_json: Json = False,
) -> None:
    """Read a vocabulary in whatever form it comes and write it as a folder that every command takes.

    Where the other library is installed, both sides encode the same texts first. What nlpkit does not do
    (normalizers, WordPiece, Unigram, merges in another order than the ids, …) is refused by name.
    """
    from nlpkit.errors import UsageError
    from nlpkit.tokenization import Tokenizer
    from nlpkit.tokenization.conversion import open_vocabulary
    from nlpkit.tokenization.patterns import named_scheme

    from ..output import print_fields, print_json
    from .common import check_texts, describe_agreement

    texts = check_texts(check, field, lines, errors)
    opened = open_vocabulary(vocabulary, pattern=pattern, special_tokens=special_token or (), texts=texts)
    if not isinstance(opened.vocabulary, Tokenizer):
        raise UsageError(f"{vocabulary} is a vocabulary of words in nlpkit's own form already.")
    opened.vocabulary.save(out)
    pat_str = opened.vocabulary.definition.pat_str
    fields = {
        "vocabulary": opened.vocabulary.name,
        "format": opened.format,
        "ids": opened.vocabulary.n_vocab,
        "special tokens": len(opened.vocabulary.special_tokens_set),
        "pattern": named_scheme(pat_str) or pat_str,
    }
    if check or opened.format in ("huggingface", "gpt2"):
        fields["checked"] = describe_agreement(opened.agreement)
    if as_json:
        print_json({**fields, "notes": opened.notes, "out": str(out)})
        return
    print_fields(fields)
    for note in opened.notes:
        print(f"note: {note}")
    print(f"wrote {out}")
