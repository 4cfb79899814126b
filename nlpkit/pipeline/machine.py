"""What this machine and installation are: versions, processor level, memory. No torch import."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nlpkit import __version__

PACKAGES = ("numpy", "regex", "torch", "tiktoken", "scikit-learn", "safetensors", "jinja2", "typer")


def versions() -> dict[str, str]:
    """nlpkit, Python and the packages that results can depend on; a missing package is left out."""
    found = {"nlpkit": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def system() -> str:
    """The operating system and processor family, as `Linux x86_64`: nothing that names the machine."""
    return f"{platform.system()} {platform.machine()}"


def description(threads: int = 0) -> dict[str, Any]:
    """What a result was made with: versions, system, processor level and threads (0: all)."""
    from nlpkit import _core

    return {
        "versions": versions(),
        "system": system(),
        "simd": _core.simd_level(),
        "threads": _core.resolve_threads(threads),
    }


def reset_peak_memory() -> None:
    """Start counting the peak anew where the system can (Linux); elsewhere it stays the process's own."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory() -> int | None:
    """The most memory that this process has held since `reset_peak_memory`, in bytes; None if unknown."""
    if (held := _status_bytes("VmHWM")) is not None:
        return held
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def total_memory() -> int | None:
    """The machine's memory in bytes, None if unknown."""
    return _sysconf_bytes("SC_PHYS_PAGES")


def free_memory() -> int | None:
    """Memory that programs can still have, in bytes; None if unknown."""
    available = _proc_bytes(Path("/proc/meminfo"), "MemAvailable")
    return available if available is not None else _sysconf_bytes("SC_AVPHYS_PAGES")


def _sysconf_bytes(pages: str) -> int | None:
    try:
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, macOS no such name
        return None


def _status_bytes(field: str) -> int | None:
    return _proc_bytes(Path("/proc/self/status"), field)


def _proc_bytes(path: Path, field: str) -> int | None:
    """A `Field:  123 kB` line of a file under /proc, in bytes."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    values = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return next((int(value) * 1024 for value in values), None)
