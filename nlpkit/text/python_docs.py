"""The corpus `python-docs`: the English that ships with every Python, about 2 MB of it.

One document for each topic of the language reference (`pydoc_data.topics`), and one for each module of the
standard library: its docstrings in source order. The sources are parsed, never imported, so the corpus is
the same on every machine that has the same Python.
"""

import ast
import hashlib
import json
import os
import platform
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from nlpkit.errors import NlpkitError
from nlpkit.files import atomic_file

_VERSION = 1  # of this module's output

# Tests, other people's packages, examples, machine-made code tables, and what distributors take out.
_LEFT_OUT = {"__phello__", "__pycache__", "_pyrepl", "config", "dist-packages", "distutils", "encodings"}
_LEFT_OUT |= {"ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test", "tests", "turtledemo"}


def python_docs_name() -> str:
    """The name of the corpus's file for the Python that runs: `python-docs-3.12.3-1a2b3c4d.jsonl`."""
    digest = hashlib.sha256(f"{_VERSION} {sys.version}".encode()).hexdigest()[:8]
    return f"python-docs-{platform.python_version()}-{digest}.jsonl"


def build_python_docs(path: Path) -> None:
    """Write the corpus to `path` as .jsonl with the fields `text` and `source`; takes some seconds.

    Raises:
        NlpkitError: this Python came without the sources of its standard library.
    """
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for source, text in python_docs(Path(sysconfig.get_path("stdlib"))):
            json.dump({"text": text, "source": source}, file, ensure_ascii=False)
            file.write("\n")


def python_docs(stdlib: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of each document: the topics by name, then the modules under `stdlib` by path.

    A text that has come before, in whatever topic or module, is left out.

    Raises:
        NlpkitError: there are no Python sources under `stdlib`.
    """
    from pydoc_data.topics import topics

    seen: set[str] = set()
    for name, text in sorted(topics.items()):
        if text not in seen:
            yield f"topic {name}", text
        seen.add(text)
    paths = sorted(_module_paths(stdlib))
    if not paths:
        raise NlpkitError(f"{stdlib} holds no Python sources: use a Python that ships its standard library.")
    for path in paths:
        docstrings = [text for text in _docstrings(path) if text not in seen]
        docstrings = list(dict.fromkeys(docstrings))
        seen.update(docstrings)
        if docstrings:
            yield f"module {_module_name(path.relative_to(stdlib))}", "\n\n".join(docstrings) + "\n"


def _module_paths(stdlib: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(stdlib):
        # `config-3.12-x86_64-linux-gnu` and the like are named after the machine
        folders[:] = [
            name for name in folders if name.split("-")[0] not in _LEFT_OUT and name not in _LEFT_OUT
        ]
        yield from (Path(parent, name) for name in files if name.endswith(".py"))


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a module, its classes and functions, in source order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the parsed code: invalid escapes and the like
        module = ast.parse(path.read_bytes(), filename=str(path))
    yield from _docstrings_below(module)


def _docstrings_below(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node)
        if text:
            yield text
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _docstrings_below(child)
