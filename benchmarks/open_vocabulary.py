"""Training under a memory cap on text whose vocabulary never closes: a generator of random words.

    python benchmarks/open_vocabulary.py --gigabytes 5 --unique 32000000 --max-memory 256MB

Every word is a space and six letters, drawn evenly from `unique` of them. The text is made as it is read, in
documents of 14 MB, and is never on disk. Counting spills sorted runs; merging then needs the unique
pre-tokens in memory and refuses with the least cap (and what pruning would leave out) where that is too
small, and is then run with the cap that it named. The peak is the process's, above the peak of making the
same text and throwing it away.
"""

import argparse
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nlpkit.errors import NlpkitError
from nlpkit.tokenization.training import learn_tokens
from nlpkit.tokenization.training.pretoken_counts import PretokenCounts

WORDS = 2_000_000  # in a document
LETTERS = 6
STEP = 190_000_007  # coprime to 26**6: spreads consecutive words over all spellings


def documents(size: int, unique: int) -> Iterator[str]:
    random = np.random.default_rng(1)
    text = np.full((WORDS, LETTERS + 1), ord(" "), dtype=np.uint8)
    for _ in range(-(-size // text.size)):
        words = random.integers(unique, size=WORDS, dtype=np.int64) * STEP % 26**LETTERS
        for place in range(LETTERS):
            words, letters = np.divmod(words, 26)
            text[:, 1 + place] = letters + ord("a")
        yield text.tobytes().decode("ascii")


def memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--unique", type=int, default=32_000_000)
    parser.add_argument("--max-memory", type=int, default=256_000_000)
    parser.add_argument("--vocab-size", type=int, default=1_000)
    arguments = parser.parse_args()
    cap = arguments.max_memory
    Path("/proc/self/clear_refs").write_text("5")
    for _ in documents(3 * 7 * WORDS, arguments.unique):
        pass
    base = memory("VmHWM")
    while True:
        started = time.perf_counter()
        counts = PretokenCounts(pattern="cl100k", max_memory=cap)
        counts.add(documents(int(arguments.gigabytes * 1e9), arguments.unique), threads=1)
        counted = time.perf_counter() - started
        peak = memory("VmHWM") - base
        print(f"cap {cap / 1e6:,.0f} MB: counted in {counted:.0f} s, peak {peak / 1e6:,.0f} MB", flush=True)
        started = time.perf_counter()
        try:
            learnt = learn_tokens(counts, vocab_size=arguments.vocab_size, special_tokens=())
        except NlpkitError as error:
            print(f"merging: {error}", flush=True)
            named = re.search(r"at least ([\d,.]+)MB", str(error))[1]  # type: ignore[index]
            cap = int(float(named.replace(",", "")) * 1e6)
            continue
        peak = memory("VmHWM") - base
        merged = time.perf_counter() - started
        print(f"merged {len(learnt.tokens)} in {merged:.0f} s, peak {peak / 1e6:,.0f} MB")
        return


if __name__ == "__main__":
    main()
