"""Batches on threads, beside the same work one by one: decoding, and encoding with special tokens allowed.

    python benchmarks/batches.py VOCABULARY TEXTS.jsonl.gz

VOCABULARY is a folder of nlpkit's or a published vocabulary's .tiktoken file. Megabytes of text a second by
the clock, and seconds of processor time; the best of several passes. Outputs are compared first.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nlpkit import _core
from nlpkit.text import Corpus
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.conversion import open_vocabulary

PASSES = 5
MOST_TEXTS = 2000
MOST_CHARACTERS = 65_536


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of processors, of the pass with fewest by the clock."""
    passes = []
    for _ in range(PASSES):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        passes.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(passes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocabulary")
    parser.add_argument("texts")
    given = parser.parse_args()
    tokenizer = open_vocabulary(given.vocabulary).vocabulary
    if not isinstance(tokenizer, Tokenizer):
        parser.error("a vocabulary of words decodes otherwise")
    texts = [
        document.text[:MOST_CHARACTERS]
        for document, _ in zip(Corpus([given.texts]), range(MOST_TEXTS), strict=False)
    ]
    size = sum(len(text.encode()) for text in texts)
    lists: list[Any] = tokenizer.encode_ordinary_batch(texts)
    arrays: list[Any] = [np.array(ids, dtype=np.uint32) for ids in lists]
    marked = [text + "<|endoftext|>" for text in texts]

    def encode(threads: int) -> list[list[int]]:
        return tokenizer.encode_batch(marked, allowed_special="all", num_threads=threads)

    threads = _core.resolve_threads()
    assert encode(threads) == [tokenizer.encode(text, allowed_special="all") for text in marked]
    assert tokenizer.decode_batch(arrays) == tokenizer.decode_batch(lists) == texts
    print(f"{size / 1e6:.1f} MB, {len(texts):,} texts, {threads} threads at most")
    for name, work in {
        "decode lists to str": lambda n: tokenizer.decode_batch(lists, num_threads=n),
        "decode arrays to str": lambda n: tokenizer.decode_batch(arrays, num_threads=n),
        "decode arrays to bytes": lambda n: tokenizer.decode_bytes_batch(arrays, num_threads=n),
        "encode to lists, special tokens allowed": encode,
    }.items():
        for count in (1, threads):
            wall, cpu = measure(lambda work=work, count=count: work(count))  # type: ignore[misc]
            print(f"{name}, {count} threads: {size / 1e6 / wall:.0f} MB/s, {cpu:.3f} s of processors")


if __name__ == "__main__":
    main()
