"""Vocabularies that the tests of this folder share."""

import base64
import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import tiktoken

from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import PATTERNS

SAMPLE = Path(__file__).parents[2] / "corpora" / "sample"

# Pieces of text that split patterns, merging and special tokens treat each in their own way.
FRAGMENTS = [
    "hello", " world", "the", " the", "Tokenization", "I'm", "we'LL", "x'ſ", "1234567", "٣٤٥٦", " ", "  ",
    "   ", "\n", "\r\n", "\n\n\n", "\t", "\u00a0", "\u3000", "\u200b", "!!!", "...\n\n", "//", "don’t",
    "中文", "标记化", "日本語の", "русский", "العربية", "हिन्दी", "ǅ", "a\u0301", "🎉", "👩\u200d👧", "\x00",
    "\x1c", "\ufeff", "<|", "|>", "<|endoftext|>", "<|end", "aaaa", "^^^^",
]  # fmt: skip


@pytest.fixture(scope="session")
def sample_texts() -> list[str]:
    """The bundled sample corpus."""
    return [path.read_text(encoding="utf-8") for path in sorted(SAMPLE.glob("*.txt"))]


@pytest.fixture(scope="session")
def tokenizer(sample_texts: list[str]) -> Tokenizer:
    """A small trained vocabulary of the sample corpus."""
    return Tokenizer.train(sample_texts, vocab_size=2000, name="sample")


@pytest.fixture(scope="session")
def encoding(tokenizer: Tokenizer) -> tiktoken.Encoding:
    """tiktoken, built from the same ranks."""
    return tiktoken.Encoding(
        "sample",
        pat_str=PATTERNS["cl100k"],
        mergeable_ranks=dict(tokenizer._mergeable_ranks),
        special_tokens=dict(tokenizer._special_tokens),
    )


@pytest.fixture(scope="session")
def random_text() -> Callable[[random.Random], str]:
    """Makes a text of fragments and characters from a generator."""

    def make(generator: random.Random) -> str:
        parts = []
        for _ in range(generator.randrange(12)):
            if generator.random() < 0.8:
                parts.append(generator.choice(FRAGMENTS))
            else:
                parts.append(
                    chr(generator.choice([0x20, 0x61, 0x4E00, 0x3B1, 0x1F600]) + generator.randrange(60))
                )
        return "".join(parts)

    return make


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real texts and vocabularies."""
    folder = os.environ.get("NLPKIT_DATA")
    if not folder:
        pytest.skip("NLPKIT_DATA is not set: no real texts and vocabularies")
    return Path(folder)


@pytest.fixture(scope="session")
def real_ranks(real_data: Path) -> Callable[[str], dict[bytes, int]]:
    """Reads the ranks of one of OpenAI's vocabularies."""

    def read(name: str) -> dict[bytes, int]:
        lines = gzip.decompress((real_data / "text" / "vocab" / f"{name}.tiktoken.gz").read_bytes()).split()
        return {
            base64.b64decode(token): int(rank) for token, rank in zip(lines[::2], lines[1::2], strict=True)
        }

    return read


@pytest.fixture(scope="session")
def real_texts(real_data: Path) -> list[str]:
    """Real documents of many scripts, and the ones that are meant to hurt."""
    texts = []
    for name in ("english-large", "code", "chinese", "multilingual", "udhr"):
        with gzip.open(real_data / "text" / "dev" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            texts += [json.loads(line)["text"][:20_000] for _, line in zip(range(60), file, strict=False)]
    torture = real_data / "text" / "torture"
    for path in (
        torture / "UTF-8-demo.txt",
        torture / "blns.txt",
        torture / "all-assigned-codepoints.txt.gz",
    ):
        content = path.read_bytes()
        texts.append((gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8"))
    with gzip.open(torture / "edge-cases.jsonl.gz", "rt", encoding="utf-8") as file:
        texts += [base64.b64decode(json.loads(line)["b64"]).decode("utf-8", "replace") for line in file]
    return texts
