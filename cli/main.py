"""`nlpkit GROUP VERB`: the tree of commands, and how errors reach the user.

Command files import typer and the standard library at their top, everything else inside the command, so
that `nlpkit --help` starts fast.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from nlpkit.errors import NlpkitError

from . import corpus, doctor, embeddings, lm, pipeline, tokenizer

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it: 128 + SIGINT."""

app = typer.Typer(
    name="nlpkit",
    help="Train your own tokenizer, word vectors and small language models.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from nlpkit import __version__

        print(f"nlpkit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    pass


app.command()(pipeline.demo)
app.command()(pipeline.run)
app.command()(doctor.doctor)
app.add_typer(corpus.app, name="corpus")
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(embeddings.app, name="embeddings")
app.add_typer(lm.app, name="lm")


def main() -> None:
    """Run the command line; what the user can mend is one sentence: exit 2 for usage, 1 for failure.

    Typer itself answers a wrong option (2) and ends with 130, silently, after Ctrl-C.
    """
    _open_closed_streams()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # so that a closed pipe is found here and not by the interpreter's exit
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _fail(_interruption(ended) or "interrupted.", INTERRUPTED)
        raise
    except NlpkitError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output (head, less) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except UnicodeEncodeError as error:  # of what is printed
        character = error.object[error.start]
        _fail(f"{character!a} cannot be written as {error.encoding}: set PYTHONUTF8=1, or leave it out.", 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}.", 1)
    except MemoryError:
        _fail("not enough memory: give the process more, or take smaller sizes.", 1)


def _open_closed_streams() -> None:
    """Streams that the caller has closed (`<&-`, `>&-`), which Python makes None, are as /dev/null."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _interruption(ended: SystemExit) -> str:
    """What the KeyboardInterrupt that Typer turned into an exit said, such as how to go on."""
    error: BaseException | None = ended
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return str(error or "")


def _fail(message: str, exit_code: int) -> None:
    print(f"nlpkit: {message}", file=sys.stderr)
    sys.exit(exit_code)
