"""The texts that the tokenizer benchmarks share, from the folder that NLPKIT_DATA names.

`mixed` is 20 MB of English, 15 MB of code, 5 MB of Chinese and 4 MB of many languages: whole documents, in
the order of their files. Run as a program it says what each text holds.
"""

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

MB = 1_000_000
TEXTS: dict[str, dict[str, int]] = {  # name -> file -> bytes of it, at least
    "mixed": {"english-large": 20 * MB, "code": 15 * MB, "chinese": 5 * MB, "multilingual": 4 * MB},
    "chinese": {"chinese": 20 * MB},
    "wiki-en": {"wiki-en": 112 * MB},
}


def documents(name: str) -> list[str]:
    """The documents of a text, in memory: reading is not what the benchmarks measure."""
    return [document for file, size in TEXTS[name].items() for document in _first_bytes(file, size)]


def _first_bytes(file: str, size: int) -> Iterator[str]:
    with gzip.open(_folder() / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)["text"]
            yield document
            size -= len(document.encode())
            if size <= 0:
                return


def _folder() -> Path:
    root = os.environ.get("NLPKIT_DATA")
    if not root:
        sys.exit("This benchmark reads real text: set NLPKIT_DATA to the folder that holds it.")
    return Path(root) / "text" / "dev"


def main() -> None:
    for name in TEXTS:
        texts = documents(name)
        digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        size = sum(len(text.encode()) for text in texts)
        print(f"{name:<8}  {len(texts):>6,} documents  {size:>11,} bytes  sha256 {digest[:16]}…")


if __name__ == "__main__":
    main()
