"""Exact nearest neighbours of 100,000 x 300 vectors beside faiss and gensim, and opening 1,000,000 x 300.

    python benchmarks/similarity.py [--rows 100000] [--dim 300] [--rounds 9]

The peers take turns with ours, so that what else the machine does meets all alike; each figure is the median
of the rounds, with the CPU time beside it. Needs the dependency group `bench`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings import KeyedVectors
from nlpkit.embeddings.search import nearest_rows, row_norms

Floats = npt.NDArray[np.float32]

OPENING = """
import time
from nlpkit.embeddings import KeyedVectors
started = time.perf_counter()
vectors = KeyedVectors.load({folder!r})
similarity = vectors.similarity("w3", "w999000")
print(time.perf_counter() - started)
"""


def clustered(rows: int, dim: int) -> Floats:
    """Unit vectors around 1,000 centres: what word vectors look like to a search."""
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(1000, dim)).astype(np.float32)
    table = centres[generator.integers(0, 1000, rows)] + generator.normal(size=(rows, dim)).astype(np.float32)
    return table / row_norms(table)[:, None]


def take_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median wall and CPU seconds of each."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # the first call of each pays for its own start
    for _ in range(rounds):
        for name, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: (median(w for w, _ in t), median(c for _, c in t)) for name, t in times.items()}


def search(rows: int, dim: int, rounds: int) -> None:
    """One query and 1,000, top 10."""
    import faiss
    import gensim.models

    table = clustered(rows, dim)
    norms, half = row_norms(table), table.astype(np.float16)
    half_norms = row_norms(half)
    queries = table[np.random.default_rng(2).integers(0, rows, 1000)] + np.float32(0.01)
    queries /= row_norms(queries)[:, None]
    index = faiss.IndexFlatIP(dim)
    index.add(table)
    peer = gensim.models.KeyedVectors(dim)
    peer.add_vectors([f"w{row}" for row in range(rows)], table)
    peer.fill_norms()
    one = queries[:1]
    found = {
        "nlpkit": nearest_rows(table, norms, queries, 10)[0],
        "float16": nearest_rows(half, half_norms, queries, 10)[0],
    }
    truth = index.search(queries, 10)[1]
    for name, answer in found.items():
        share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(answer, truth, strict=True)])
        print(f"share of faiss's ten found by {name}: {share:.4f}")
    print(f"\n{rows:,} x {dim}, top 10: milliseconds, wall (CPU)")
    report(
        "one query",
        take_turns(
            {
                "gensim most_similar": lambda: peer.most_similar([one[0]], topn=10),
                "faiss IndexFlatIP": lambda: index.search(one, 10),
                "nlpkit": lambda: nearest_rows(table, norms, one, 10),
                "nlpkit, float16": lambda: nearest_rows(half, half_norms, one, 10),
            },
            5 * rounds,
        ),
    )
    report(
        "1,000 queries",
        take_turns(
            {
                "faiss IndexFlatIP": lambda: index.search(queries, 10),
                "nlpkit": lambda: nearest_rows(table, norms, queries, 10),
                "nlpkit, float16": lambda: nearest_rows(half, half_norms, queries, 10),
            },
            rounds,
        ),
    )


def report(title: str, times: dict[str, tuple[float, float]]) -> None:
    for name, (wall, cpu) in times.items():
        print(f"  {title:14} {name:22} {1e3 * wall:8.2f} ({1e3 * cpu:.2f})")


def opening(rounds: int) -> None:
    """Opening 1,000,000 x 300 and comparing two words, each time in a new process."""
    with tempfile.TemporaryDirectory() as scratch:
        for precision in ("float32", "float16"):
            folder = Path(scratch) / precision
            table = np.random.default_rng(1).normal(size=(1_000_000, 300)).astype(precision)
            KeyedVectors([f"w{row}" for row in range(len(table))], table).save(folder)
            del table
            code = OPENING.format(folder=str(folder))
            seconds = [
                float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
                for _ in range(rounds)
            ]
            print(
                f"open 1,000,000 x 300 {precision} and compare two words: {1e3 * median(seconds):.1f} ms "
                f"(worst of {rounds}: {1e3 * max(seconds):.1f})"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    search(options.rows, options.dim, options.rounds)
    opening(options.rounds)
