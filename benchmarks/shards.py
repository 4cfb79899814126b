"""Corpora to token shards: `nlpkit tokenizer encode` beside nanoGPT's way to them with tiktoken.

    NLPKIT_DATA=... python benchmarks/shards.py [--corpora english-large wiki-en] [--vocabulary r50k_base]

Both read one .jsonl file, encode every document and the id that ends it, and write the ids to disk; whole
processes, start and loading the vocabulary included. nanoGPT's data/openwebtext/prepare.py maps a function
over a dataset of Hugging Face's `datasets` on some processes, and then writes the ids into one array: that is
done here where `datasets` is installed. In any case the same is done without it, which is faster: two
processes run `encode_ordinary` on the documents and hand over numpy arrays, which are written in order. The
ids are compared at the end.
"""

import argparse
import gzip
import importlib.util
import json
import multiprocessing
import os
import shutil
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
    arguments = (vocabulary, dtype_of(vocabulary))
    with (
        multiprocessing.get_context("fork").Pool(PROCESSES, load, arguments) as pool,
        out.open("wb") as file,
    ):
        for ids in pool.imap(encode_document, read_texts(corpus), chunksize=64):
            file.write(ids.data)


def dtype_of(vocabulary: Path) -> type[np.integer]:
    n_vocab = max(json.loads((vocabulary / "nlpkit.json").read_text())["special_tokens"].values()) + 1
    return np.uint16 if n_vocab <= 2**16 else np.uint32


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


def prepare_with_datasets(corpus: Path, vocabulary: Path, out: Path) -> None:
    """The steps of nanoGPT's script, on `PROCESSES` processes."""
    os.environ |= {"HF_HOME": str(out.parent / "hf"), "HF_DATASETS_OFFLINE": "1"}
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    load(vocabulary, dtype := dtype_of(vocabulary))
    encoding, _ = _encoding

    def process(example: dict[str, str]) -> dict[str, object]:
        ids = encoding.encode_ordinary(example["text"])
        ids.append(encoding.eot_token)
        return {"ids": ids, "len": len(ids)}

    dataset = load_dataset("json", data_files=str(corpus), split="train")
    dataset = dataset.map(process, remove_columns=dataset.column_names, num_proc=PROCESSES)
    total = int(np.sum(dataset["len"], dtype=np.uint64))
    ids = np.memmap(out, dtype=dtype, mode="w+", shape=(total,))
    place = 0
    for index in range(1024):
        batch = dataset.shard(num_shards=1024, index=index, contiguous=True).with_format("numpy")
        if len(batch):
            joined = np.concatenate(batch["ids"])
            ids[place : place + len(joined)] = joined
            place += len(joined)
    ids.flush()


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
    parser.add_argument("--corpora", nargs="+", default=["english-large", "wiki-en"])
    parser.add_argument("--vocabulary", default="r50k_base")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prepare", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.prepare:
        way, *paths = arguments.prepare
        WAYS[way](*map(Path, paths))
        return
    data = Path(os.environ["NLPKIT_DATA"]) / "text"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (folder / "corpus.jsonl").open("w", encoding="utf-8") as plain:
            for corpus in arguments.corpora:
                with gzip.open(data / "dev" / f"{corpus}.jsonl.gz", "rt", encoding="utf-8") as lines:
                    for line in lines:
                        plain.write(json.dumps({"text": json.loads(line)["text"]}, ensure_ascii=False) + "\n")
        with gzip.open(data / "vocab" / f"{arguments.vocabulary}.tiktoken.gz") as packed:
            (folder / f"{arguments.vocabulary}.tiktoken").write_bytes(packed.read())
        get_encoding(arguments.vocabulary, folder=folder).save(folder / "vocabulary")
        costs = measure(folder, arguments.rounds)
        text = sum(len(text.encode()) for text in read_texts(folder / "corpus.jsonl")) / 1e6
        tokens = len(TokenShards(folder / "shards" / "train"))
    print(
        f"{' and '.join(arguments.corpora)}, {text:.1f} MB, {tokens:,} equal ids of {arguments.vocabulary}\n"
    )
    report(costs, text)


WAYS = {"script over tiktoken": prepare, "the same with datasets": prepare_with_datasets}


def measure(folder: Path, rounds: int) -> dict[str, list[Cost]]:
    """What each way costs, in turn; their ids are compared."""
    corpus, vocabulary, shards, ids = (
        folder / name for name in ("corpus.jsonl", "vocabulary", "shards", "ids.bin")
    )
    nlpkit = str(Path(sys.executable).with_name("nlpkit"))
    command = [
        *(nlpkit, "tokenizer", "encode", corpus, "--vocabulary", vocabulary, "--out", shards),
        *("--validation", "0", "--threads", str(PROCESSES)),
    ]
    ways = [way for way in WAYS if way == "script over tiktoken" or importlib.util.find_spec("datasets")]
    costs: dict[str, list[Cost]] = {"nlpkit": [], **{way: [] for way in ways}}
    for _ in range(rounds):
        costs["nlpkit"].append(run(*map(str, command)))
        for way in ways:
            shutil.rmtree(folder / "hf", ignore_errors=True)
            costs[way].append(
                run(sys.executable, __file__, "--prepare", way, *map(str, (corpus, vocabulary, ids)))
            )
            expected = np.fromfile(ids, dtype=dtype_of(vocabulary))
            written = TokenShards(shards / "train")
            if not np.array_equal(written.read(0, len(written)), expected):
                raise SystemExit(f"the ids of {way} differ")
    return costs


def report(costs: dict[str, list[Cost]], text: float) -> None:
    print("| | wall s | MB/s | CPU s | peak MiB of the main process | nlpkit is faster |")
    print("|---|--:|--:|--:|--:|--:|")
    middle = {
        way: sorted(several, key=lambda cost: cost.wall)[len(several) // 2] for way, several in costs.items()
    }
    for way, cost in middle.items():
        print(
            f"| {way} | {cost.wall:.2f} | {text / cost.wall:.0f} | {cost.cpu:.2f} | {cost.peak_mib:.0f} | "
            f"{cost.wall / middle['nlpkit'].wall:.1f} x |"
        )


if __name__ == "__main__":
    main()
