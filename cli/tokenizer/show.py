"""`nlpkit tokenizer show`: text in the terminal, each token on its own colour."""

import sys
from typing import Annotated

import typer

from .common import Vocabulary

_BACKGROUNDS = (153, 194, 229, 225, 195)  # of the 256-colour palette: pale, so that black text reads well


def show(
    vocabulary: Vocabulary,
    text: Annotated[str, typer.Argument(help="What to show; stdin where it is `-` or left out.")] = "-",
    ids: Annotated[bool, typer.Option("--ids", help="Also list each token's id and bytes.")] = False,
) -> None:
    """Show where the tokens of a text begin and end.

    Colours appear in a terminal; elsewhere tokens are set apart by `|`.

    Example: nlpkit tokenizer show "Tokenization is fun." --vocabulary vocabulary --ids
    """
    from nlpkit.tokenization import load_vocabulary

    from ..output import print_table

    loaded = load_vocabulary(vocabulary)
    tokens = loaded.encode_ordinary(sys.stdin.read() if text == "-" else text)
    pieces = [loaded.decode_single_token_bytes(token) for token in tokens]
    print(_coloured(pieces) if sys.stdout.isatty() else "|".join(map(_readable, pieces)))
    if ids:
        print_table(
            ["id", "bytes"], [[token, repr(piece)[2:-1]] for token, piece in zip(tokens, pieces, strict=True)]
        )


def _coloured(pieces: list[bytes]) -> str:
    parts = []
    for number, piece in enumerate(pieces):
        background = _BACKGROUNDS[number % len(_BACKGROUNDS)]
        parts.append(f"\x1b[30;48;5;{background}m{_readable(piece)}\x1b[0m")
    return "".join(parts)


def _readable(piece: bytes) -> str:
    """A token as text, white space made visible, the bytes of a split character as \\x escapes."""
    text = piece.decode("utf-8", "backslashreplace")
    text = text.replace(" ", "·").replace("\t", "→").replace("\r", "␍").replace("\n", "⏎")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
