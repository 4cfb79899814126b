"""`nlpkit tokenizer show`: text in its tokens, in the terminal or as an HTML page."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .common import Vocabulary

_BACKGROUNDS = (153, 194, 229, 225, 195)  # of the 256-colour palette: pale, so that black text reads well


def show(
    vocabulary: Vocabulary,
    text: Annotated[str, typer.Argument(help="What to show; stdin where it is `-` or left out.")] = "-",
    ids: Annotated[bool, typer.Option("--ids", help="Also list each token's id and bytes.")] = False,
    special: Annotated[
        bool, typer.Option("--special", help="What spells a special token is one; else ordinary text.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page with colours, ids under the pointer and figures to this file."),
    ] = None,
) -> None:
    """Show where the tokens of a text begin and end.

    Colours appear in a terminal; elsewhere tokens are set apart by `|`.
    """
    from nlpkit.errors import UsageError
    from nlpkit.files import write_text
    from nlpkit.tokenization import Tokenizer, load_vocabulary
    from nlpkit.tokenization.showing import readable, tokens_page

    from ..output import print_table
    from ..standard_input import read_text

    loaded = load_vocabulary(vocabulary)
    content = read_text() if text == "-" else text
    if not special:
        tokens = loaded.encode_ordinary(content)
    elif isinstance(loaded, Tokenizer):
        tokens = loaded.encode(content, allowed_special="all")
    else:
        raise UsageError("--special needs a vocabulary with special tokens; this one has words.")
    if html is not None:
        title = " ".join(content.split())
        write_text(html, tokens_page(loaded, tokens, title=title[:60] + "…" * (len(title) > 60)))
        print(f"wrote {html}")
        return
    pieces = [loaded.decode_single_token_bytes(token) for token in tokens]
    shown = [readable(piece) for piece in pieces]
    print(_coloured(shown) if sys.stdout.isatty() else "|".join(shown))
    if ids:
        print_table(
            ["id", "bytes"], [[token, repr(piece)[2:-1]] for token, piece in zip(tokens, pieces, strict=True)]
        )


def _coloured(pieces: list[str]) -> str:
    return "".join(
        f"\x1b[30;48;5;{_BACKGROUNDS[number % len(_BACKGROUNDS)]}m{piece}\x1b[0m"
        for number, piece in enumerate(pieces)
    )
