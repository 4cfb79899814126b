"""`nlpkit GROUP VERB`: the tree of commands, and how errors reach the user.

Command files import typer and the standard library at their top, everything else inside the command, so
that `nlpkit --help` starts fast.
"""

import os
import sys

import typer

from nlpkit.errors import NlpkitError

app = typer.Typer(
    name="nlpkit",
    help="Train your own tokenizer, word vectors and small language models.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; what the user can mend is one sentence: exit 2 for usage, 1 for failure."""
    try:
        app()
    except NlpkitError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output (head, less) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}.", 1)
    except KeyboardInterrupt:
        _fail("interrupted.", 130)


def _fail(message: str, exit_code: int) -> None:
    print(f"nlpkit: {message}", file=sys.stderr)
    sys.exit(exit_code)
