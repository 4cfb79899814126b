"""Training under a memory cap on text whose vocabulary never closes: words that a generator makes up.

    python benchmarks/open_vocabulary.py --gigabytes 5 --unique 32000000 --max-memory 256MB --folder /tmp/open

The text is one document: lines of a thousand words, each a space and seven letters, drawn evenly from
`unique` of them; it is written to the folder once. Every run is a process of its own, `nlpkit tokenizer
pretokenize` or `train` without its printing; the peak of each phase is what it takes above the process after
its imports (VmHWM). Counts are made within the cap and without one and compared byte by byte. Merging within
the cap stops and names the least cap and what pruning would do; both are then tried, and the vocabularies
with the least cap and with none compared.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

MB = 1_000_000
WORDS = 1000  # in a line
LINES = 1000  # made at once
STEP = 1_900_000_043  # coprime to 26**7: spreads consecutive words over all spellings


def spellings(first: str, letters: int) -> np.ndarray:
    """Four bytes a number: `first` and the number in base 26."""
    numbers = np.arange(26**letters)
    text = np.full((len(numbers), 4), ord(first), dtype=np.uint8)
    for place in range(3, 3 - letters, -1):
        numbers, letter = np.divmod(numbers, 26)
        text[:, place] = letter + ord("a")
    return text.view(np.uint32).ravel()


def write_text(path: Path, size: int, unique: int) -> None:
    heads, tails = spellings(" ", 3), spellings("a", 4)
    random = np.random.default_rng(1)
    with path.open("wb") as file:
        for _ in range(-(-size // (WORDS * LINES * 8))):
            words = random.integers(unique, size=(LINES, WORDS), dtype=np.int64) * STEP % 26**7
            text = np.empty((LINES, WORDS, 2), dtype=np.uint32)
            text[..., 0] = heads[words // 26**4]
            text[..., 1] = tails[words % 26**4]
            lines = text.view(np.uint8).reshape(LINES, WORDS * 8)
            lines[:, 0] = ord("\n")  # in place of the space
            file.write(lines.tobytes())


def memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024  # type: ignore[index]


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Phases:
    """A progress callback that notes the time and the peak memory of each phase."""

    def __init__(self) -> None:
        self.base = memory("VmHWM")
        self.cpu = time.process_time()
        self.name = ""
        self.figures: dict[str, dict[str, float]] = {}
        self.enter("start")

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase != self.name:
            self.enter(phase)

    def enter(self, phase: str) -> None:
        now = time.perf_counter()
        if self.name:
            figures = self.figures.setdefault(self.name, {"seconds": 0, "peak": 0})
            figures["seconds"] += now - self.started
            figures["peak"] = max(figures["peak"], (memory("VmHWM") - self.base) / MB)
            Path("/proc/self/clear_refs").write_text("5")
        self.name, self.started = phase, now


def measure(arguments: argparse.Namespace) -> None:
    """In a process of its own: count or train, and print what it took."""
    from nlpkit.errors import NlpkitError
    from nlpkit.tokenization import MergeLimits, TrainingText, pretokenize_text, train_vocabulary

    phases = Phases()
    out = Path(arguments.out)
    options = {"max_memory": arguments.cap, "threads": arguments.threads, "progress": phases}
    refusal = None
    try:
        if arguments.measure == "count":
            pretokenize_text(TrainingText([arguments.input]), out, **options)
        else:
            limits = MergeLimits(prune_below=arguments.prune_below)
            size = arguments.vocab_size
            train_vocabulary([Path(arguments.input)], out, vocab_size=size, limits=limits, **options)
    except NlpkitError as error:
        refusal = str(error)
    phases.enter("end")
    cpu = time.process_time() - phases.cpu
    print(json.dumps({"phases": phases.figures, "cpu": cpu, "refusal": refusal}))


def run(arguments: argparse.Namespace, measure: str, **options: object) -> str | None:
    """Run one process, print its figures, and return what it refused with."""
    given = {"threads": arguments.threads, "vocab_size": arguments.vocab_size} | options
    command = [sys.executable, __file__, "--measure", measure]
    for name, value in given.items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(output)
    cap = f"{options['cap'] / MB:,.0f} MB" if options.get("cap") else "none"  # type: ignore[operator]
    pruned = f", --prune-below {options['prune_below']}" if options.get("prune_below") else ""
    print(f"{measure}, cap {cap}{pruned}: {result['cpu']:.0f} s of CPU")
    for phase, figures in result["phases"].items():
        print(f"    {phase:<12}{figures['seconds']:>8.1f} s{figures['peak']:>10,.1f} MB")
    if result["refusal"]:
        print(f"    {result['refusal']}")
    sys.stdout.flush()
    return result["refusal"]


def compare(what: str, one: Path, other: Path) -> None:
    same = digest(one) == digest(other)
    print(f"{what} with and without a cap: {'identical' if same else 'DIFFERENT'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--unique", type=int, default=32_000_000)
    parser.add_argument("--max-memory", default="256MB")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("open-vocabulary"))
    for name, kind in (("measure", str), ("input", str), ("out", str), ("cap", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--prune-below", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments)
        return
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / f"{arguments.gigabytes:g}GB-{arguments.unique}.txt"
    if not text.exists():
        started = time.perf_counter()
        write_text(text, int(arguments.gigabytes * 1e9), arguments.unique)
        print(
            f"wrote {text.stat().st_size / 1e9:.2f} GB in {time.perf_counter() - started:.0f} s", flush=True
        )
    cap = int(arguments.max_memory.removesuffix("MB")) * MB
    capped, free = folder / "capped.counts", folder / "free.counts"
    run(arguments, "count", input=text, out=capped, cap=cap)
    run(arguments, "count", input=text, out=free)
    compare("counts", capped, free)
    free.unlink()
    refusal = run(arguments, "merge", input=capped, out=folder / "capped", cap=cap)
    if refusal:
        least = int(re.search(r"at least (\d+)MB", refusal)[1]) * MB  # type: ignore[index]
        prune_below = re.search(r"--prune-below (\d+)", refusal)
        run(arguments, "merge", input=capped, out=folder / "capped", cap=least)
        if prune_below:
            pruned = folder / "pruned"
            run(arguments, "merge", input=capped, out=pruned, cap=cap, prune_below=prune_below[1])
    run(arguments, "merge", input=capped, out=folder / "free")
    compare("vocabularies", folder / "capped/vocabulary.tiktoken", folder / "free/vocabulary.tiktoken")


if __name__ == "__main__":
    main()
