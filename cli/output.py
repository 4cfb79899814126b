"""What commands print: tables and JSON on stdout, progress on stderr when it is a terminal."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nlpkit.progress import ProgressCallback, no_progress


def print_json(value: Any) -> None:
    """One JSON document on stdout, for `--json`."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Aligned `name  value` lines; numbers get thousands separators."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print(f"{name:<{width}}  {format_value(value)}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A plain table: text to the left, numbers to the right."""
    cells = [[format_value(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    for line in [list(header), *cells]:
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        )
        print("  ".join(padded).rstrip())


def format_value(value: Any) -> str:
    """A value as tables show it: 1,234,567 and 3.142; None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


@contextmanager
def progress_bar() -> Iterator[ProgressCallback]:
    """A callback that draws one line on stderr (phase, share, ETA), and nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    line = _ProgressLine()
    try:
        yield line.update
    finally:
        clear_line()


def clear_line() -> None:
    """Wipe the progress line, so that what is printed next stands alone."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()


class _ProgressLine:
    """One line rewritten in place at most ten times a second."""

    def __init__(self) -> None:
        self._phase = ""
        self._first = 0
        self._started = self._drawn = 0.0

    def update(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._first, self._started, self._drawn = phase, done, now, 0.0
        if now - self._drawn < 0.1:
            return
        self._drawn = now
        line = f"{phase}  {self._measure(done, total, now)}"
        sys.stderr.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def _measure(self, done: int, total: int, now: float) -> str:
        if total <= 0:
            return f"{done:,}"
        share = min(1.0, done / total)
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        return f"{bar} {share:4.0%}  {done:,}/{total:,}{self._left(done, total, now)}"

    def _left(self, done: int, total: int, now: float) -> str:
        """Time to go at the speed so far; work that was resumed counts from where it was."""
        if done <= self._first:
            return ""
        seconds = (now - self._started) * (total - done) / (done - self._first)
        return f"  {max(0.0, seconds):,.0f} s left"
