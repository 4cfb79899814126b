"""The command line: parsing and printing only; each command calls one importable function."""

from .main import main

__all__ = ["main"]
