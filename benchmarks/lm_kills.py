"""Trainings that are killed at random moments and go on: do they end in the uninterrupted run's weights?

    python benchmarks/lm_kills.py [--count 50] [--seed 1]

Each trial takes one of the model families with its way of cutting rows, trains a tiny model that saves a
checkpoint at every other step, and ends the process by SIGKILL at a random moment of its run, three times;
then it lets the run finish and compares all weights, and the optimizers' state, bit by bit with those of a
run that nobody disturbed. Kills fall into steps, evaluations and half-written checkpoints alike: the last
column counts those that left a temporary folder or file behind.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from nlpkit.lm import train_lm
from nlpkit.text import Document
from nlpkit.tokenization import Tokenizer, encode_corpus

KILLS = 3
"""Of each trial."""
COMMON: dict[str, Any] = {
    "preset": "char-cpu", "n_layer": 2, "n_embd": 32, "context_length": 16, "batch_size": 8, "steps": 24,
    "warmup": 5, "save_every": 2, "evaluate_every": 8, "device": "cpu",
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "transformer, windows, Muon": {"n_head": 2},
    "transformer, documents, AdamW, averaged": {
        "n_head": 2, "data": "documents", "optimizer": "adamw", "average": 0.9,
    },
    "transformer, windows, dropout, in two parts": {"n_head": 2, "dropout": 0.1, "accumulation": 2},
    "lstm, streams": {"model": "lstm", "dropout": 0.1},
    "gru, streams, AdamW": {"model": "gru", "optimizer": "adamw"},
    "rnn, streams, SGD, in two parts": {"model": "rnn", "optimizer": "sgd", "lr": 0.5, "accumulation": 2},
}  # fmt: skip


def write_shards(folder: Path) -> Path:
    """Some thousand tokens of made-up sentences."""
    words = random.Random(0).choices(["the", "cat", "sat", "on", "a", "mat", "and", "slept"], k=6000)
    texts = [" ".join(words[begin : begin + 40]) for begin in range(0, len(words), 40)]
    documents = [Document(text, str(index)) for index, text in enumerate(texts)]
    tokenizer = Tokenizer.train(texts, vocab_size=270)
    encode_corpus(documents, tokenizer, folder / "shards", validation=0.1)
    return folder / "shards"


def start(shards: Path, run: Path, options: dict[str, Any]) -> int:
    """Train, or go on, in a process of its own; its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            train_lm(shards, run, resume=True, **options)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def finish(shards: Path, run: Path, options: dict[str, Any]) -> float:
    """Train to the end; the seconds that took."""
    started = time.perf_counter()
    _, status = os.waitpid(start(shards, run, options), 0)
    if status:
        raise SystemExit(f"{run} ended with status {status}")
    return time.perf_counter() - started


def result(run: Path) -> dict[str, bytes]:
    """What the run's files of numbers hold."""
    files = [run / "model.safetensors", *sorted(max((run / "checkpoints").iterdir()).glob("*.safetensors"))]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def trial(shards: Path, run: Path, options: dict[str, Any], seconds: float, chance: random.Random) -> int:
    """Kill a run three times and let it finish; how many kills left something half-written behind."""
    half_written = 0
    for _ in range(KILLS):
        child = start(shards, run, options)
        time.sleep(chance.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        half_written += any("tmp" in path.name for path in run.rglob("*")) if run.exists() else 0
    finish(shards, run, options)
    return half_written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(options.seed)
    equal, half_written = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = write_shards(folder)
        undisturbed: dict[str, tuple[dict[str, bytes], float]] = {}
        for number in range(options.count):
            family = list(FAMILIES)[number % len(FAMILIES)]
            wanted = {**COMMON, **FAMILIES[family]}
            if family not in undisturbed:
                reference = folder / f"reference-{number}"
                seconds = finish(shards, reference, wanted)
                undisturbed[family] = result(reference), seconds
            expected, seconds = undisturbed[family]
            run = folder / f"killed-{number}"
            left = trial(shards, run, wanted, seconds, chance)
            same = result(run) == expected
            equal, half_written = equal + same, half_written + left
            print(f"{number + 1:3} {family:45} {'equal' if same else 'DIFFERENT'}  {left}", flush=True)
    print(f"{equal} of {options.count} end in the uninterrupted weights; "
          f"{half_written} of {KILLS * options.count} kills left a temporary folder or file")  # fmt: skip


if __name__ == "__main__":
    main()
