"""Reading word2vec's text format beside gensim: the same file, each in a process of its own.

    python benchmarks/load_text.py [--rows 200000] [--dim 100] [--rounds 2]

The file is random numbers of six digits. Wall and CPU seconds of the fastest round, and the most memory that
the process took, imports included. Needs the dependency group `bench`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

LOADING = """
import resource, time
{imports}
started = time.perf_counter(), time.process_time()
vectors = KeyedVectors.load_word2vec_format({path!r})
seconds = time.perf_counter() - started[0], time.process_time() - started[1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(*seconds, peak, float(vectors.vectors.astype("float64").sum()))
"""
PROGRAMS = {
    "nlpkit": "from nlpkit.embeddings import KeyedVectors",
    "gensim": "from gensim.models import KeyedVectors",
}
ROWS_AT_ONCE = 10_000


def write_file(path: Path, rows: int, dim: int) -> None:
    generator = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(f"{rows} {dim}\n")
        for start in range(0, rows, ROWS_AT_ONCE):
            block = generator.normal(size=(min(ROWS_AT_ONCE, rows - start), dim))
            for i, row in enumerate(block.tolist()):
                file.write(f"word{start + i} " + " ".join(f"{x:.6g}" for x in row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.txt"
        write_file(path, options.rows, options.dim)
        print(f"{options.rows:,} x {options.dim}, {path.stat().st_size / 1e6:.0f} MB")
        totals = set()
        for name, imports in PROGRAMS.items():
            code = LOADING.format(imports=imports, path=str(path))
            runs = []
            for _ in range(options.rounds):
                done = subprocess.run(
                    [sys.executable, "-c", code], capture_output=True, text=True, check=True
                )
                runs.append([float(figure) for figure in done.stdout.split()])
            wall, cpu, peak, total = min(runs)
            totals.add(round(total, 3))
            print(f"{name:8} {wall:6.2f} s wall, {cpu:6.2f} s CPU, peak {peak:.0f} MB")
        if len(totals) != 1:
            raise SystemExit("the two read different numbers")


if __name__ == "__main__":
    main()
