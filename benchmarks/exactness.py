"""Ids equal to tiktoken's: four published vocabularies, all shared texts and any number of made-up strings.

    NLPKIT_DATA=… python benchmarks/exactness.py --strings 10000000

Every text goes through `encode_documents`, back through `decode_bytes`, and through tiktoken's
`encode_to_numpy`; one in sixteen also through `encode` and `count`. A batch of strings follows from its
number alone, and a difference is printed with the shortest text of its batch that shows it. Exits with 1 if
there is any.
"""

import argparse
import base64
import gzip
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import AnyStr

import numpy as np
import tiktoken

from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import PATTERNS

VOCABULARIES = {"r50k_base": "gpt2", "p50k_base": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}
CORPORA = ("english-large", "code", "chinese", "multilingual", "udhr", "wiki-en")
BATCH = 20_000
_NONE: frozenset[str] = frozenset()
FRESH = 40  # batches after which a tokenizer is made anew, so that its cache of pieces begins empty again

FRAGMENTS = [
    "hello", " world", "the", " the", "Tokenization", "I'm", "we'LL", "x'ſ", "'S", "1234567",
    "٣٤٥٦", "Ⅷ½", "²", " ", "  ", "   ", "\n", "\r\n", "\n\n\n", "\t", "\xa0", "\u3000",
    "\u200b", "\u2028", "\x85", "\u180e", "!!!", "...\n\n", "//", "/\n", "don’t", "中文",
    "标记化", "日本語の", "русский", "العربية", "हिन्दी", "ǅ", "ß", "á", "́", "🎉", "👩\u200d👧",
    "\x00", "\x1c", "\ufeff", "<|endoftext|>", "aaaa", "^^^^", "==== ", "    ",
    "\U000323b0", "\U0001f1e6",
]  # fmt: skip
"""Text that splitting and merging treat each in its own way."""

RANGES = (
    (0x20, 0x7F), (0x20, 0x7F), (0x00, 0x250), (0x250, 0x800), (0x800, 0x3000), (0x3000, 0xA000),
    (0xAC00, 0xD7A4), (0xE000, 0x10000), (0x10000, 0x20000), (0x1F300, 0x1FA00), (0x20000, 0x32400),
)  # fmt: skip


RUNS = (2, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)


@dataclass
class Pair:
    """One vocabulary in both libraries, and what comparing them has come to."""

    name: str
    ranks: dict[bytes, int]
    strings: int = 0
    text_bytes: int = 0
    tokens: int = 0
    differences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pattern = PATTERNS[VOCABULARIES[self.name]]
        self.theirs = tiktoken.Encoding(
            self.name, pat_str=pattern, mergeable_ranks=self.ranks, special_tokens={}
        )
        self.refresh()

    def refresh(self) -> None:
        self.ours = Tokenizer(
            self.name, pat_str=VOCABULARIES[self.name], mergeable_ranks=self.ranks, special_tokens={}
        )

    def compare(self, texts: Sequence[str]) -> None:
        encode = self.theirs._core_bpe.encode_to_tiktoken_buffer  # what encode_to_numpy calls
        expected = [memoryview(encode(text, _NONE)) for text in texts]
        ragged = self.ours.encode_documents(texts, threads=1)
        ends = np.cumsum(np.fromiter((ids.nbytes for ids in expected), dtype=np.uint64)) // 4
        if b"".join(expected) != ragged.ids.tobytes() or not np.array_equal(ends, ragged.offsets[1:]):
            wrong = [t for t, e, o in zip(texts, expected, ragged, strict=True) if e != o.tobytes()]
            self.differences.append(repr(min(wrong, key=len)))
        for text, ids in zip(texts[::16], list(ragged)[::16], strict=True):
            if self.ours.encode(text) != ids.tolist() or self.ours.count(text) != len(ids):
                self.differences.append(f"encode or count: {text!r}")
        joined = "".join(texts).encode()
        if self.ours.decode_bytes(ragged.ids) != joined:
            self.differences.append(f"decode: a batch that begins with {texts[0]!r}")
        self.strings += len(texts)
        self.tokens += len(ragged.ids)
        self.text_bytes += len(joined)


def made_up(batch: int, tokens: Sequence[bytes], real: Sequence[str]) -> list[str]:
    """The strings of one batch: fragments, any characters, tokens side by side, mangled real text, runs."""
    generator = random.Random(batch)
    sixth = BATCH // 6 + 1
    characters = [any_character(generator) for _ in range(4 * sixth)]
    strings = [text + text[: generator.randrange(4)] for text in joined(generator, FRAGMENTS, sixth)]
    strings += joined(generator, characters, sixth)
    strings += [b"".join(some).decode("utf-8", "replace") for some in chosen(generator, tokens, sixth)]
    slices = [slice_of(generator, real) for _ in range(2 * sixth)]
    strings += slices[:sixth]
    strings += [text.replace(text[0], generator.choice(characters)) for text in slices[sixth:]]
    units = FRAGMENTS + characters[:500]
    strings += [generator.choice(units) * length for length in generator.choices(RUNS, k=sixth)]
    return strings[:BATCH]


def chosen(generator: random.Random, units: Sequence[AnyStr], count: int) -> list[list[AnyStr]]:
    """A few of the units, so many times."""
    drawn = generator.choices(units, k=4 * count)
    return [drawn[4 * i : 4 * i + 1 + i % 6] for i in range(count)]


def joined(generator: random.Random, units: Sequence[str], count: int) -> list[str]:
    return ["".join(some) for some in chosen(generator, units, count)]


def any_character(generator: random.Random) -> str:
    low, high = generator.choice(RANGES)
    return chr(low + int(generator.random() * (high - low)))


def slice_of(generator: random.Random, real: Sequence[str]) -> str:
    text = generator.choice(real)
    begin = int(generator.random() * len(text))
    return text[begin : begin + 1 + int(generator.random() * 36)]


def shared_texts(data: Path) -> Iterator[list[str]]:
    """All shared corpora and torture texts, some documents at a time."""
    torture = data / "text" / "torture"
    texts = [path.read_bytes().decode("utf-8", "replace") for path in sorted(torture.rglob("*.txt"))]
    texts += [gzip.decompress(path.read_bytes()).decode("utf-8", "replace") for path in torture.rglob("*.gz")]
    with gzip.open(torture / "edge-cases.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts += [base64.b64decode(json.loads(line)["b64"]).decode("utf-8", "replace") for line in lines]
    yield texts
    for name in CORPORA:
        with gzip.open(data / "text" / "dev" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            while batch := [json.loads(line)["text"] for _, line in zip(range(100), lines, strict=False)]:
                yield batch


def read_ranks(data: Path, name: str) -> dict[bytes, int]:
    fields = gzip.decompress((data / "text" / "vocab" / f"{name}.tiktoken.gz").read_bytes()).split()
    return {base64.b64decode(t): int(rank) for t, rank in zip(fields[::2], fields[1::2], strict=True)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strings", type=int, default=10_000_000)
    parser.add_argument("--begin", type=int, default=0, help="the string to begin with, to share the work")
    parser.add_argument("--vocabulary", choices=VOCABULARIES, help="this one alone")
    arguments = parser.parse_args()
    data = Path(os.environ["NLPKIT_DATA"])
    names = [arguments.vocabulary] if arguments.vocabulary else list(VOCABULARIES)
    pairs = [Pair(name, read_ranks(data, name)) for name in names]
    started, real = time.perf_counter(), []
    for number, texts in enumerate(shared_texts(data)):
        real += [text for text in texts if text][: 60 if number == 0 else 10]
        for pair in pairs:
            pair.compare(texts)
    report("shared texts", pairs, started)
    started, tokens = time.perf_counter(), list(pairs[-1].ranks)
    for pair in pairs:
        pair.strings = pair.text_bytes = pair.tokens = 0
    for batch in range(arguments.begin // BATCH, -(-arguments.strings // BATCH)):
        texts = made_up(batch, tokens, real)
        for pair in pairs:
            if batch % FRESH == 0:
                pair.refresh()
            pair.compare(texts)
        if batch % 50 == 49:
            report(f"made-up strings up to {(batch + 1) * BATCH:,}", pairs, started)
    report("made-up strings", pairs, started)
    return int(any(pair.differences for pair in pairs))


def report(what: str, pairs: Sequence[Pair], started: float) -> None:
    print(f"{what}, {time.perf_counter() - started:,.0f} s")
    for pair in pairs:
        print(
            f"  {pair.name}: {pair.strings:,} texts, {pair.text_bytes:,} bytes, {pair.tokens:,} ids, "
            f"{len(pair.differences)} differences {' '.join(pair.differences[:3])}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
