"""Images of vocabularies in the user's cache folder: loading the same vocabulary again takes a fraction.

An image holds what was found out about the tokens of one `.tiktoken` file. Its name is the SHA-256 of that
file's content, which is still read and hashed each time, so an image never stands for other tokens; a
checksum in it tells damage and half-written files. One that does not fit is made anew, without a word, and
so is one that is missing: nothing depends on images but time. The checksum is no signature: whoever may
write to the cache folder may as well change nlpkit.

`NLPKIT_IMAGES` names another folder, or is `off`.
"""

import mmap
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nlpkit._core import BpeVocabulary
from nlpkit.text.corpora import cache_folder

VARIABLE = "NLPKIT_IMAGES"
OFF = "off"

LEAST_BYTES = 200_000
"""Of a `.tiktoken` file: smaller vocabularies are made in about the time that an image takes to read."""

SUFFIX = ".nlpkit-image"
"""Of images and of nothing else: the folder may hold other people's files."""

MOST_IMAGES = 16
"""The oldest of more are removed; an image of 100,000 tokens has 2.4 MB."""

_UNFINISHED = f"{SUFFIX}.tmp"


def image_folder() -> Path | None:
    """Where images are kept: `$NLPKIT_IMAGES`, or `images` in nlpkit's cache folder; None: nowhere."""
    given = os.environ.get(VARIABLE)
    if given == OFF:
        return None
    return Path(given) if given else cache_folder() / "images"


def through_image(size: int, sha256: str, make: Callable[[], BpeVocabulary]) -> BpeVocabulary:
    """The vocabulary that `make` makes, from its image if there is one; else it is made, and its image kept.

    Args:
        size: of the `.tiktoken` file in bytes.
        sha256: of its content.
        make: makes the vocabulary from it.
    """
    folder = image_folder()
    if folder is None or size < LEAST_BYTES:
        return make()
    path = folder / f"{sha256}{SUFFIX}"
    vocabulary = _read(path)
    if vocabulary is None:
        vocabulary = make()
        with suppress(
            OSError
        ):  # a full disk or a folder that is not ours: the next load takes as long as this
            _write(path, vocabulary.image())
    return vocabulary


def _read(path: Path) -> BpeVocabulary | None:
    try:
        # mapped, since it is replaced as a whole and never changed in place
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            return BpeVocabulary.restore(memoryview(image))
    except (OSError, ValueError):  # mostly: there is none; or it is empty
        return None


def _write(path: Path, image: bytes) -> None:
    """Write an image whole or not at all; without fsync, since a torn one is noticed when it is read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=_UNFINISHED, dir=path.parent, delete=False) as file:
        temporary = Path(file.name)
    try:
        temporary.write_bytes(image)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    ours = [file for suffix in (SUFFIX, _UNFINISHED) for file in path.parent.glob(f"*{suffix}")]
    found = sorted(ours, key=lambda file: file.stat().st_mtime)
    for old in found[:-MOST_IMAGES]:
        old.unlink(missing_ok=True)
