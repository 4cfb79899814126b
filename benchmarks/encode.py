"""Encoding, counting and decoding with cl100k beside its peers, their outputs compared.

    NLPKIT_DATA=... python benchmarks/encode.py [--rounds 5]

6 MB of each corpus in documents of at most 20,000 characters, one thread, CPU time. Cold is the first pass of
a fresh tokenizer that has encoded one word, warm the second; the tools take turns, and the best round counts
for each. Arrays come out, one for each document, where the tool has them (rs-bpe and tiktoken: lists).
A batch on two threads is measured in wall time.
"""

import argparse
import base64
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fastokens
import gigatoken
import numpy as np
import tiktoken
from rs_bpe.bpe import openai as rs_bpe

from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import PATTERNS

CORPORA = ("english-large", "code", "chinese", "multilingual")
CORPUS_BYTES = 6_000_000
DOCUMENT_CHARACTERS = 20_000
SLOW = ("rs-bpe", "tiktoken")


@dataclass(frozen=True)
class Tool:
    name: str
    make: Callable[[], object]
    encode: Callable[[object, str], object]


def read_documents(data: Path, corpus: str) -> list[str]:
    documents: list[str] = []
    size = 0
    with gzip.open(data / "text" / "dev" / f"{corpus}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            for begin in range(0, len(text), DOCUMENT_CHARACTERS):
                documents.append(text[begin : begin + DOCUMENT_CHARACTERS])
                size += len(documents[-1].encode())
                if size >= CORPUS_BYTES:
                    return documents
    return documents


def tools_for(ranks: dict[bytes, int], ranks_file: Path) -> list[Tool]:
    def nlpkit() -> Tokenizer:
        return Tokenizer("cl100k", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})

    def theirs() -> tiktoken.Encoding:
        return tiktoken.Encoding(
            "cl100k", pat_str=PATTERNS["cl100k"], mergeable_ranks=ranks, special_tokens={}
        )

    def giga() -> gigatoken.Tokenizer:
        return gigatoken.Tokenizer.from_tiktoken(ranks_file, pretokenizer="cl100k", special_tokens={})

    return [
        Tool("nlpkit", nlpkit, lambda tool, text: tool.encode_to_numpy(text, disallowed_special=())),
        Tool("gigatoken", giga, lambda tool, text: tool.encode(text)),
        Tool(
            "fastokens",
            lambda: fastokens.Tokenizer.from_tiktoken(str(ranks_file), encoding="cl100k_base"),
            lambda tool, text: np.frombuffer(tool.encode_batch_flat([text])[0], np.uint32),
        ),
        Tool("rs-bpe", rs_bpe.cl100k_base, lambda tool, text: tool.encode(text)),
        Tool("tiktoken", theirs, lambda tool, text: tool.encode_ordinary(text)),
    ]


def seconds_of(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def check_equal(tools: list[Tool], documents: list[str]) -> None:
    made = [tool.make() for tool in tools]
    for text in documents:
        first, *others = (
            np.asarray(t.encode(m, text), dtype=np.uint32) for t, m in zip(tools, made, strict=True)
        )
        if not all(np.array_equal(first, other) for other in others):
            raise SystemExit(f"the tools disagree on {text[:60]!r}")


def compare_encoding(tools: list[Tool], data: Path, rounds: int) -> None:
    print("| corpus | pass | " + " | ".join(tool.name for tool in tools) + " | to the best peer |")
    print("|---|---|" + "--:|" * (len(tools) + 1))
    for corpus in CORPORA:
        documents = read_documents(data, corpus)
        size = sum(len(text.encode()) for text in documents)
        check_equal(tools, documents)
        best = {(tool.name, which): 0.0 for tool in tools for which in ("cold", "warm")}
        for round_ in range(rounds):
            for tool in tools:
                if tool.name in SLOW and round_ > 0:
                    continue  # they have no cache, and take most of the time
                made = tool.make()
                tool.encode(made, "word")
                for which in ("cold", "warm"):
                    seconds = seconds_of(
                        lambda t=tool, m=made, d=documents: [t.encode(m, text) for text in d]
                    )
                    best[tool.name, which] = max(best[tool.name, which], size / seconds / 1e6)
        for which in ("cold", "warm"):
            rates = [best[tool.name, which] for tool in tools]
            cells = " | ".join(f"{rate:.1f}" for rate in rates)
            print(f"| {corpus} | {which} | {cells} | {rates[0] / max(rates[1:]):.2f} × |", flush=True)


def compare_batches(ranks: dict[bytes, int], ranks_file: Path, data: Path, rounds: int) -> None:
    """English documents to arrays on two threads; wall time, so others' work on the machine counts."""
    documents = read_documents(data, "english-large")
    size = sum(len(text.encode()) for text in documents)
    ours, giga, fast = (tool.make() for tool in tools_for(ranks, ranks_file)[:3])
    works: dict[str, Callable[[], object]] = {
        "nlpkit": lambda: ours.encode_documents(documents, threads=2),
        "gigatoken": lambda: giga.encode_batch(documents),
        "fastokens": lambda: fast.encode_batch_flat(documents),
    }
    print("\n| english-large, 2 threads, warm | MB/s of wall time |\n|---|--:|")
    best = dict.fromkeys(works, 0.0)
    for _ in range(4 * rounds):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            best[name] = max(best[name], size / (time.perf_counter() - started) / 1e6)
    for name, rate in best.items():
        print(f"| {name} | {rate:.0f} |", flush=True)


def compare_rest(tools: list[Tool], data: Path, rounds: int) -> None:
    made = {tool.name: tool.make() for tool in tools}
    ours, giga, fork, theirs = (made[name] for name in ("nlpkit", "gigatoken", "rs-bpe", "tiktoken"))
    compat = giga.as_tiktoken()
    text = "".join(read_documents(data, "english-large"))[:2_000_000]
    lengths = [20 + 45 * i % 181 for i in range(5_000)]  # 20 to 200
    ends = np.cumsum(lengths)
    short = [text[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    ids = ours.encode_ordinary(text)
    array = np.array(ids, dtype=np.uint32)
    size = len(text.encode())
    encoders = {"nlpkit": ours, "gigatoken": compat, "rs-bpe": fork, "tiktoken": theirs}
    rows: list[tuple[str, int, dict[str, Callable[[], object]]]] = [
        ("20 to 200 characters, `encode` to a list", len("".join(short).encode()),
         {name: lambda tool=tool: [tool.encode(s) for s in short] for name, tool in encoders.items()}),
        ("count", size,
         {"nlpkit": lambda: ours.count(text), "rs-bpe": lambda: fork.count(text),
          "tiktoken": lambda: len(theirs.encode_ordinary(text))}),
        ("decode list to str", size,
         {"nlpkit": lambda: ours.decode(ids), "gigatoken": lambda: compat.decode(ids),
          "rs-bpe": lambda: fork.decode(ids), "tiktoken": lambda: theirs.decode(ids)}),
        ("decode array to bytes", size,
         {"nlpkit": lambda: ours.decode_bytes(array), "gigatoken": lambda: giga.decode(array)}),
    ]  # fmt: skip
    names = ("nlpkit", "gigatoken", "rs-bpe", "tiktoken")
    print("\n| | " + " | ".join(names) + " |\n|---|" + "--:|" * len(names))
    for row, row_size, works in rows:
        rates = {
            name: row_size / min(seconds_of(work) for _ in range(rounds)) / 1e6
            for name, work in works.items()
        }
        print(
            f"| {row} | {' | '.join(f'{rates[name]:.1f}' if name in rates else '–' for name in names)} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not os.environ.get("NLPKIT_DATA"):
        print("NLPKIT_DATA is not set: no corpora to measure on.")
        return
    data = Path(os.environ["NLPKIT_DATA"])
    content = gzip.decompress((data / "text" / "vocab" / "cl100k_base.tiktoken.gz").read_bytes())
    lines = content.split()
    ranks = {base64.b64decode(token): int(rank) for token, rank in zip(lines[::2], lines[1::2], strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        ranks_file = Path(folder) / "cl100k_base.tiktoken"
        ranks_file.write_bytes(content)
        tools = tools_for(ranks, ranks_file)
        compare_encoding(tools, data, rounds)
        compare_batches(ranks, ranks_file, data, rounds)
        compare_rest(tools, data, rounds)


if __name__ == "__main__":
    main()
