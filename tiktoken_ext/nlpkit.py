"""nlpkit's plugin for tiktoken: `tiktoken.get_encoding("nlpkit/NAME")` finds vocabularies that nlpkit saved.

The environment variable NLPKIT_VOCABULARIES lists folders, as PATH does: vocabulary folders, or folders that
hold some. NAME is the folder's name. This file is installed into `tiktoken_ext`, where tiktoken looks; it is
imported at tiktoken's first `get_encoding`, so that it imports next to nothing itself.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

VARIABLE = "NLPKIT_VOCABULARIES"


def find_vocabularies(listed: str) -> dict[str, Path]:
    """The folders by the names that tiktoken will know; of equal names the first counts."""
    found: dict[str, Path] = {}
    for given in filter(None, listed.split(os.pathsep)):
        for folder in _vocabulary_folders(Path(given)):
            found.setdefault(f"nlpkit/{folder.resolve().name}", folder)
    return found


def _vocabulary_folders(folder: Path) -> Iterator[Path]:
    """The folder itself, or the vocabularies in it.

    One that is not there counts as a vocabulary: then its own name brings the error, and other names work.
    """
    if (folder / "nlpkit.json").is_file() or not folder.is_dir():
        yield folder
    else:
        yield from sorted(path.parent for path in folder.glob("*/nlpkit.json"))


def construct(name: str, folder: Path) -> dict[str, Any]:
    """The arguments of `tiktoken.Encoding`.

    Raises:
        UsageError: there is no byte-level BPE vocabulary.
        CorruptFileError: a file is damaged.
    """
    from nlpkit.tokenization import Tokenizer

    return Tokenizer.load(folder).definition.arguments() | {"name": name}


ENCODING_CONSTRUCTORS: dict[str, Callable[[], dict[str, Any]]] = {
    name: partial(construct, name, folder)
    for name, folder in find_vocabularies(os.environ.get(VARIABLE, "")).items()
}
"""What tiktoken asks its plugins for."""
