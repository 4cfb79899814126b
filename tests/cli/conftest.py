"""Commands as the user types them, run in this process."""

import importlib
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

main = importlib.import_module("nlpkit.cli.main")


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def nlpkit() -> Callable[..., Result]:
    """Run `nlpkit …` with `stdin`, its stdout being a `terminal` or not."""

    def run(*arguments: object, stdin: str | bytes = b"", terminal: bool = False) -> Result:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
        out.isatty = lambda: terminal  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["nlpkit", *map(str, arguments)])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
            with pytest.raises(SystemExit) as ended:
                main.main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Result(code, *(_written(stream) for stream in (out, err)))

    return run


@pytest.fixture
def refuse(nlpkit: Callable[..., Result]) -> Callable[..., str]:
    """Run a command that must end with that exit code and print nothing; returns its one sentence."""

    def run(code: int, *arguments: object, stdin: str | bytes = b"") -> str:
        ended, out, err = nlpkit(*arguments, stdin=stdin)
        assert (ended, out) == (code, ""), err
        assert err.startswith("nlpkit: ")
        assert err.count("\n") == 1, err
        return err

    return run


@pytest.fixture(scope="session")
def program() -> list[str]:
    """`nlpkit` as a process of its own."""
    return [sys.executable, "-c", "from nlpkit.cli import main; main()"]


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    written = stream.detach()
    assert isinstance(written, io.BytesIO)
    return written.getvalue().decode()
