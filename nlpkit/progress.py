"""How long work tells how far it is: one callback, `progress(phase, done, total)`."""

from collections.abc import Callable
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Called as `progress(phase, done, total)`; `total` is 0 while unknown. May raise to stop the work."""


def no_progress(phase: str, done: int, total: int) -> None:
    """The default callback: says nothing."""
