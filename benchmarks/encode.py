"""Encoding, counting and decoding with cl100k beside tiktoken and gigatoken, their outputs compared.

    NLPKIT_DATA=... python benchmarks/encode.py [--rounds 5]

6 MB of each corpus in documents of at most 20,000 characters, one thread, CPU time. Cold is the first pass of
a fresh tokenizer that has encoded one word, warm the second; the tools take turns, and the best round counts
for each. Arrays come out, one for each document, where the tool has them (tiktoken: lists).
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

import gigatoken
import numpy as np
import tiktoken

from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import PATTERNS

CORPORA = ("english-large", "code", "chinese", "multilingual")
CORPUS_BYTES = 6_000_000
DOCUMENT_CHARACTERS = 20_000
LONG_RUNS = {"a": "a", "^": "^", "space": " "}


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
    print("| corpus | pass | " + " | ".join(tool.name for tool in tools) + " | to gigatoken |")
    print("|---|---|" + "--:|" * (len(tools) + 1))
    for corpus in CORPORA:
        documents = read_documents(data, corpus)
        size = sum(len(text.encode()) for text in documents)
        check_equal(tools, documents)
        best = {(tool.name, which): 0.0 for tool in tools for which in ("cold", "warm")}
        for round_ in range(rounds):
            for tool in tools:
                if tool.name == "tiktoken" and round_ > 0:
                    continue  # it has no cache, and takes most of the time
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
            print(f"| {corpus} | {which} | {cells} | {rates[0] / rates[1]:.2f} × |", flush=True)


def compare_rest(tools: list[Tool], data: Path, rounds: int) -> None:
    nlpkit, giga, theirs = (tool.make() for tool in tools)
    text = "".join(read_documents(data, "english-large"))[:2_000_000]
    short = [text[begin : begin + 60] for begin in range(0, 600_000, 60)]
    ids = nlpkit.encode_ordinary(text)
    array = np.array(ids, dtype=np.uint32)
    giga_compat = giga.as_tiktoken()
    rows: list[tuple[str, int, list[Callable[[], object] | None]]] = [
        ("60 characters, `encode` to a list", 600_000,
         [lambda: [nlpkit.encode(s) for s in short], lambda: [giga_compat.encode(s) for s in short],
          lambda: [theirs.encode(s) for s in short]]),
        ("count", len(text), [lambda: nlpkit.count(text), None, lambda: len(theirs.encode_ordinary(text))]),
        ("decode list to str", len(text),
         [lambda: nlpkit.decode(ids), lambda: giga_compat.decode(ids), lambda: theirs.decode(ids)]),
        ("decode array to bytes", len(text),
         [lambda: nlpkit.decode_bytes(array), lambda: giga.decode(array), None]),
    ]  # fmt: skip
    print("\n| | " + " | ".join(tool.name for tool in tools) + " |\n|---|" + "--:|" * len(tools))
    for name, size, works in rows:
        cells = []
        for work in works:
            best = min((seconds_of(work) for _ in range(rounds)), default=0.0) if work else 0.0
            cells.append(f"{size / best / 1e6:.1f}" if work else "–")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    for name, unit in LONG_RUNS.items():
        cells = [f"{rate_of_run(tool, unit * 1_000_000, rounds):.1f}" for tool in tools]
        print(f"| 10⁶ × {name}, cold | {' | '.join(cells)} |", flush=True)


def rate_of_run(tool: Tool, run: str, rounds: int) -> float:
    """MB/s on one long piece, each time with a fresh tokenizer: some keep it whole in their cache."""
    best = 0.0
    for _ in range(rounds):
        made = tool.make()
        tool.encode(made, "word")
        best = max(best, len(run) / seconds_of(lambda m=made: tool.encode(m, run)) / 1e6)
    return best


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
        compare_rest(tools, data, rounds)


if __name__ == "__main__":
    main()
