"""How well language models predict held-out text after a stated budget of training.

    NLPKIT_DATA=... python benchmarks/lm_quality.py budget [--seeds 3] [--only gpt2,lstm]
    NLPKIT_DATA=... python benchmarks/lm_quality.py laptop
    NLPKIT_DATA=... python benchmarks/lm_quality.py wikitext

- budget: tinyshakespeare's characters, the first nine tenths for training, nanoGPT's README budget for a
  laptop (0.8 million parameters, 2,000 steps of 768 characters): nats per character over the whole rest,
  in windows of 64 that do not overlap; recurrent models carry their state.
- laptop: the best model of 15 minutes on two cores on the same split, in windows of its own context.
- wikitext: WikiText-2 by words, an LSTM of some 20 minutes; perplexity over the whole validation and test
  splits.

A run that stands in --runs already is not trained again.
"""

import argparse
import gzip
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from nlpkit.lm import evaluate_lm, train_lm
from nlpkit.text import Document
from nlpkit.tokenization import WordVocabulary, encode_corpus

ADAMW = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.1, "muon_lr": 0.02}
BUDGET: dict[str, dict[str, Any]] = {
    "gpt2": {"preset": "char-cpu", "block": "gpt2", **ADAMW},
    "modern": {"preset": "char-cpu", **ADAMW},
    "modern-muon": {"preset": "char-cpu"},
    "lstm": {"preset": "char-lstm", "optimizer": "adamw"},
    "gru": {"preset": "char-lstm", "model": "gru", "n_embd": 268, "optimizer": "adamw"},
    "rnn": {"preset": "char-lstm", "model": "rnn", "n_embd": 448, "optimizer": "adamw"},
    "lstm-muon": {"preset": "char-lstm", "optimizer": "muon"},
    "gru-muon": {"preset": "char-lstm", "model": "gru", "n_embd": 268, "optimizer": "muon"},
}
REACH = {"gpt2": 1.92, "modern": 1.78, "modern-muon": 1.62, "lstm": 1.74, "gru": 1.64}
LAPTOP: dict[str, Any] = {"preset": "char-laptop", "dtype": "bfloat16", "compiled": True}
WIKITEXT: dict[str, Any] = {
    "model": "lstm", "n_layer": 2, "n_embd": 256, "dropout": 0.2, "context_length": 64, "batch_size": 20,
    "optimizer": "muon", "lr": 3e-3, "muon_lr": 0.02, "weight_decay": 0.0, "warmup": 100, "final_lr": 0.05,
    "steps": 2600, "evaluate_every": 650, "save_every": 650, "dtype": "bfloat16",
}  # fmt: skip


def data(*parts: str) -> Path:
    return Path(os.environ["NLPKIT_DATA"], "text", *parts)


def lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from file


def shakespeare(scratch: Path) -> Path:
    """The shards of tinyshakespeare's characters, without a mark at the end of a split."""
    shards = scratch / "shakespeare"
    if not shards.exists():
        text = "".join(lines(data("lm", "tinyshakespeare", "input.txt.gz")))
        vocabulary = WordVocabulary.train([text], unit="character", min_count=1)
        encode_corpus([Document(text, "input.txt")], vocabulary, shards, split="tail", eos=False)
    return shards


def wikitext(scratch: Path) -> Path:
    """The shards of WikiText-2: each line, blank ones too, is a document with its <eos>."""
    shards = scratch / "wikitext"
    if not shards.exists():
        documents = {
            split: [
                Document(line, name) for line in lines(data("lm", "wikitext-2", f"wiki.{name}.tokens.gz"))
            ]
            for split, name in (("train", "train"), ("validation", "valid"), ("test", "test"))
        }
        words = WordVocabulary.train([line.text for line in documents["train"]], unit="word", min_count=1)
        for split in documents:
            encode_corpus(documents[split], words, scratch / split, validation=0)
        for split in ("validation", "test"):
            (scratch / split / "train").rename(scratch / "train" / split)
        (scratch / "train").rename(shards)
    return shards


def trained(run: Path, shards: Path, **options: Any) -> Path:
    """The run folder, trained if it is not there yet."""
    if not run.exists():
        started, cpu = time.perf_counter(), time.process_time()
        seconds = train_lm(shards, run, **options).seconds
        print(
            f"{run.name}: {seconds:.0f} s in steps, {time.perf_counter() - started:.0f} s in all, "
            f"{time.process_time() - cpu:.0f} s of CPU",
            flush=True,
        )
    return run


def nats(run: Path, shards: Path, split: str = "validation", stride: int | None = None) -> float:
    return evaluate_lm(run, shards, split=split, stride=stride).nats_per_token


def budget(runs: Path, seeds: int, only: list[str]) -> None:
    shards = shakespeare(runs)
    for name in only or BUDGET:
        figures = []
        for seed in range(1, seeds + 1):
            options = {**BUDGET[name], "seed": seed, "evaluate_every": 0, "save_every": 0}
            figures.append(nats(trained(runs / f"{name}-{seed}", shards, **options), shards))
        reach = f"reach {REACH[name]}" if name in REACH else ""
        shown = "  ".join(f"{figure:.4f}" for figure in figures)
        print(f"{name:12} {statistics.mean(figures):.4f}  of {shown}  {reach}", flush=True)


def laptop(runs: Path) -> None:
    shards = shakespeare(runs)
    run = trained(runs / "laptop", shards, **LAPTOP)
    print(f"laptop {nats(run, shards):.4f}  reach 1.52")


def wikitext_lstm(runs: Path) -> None:
    shards = wikitext(runs)
    run = trained(runs / "wikitext-lstm", shards, **WIKITEXT)
    for split in ("validation", "test"):
        print(f"WikiText-2 {split} perplexity {evaluate_lm(run, shards, split=split).perplexity:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=["budget", "laptop", "wikitext"])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="a folder for data and run folders")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--only", type=lambda names: names.split(","), default=[], help="of the budget's models"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.runs.mkdir(parents=True, exist_ok=True)
    if options.part == "budget":
        budget(options.runs, options.seeds, options.only)
    elif options.part == "laptop":
        laptop(options.runs)
    else:
        wikitext_lstm(options.runs)


if __name__ == "__main__":
    main()
