"""The main job's figures: the demo's time and memory, its second run, the model beside gzip and xz, --help.

    python benchmarks/demo.py            # some minutes, in a temporary folder
    python benchmarks/demo.py --out DIR  # keep the run

Wall seconds and the largest resident set of the process (with its children), as the system accounts them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

NLPKIT = str(Path(sys.executable).with_name("nlpkit"))


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    peak_mib: float

    def row(self, name: str, reach: str) -> str:
        return f"| {name} | {self.wall:.2f} | {self.cpu:.2f} | {self.peak_mib:.0f} | {reach} |"


def run(*arguments: str) -> Cost:
    """Run `nlpkit ARGUMENTS` to its end, output thrown away, and read what it cost."""
    started = time.perf_counter()
    process = subprocess.Popen([NLPKIT, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"nlpkit {' '.join(arguments)} ended with status {status}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="keep the run folder here")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary) / "demo"
        first = run("demo", "--out", str(folder))
        second = run("demo", "--out", str(folder))
        helps = [run("--help") for _ in range(9)]
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))

    print(f"{os.cpu_count()} cores\n")
    print("| | wall s | CPU s | peak MiB | reach |")
    print("|---|--:|--:|--:|---|")
    print(first.row("`nlpkit demo`, first run", "≤ 240 s, ≤ 1536 MiB"))
    print(second.row("`nlpkit demo`, second run", "≤ 5 s"))
    middle = statistics.median_low(cost.wall for cost in helps)
    print(next(c for c in helps if c.wall == middle).row("`nlpkit --help`, median of 9", "≤ 0.3 s"))
    for name, stage in content["stages"].items():
        peak = (stage["peak_memory"] or 0) / 2**20
        print(f"| stage `{name}`: {stage['line']} | {stage['seconds']:.2f} | | {peak:.0f} | |")


if __name__ == "__main__":
    main()
