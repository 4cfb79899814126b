"""How the command line starts, and how errors of every kind reach the user."""

import errno
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from nlpkit import __version__
from nlpkit.errors import NlpkitError, UsageError

main = importlib.import_module("nlpkit.cli.main")

Run = Callable[..., Any]
Failing = Callable[[BaseException], tuple[int, str]]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Failing:
    """Run a command that raises; return the exit code and what stands on stderr."""

    def run(error: BaseException) -> tuple[int, str]:
        def fail() -> None:
            raise error

        commands = [*main.app.registered_commands]
        monkeypatch.setattr(main.app, "registered_commands", commands)
        main.app.command("fail")(fail)
        monkeypatch.setattr(sys, "argv", ["nlpkit", "fail"])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return ended.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NlpkitError("the corpus is empty."), 1, "nlpkit: the corpus is empty.\n"),
        (UsageError("--dim must be positive."), 2, "nlpkit: --dim must be positive.\n"),
        (OSError(errno.ENOSPC, "No space left", "a.bin"), 1, "nlpkit: a.bin: No space left.\n"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 1, "nlpkit: out: Permission denied.\n"),
        (OSError("no name"), 1, "nlpkit: no name.\n"),
        (
            UnicodeEncodeError("ascii", "aé", 1, 2, "ordinal not in range"),
            1,
            "nlpkit: '\\xe9' cannot be written as ascii: set PYTHONUTF8=1, or leave it out.\n",
        ),
        (MemoryError(), 1, "nlpkit: not enough memory: give the process more, or take smaller sizes.\n"),
        (KeyboardInterrupt(), 130, "nlpkit: interrupted.\n"),
        (KeyboardInterrupt("saved; go on."), 130, "nlpkit: saved; go on.\n"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(
    failing: Failing, error: BaseException, code: int, said: str
) -> None:
    assert failing(error) == (code, said)


def test_a_reader_that_went_away_is_no_error_to_talk_about(program: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        ended = subprocess.run([*program, "--version"], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert ended.stderr == b""
    assert ended.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_closed_streams_are_as_empty_ones(program: list[str]) -> None:
    for closed, arguments, said in (
        ("<&-", ["corpus", "stats", "-"], "nlpkit: - holds no text: give at least one document.\n"),
        (">&-", ["--version"], ""),
        (">&- 2>&-", ["corpus", "stats", "none"], ""),
    ):
        command = ["sh", "-c", f'"$0" "$@" {closed}', *program, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.stderr == said
        assert ended.returncode == {"-": 1, "none": 2}.get(arguments[-1], 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_behind_stdout_is_one_sentence(program: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = subprocess.run(
            [*program, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, "nlpkit: No space left on device.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_with_130_and_one_line() -> None:
    code = (
        "import importlib, os, signal, sys\n"
        "main = importlib.import_module('nlpkit.cli.main')\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job inherits it ignored
        f"main.app.command('stop')(lambda: os.kill(os.getpid(), {int(signal.SIGINT)}))\n"
        "sys.argv = ['nlpkit', 'stop']; main.main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "nlpkit: interrupted.\n")


@pytest.mark.parametrize("arguments", [["doctor", "--colour"], ["fly"], ["doctor", "extra"]])
def test_wrong_usage_exits_2_without_a_traceback(nlpkit: Run, arguments: list[str]) -> None:
    code, out, err = nlpkit(*arguments)
    assert (code, out) == (2, "")
    assert arguments[-1] in err
    assert "Traceback" not in err


def test_version(nlpkit: Run) -> None:
    assert nlpkit("--version").out == f"nlpkit {__version__}\n"


def commands() -> list[str]:
    """All commands, as `tokenizer train`."""
    below = [(f"{group.name} ", group.typer_instance) for group in main.app.registered_groups]
    return [
        prefix + (command.name or command.callback.__name__)
        for prefix, group in [("", main.app), *below]
        for command in group.registered_commands
    ]


def test_every_command_has_help_with_an_example(nlpkit: Run) -> None:
    assert len(commands()) > 25
    for command in commands():
        told = " ".join(nlpkit(*command.split(), "--help").out.split())
        assert f"nlpkit {command}" in told.partition("Example: ")[2], command


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nlpkit.cli import main; sys.argv = ['nlpkit', '--help']\n"
        "try: main()\n"
        "except SystemExit: print('\\n', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "doctor" in out
    heavy = {"torch", "numpy", "sklearn", "scipy", "matplotlib", "pyarrow", "tiktoken", "regex", "jinja2"}
    assert not heavy & set(out.splitlines()[-1].split())
