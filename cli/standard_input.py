"""Text that comes on standard input, as it stands: no line end is translated."""

import sys
from collections.abc import Iterator

from nlpkit.errors import CorruptFileError


def read_lines() -> Iterator[str]:
    """The lines of standard input, each with its end.

    Raises:
        CorruptFileError: a line is not UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise CorruptFileError(
                f"line {number} of standard input is not UTF-8 at byte {error.start} "
                f"(0x{line[error.start]:02x}): convert it to UTF-8."
            ) from error


def read_text() -> str:
    """All of standard input; raises what `read_lines` does."""
    return "".join(read_lines())
