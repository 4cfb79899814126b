"""How the report and the command line put figures into words."""

from pathlib import Path
from typing import Any


def size(count: int | None) -> str:
    """Bytes as people read them: 1.98 MB; powers of 1000, as disks and networks count.

    >>> size(1_984_321), size(512), size(None)
    ('1.98 MB', '512 bytes', '–')
    """
    if count is None:
        return "–"
    if count < 1000:
        return f"{count} bytes"
    units = ("kB", "MB", "GB", "TB")
    value, unit = next(
        ((scaled, unit) for power, unit in enumerate(units, 1) if (scaled := count / 1000**power) < 999.5),
        (count / 1000**4, "TB"),
    )
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def duration(seconds: float) -> str:
    """Seconds as people read them.

    >>> duration(0.42), duration(12.3), duration(185), duration(7800)
    ('0.4 s', '12 s', '3 min 5 s', '2 h 10 min')
    """
    whole = round(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: float) -> str:
    """A count with separators; from a million on its first three digits.

    >>> number(4096), number(1_940_000)
    ('4,096', '1.94 million')
    """
    return f"{value / 1e6:,.3g} million" if value >= 999_500 else f"{value:,.0f}"


def counted(count: int, noun: str) -> str:
    """A count and what it counts.

    >>> counted(1, "document"), counted(1200, "document")
    ('1 document', '1,200 documents')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(share: float) -> str:
    """A share in percent, with a decimal where it is small.

    >>> percent(0.978), percent(0.0123), percent(0.0001), percent(1)
    ('98%', '1.2%', '<0.1%', '100%')
    """
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}"


def sentence(text: str) -> str:
    """`text` with a capital at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def input_name(given: str) -> str:
    """A corpus's input without the folder that it lies in.

    >>> input_name("corpus:sample"), input_name("texts/book.txt")
    ('corpus:sample', 'book.txt')
    """
    return given if given.startswith("corpus:") else Path(given).name or "this folder"


def toml_value(value: Any) -> str:
    """A recipe's value as TOML spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
    return str(value)
