"""A corpus file to token shards: `nlpkit tokenizer encode` beside nanoGPT's way to them with tiktoken.

    NLPKIT_DATA=... python benchmarks/shards.py [--corpus english-large] [--vocabulary r50k_base] [--rounds 3]

Both read one .jsonl file, encode every document and the id that ends it, and write the ids to disk; whole
processes, start and loading the vocabulary included. The script is nanoGPT's without Hugging Face's datasets,
whose Arrow files would only cost it time: two processes (its num_proc) run `encode_ordinary` on the documents
and hand over numpy arrays, which are written in order. The ids are compared at the end.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlpkit.text import TokenShards
from nlpkit.tokenization import Tokenizer, get_encoding

PROCESSES = 2
_encoding = None


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    peak_mib: float


# ====================
# The script
# ====================


def prepare(corpus: Path, vocabulary: Path, out: Path) -> None:
    """What nanoGPT's data/openwebtext/prepare.py does, on `PROCESSES` processes."""
    n_vocab = json.loads((vocabulary / "nlpkit.json").read_text())["special_tokens"]["<|endoftext|>"] + 1
    dtype = np.uint16 if n_vocab <= 2**16 else np.uint32
    with (
        multiprocessing.get_context("fork").Pool(PROCESSES, load, (vocabulary, dtype)) as pool,
        out.open("wb") as file,
    ):
        for ids in pool.imap(encode_document, read_texts(corpus), chunksize=64):
            file.write(ids.data)


def load(vocabulary: Path, dtype: type[np.integer]) -> None:
    global _encoding
    _encoding = (Tokenizer.load(vocabulary).to_tiktoken(), dtype)


def encode_document(text: str) -> np.ndarray:
    encoding, dtype = _encoding
    ids = encoding.encode_ordinary(text)
    ids.append(encoding.eot_token)
    return np.array(ids, dtype=dtype)


def read_texts(corpus: Path) -> Iterator[str]:
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


# ====================
# Measuring
# ====================


def run(*command: str) -> Cost:
    started = time.perf_counter()
    before = os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    after = os.times()
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall, cpu, usage.ru_maxrss / 1024)


def written_ids(shards: Path, dtype: str) -> np.ndarray:
    ids = TokenShards(shards / "train")
    return ids.read(0, len(ids)).astype(dtype)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="english-large")
    parser.add_argument("--vocabulary", default="r50k_base")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prepare", nargs=3, metavar=("CORPUS", "VOCABULARY", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(*map(Path, arguments.prepare))
        return
    data = Path(os.environ["NLPKIT_DATA"]) / "text"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        corpus = folder / "corpus.jsonl"
        with gzip.open(data / "dev" / f"{arguments.corpus}.jsonl.gz") as packed, corpus.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        with gzip.open(data / "vocab" / f"{arguments.vocabulary}.tiktoken.gz") as packed:
            (folder / f"{arguments.vocabulary}.tiktoken").write_bytes(packed.read())
        get_encoding(arguments.vocabulary, folder=folder).save(folder / "vocabulary")
        measure(arguments.corpus, arguments.vocabulary, corpus, folder, arguments.rounds)


def measure(name: str, vocabulary_name: str, corpus: Path, folder: Path, rounds: int) -> None:
    vocabulary, shards, ids = folder / "vocabulary", folder / "shards", folder / "ids.bin"
    nlpkit = str(Path(sys.executable).with_name("nlpkit"))
    commands = {
        "nlpkit": [
            *(nlpkit, "tokenizer", "encode", corpus, "--vocabulary", vocabulary, "--out", shards),
            *("--validation", "0", "--threads", str(PROCESSES)),
        ],
        "script over tiktoken": [sys.executable, __file__, "--prepare", corpus, vocabulary, ids],
    }
    costs: dict[str, list[Cost]] = {tool: [] for tool in commands}
    for _ in range(rounds):
        for tool, command in commands.items():
            costs[tool].append(run(*map(str, command)))
    expected = np.fromfile(ids, dtype=np.uint16 if "50k" in vocabulary_name else np.uint32)
    if not np.array_equal(written_ids(shards, expected.dtype.name), expected):
        raise SystemExit("the ids differ")
    text = sum(len(text.encode()) for text in read_texts(corpus)) / 1e6
    print(f"{name}, {text:.1f} MB of text, {len(expected):,} ids of {vocabulary_name}, equal\n")
    print("| | wall s | MB/s | CPU s | peak MiB of the main process |")
    print("|---|--:|--:|--:|--:|")
    middle = {tool: sorted(tool_costs, key=lambda cost: cost.wall) for tool, tool_costs in costs.items()}
    for tool, tool_costs in middle.items():
        cost = tool_costs[len(tool_costs) // 2]
        print(f"| {tool} | {cost.wall:.2f} | {text / cost.wall:.0f} | {cost.cpu:.2f} | {cost.peak_mib:.0f} |")
    ratio = statistics.median(c.wall for c in costs["script over tiktoken"]) / statistics.median(
        c.wall for c in costs["nlpkit"]
    )
    print(f"\n{ratio:.1f} x the script's speed (reach: 20 x)")


if __name__ == "__main__":
    main()
