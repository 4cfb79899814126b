"""`nlpkit tokenizer decode`: ids to text."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpkit.errors import NlpkitError, UsageError

from .common import Vocabulary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def decode(
    vocabulary: Vocabulary,
    numpy: Annotated[
        Path | None,
        typer.Option("--numpy", metavar="FILE", help="Read this .npy file of ids; `-` for stdin."),
    ] = None,
) -> None:
    """Turn ids on stdin, between white space or commas, into text on stdout."""
    from nlpkit.tokenization import load_vocabulary

    loaded = load_vocabulary(vocabulary)
    for where, ids in _lines() if numpy is None else [_array(numpy)]:
        try:
            text = loaded.decode(ids)
        except KeyError as error:
            raise NlpkitError(
                f"{where} has an id that {vocabulary} does not know ({error.args[0]}): "
                "use the vocabulary that made the ids."
            ) from error
        except OverflowError as error:
            raise NlpkitError(f"{where} is not a line of token ids ({error}).") from error
        sys.stdout.write(text)


def _lines() -> Iterator[tuple[str, list[int]]]:
    """Where each line of standard input is, and the ids in it."""
    from ..standard_input import read_lines

    for number, line in enumerate(read_lines(), start=1):
        where = f"line {number} of standard input"
        try:
            yield where, [int(word) for word in re.findall(r"[^\s,\[\]]+", line)]
        except ValueError as error:
            raise NlpkitError(f"{where} is not a line of token ids ({error}).") from error


def _array(path: Path) -> "tuple[str, npt.NDArray[np.uint32]]":
    from nlpkit.tokenization.id_files import read_ids

    if str(path) == "-":
        return "standard input", read_ids(sys.stdin.buffer.read(), "standard input")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    return str(path), read_ids(content, str(path))
