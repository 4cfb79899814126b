"""One piece from end to end, which merging rank by rank handles worst: nlpkit beside its peers.

First MB/s of CPU time on a million characters, with cl100k: runs of one character, random letters, random
words, white space. bpe-openai and rs-bpe wrap github/rust-gems' linear-time encoder, tiktoken has a heap.
Their ids are compared with nlpkit's. bpe-openai refuses a text of 1,000,000 characters, or of 200,000 tokens
in all: the texts have one character less, and it is called below its second check.

Then how nlpkit grows, one process a length: seconds and peak memory, up to --most characters. Last, one
document of 25 MB on one thread and on two: wall seconds, cold (a fresh tokenizer) and warm. "chinese,
unbroken" has no white space.
"""

import argparse
import base64
import gzip
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from nlpkit.tokenization import Tokenizer

LENGTH = 999_999
LETTERS = "abcdefghijklmnopqrstuvwxyz"
GROWING = ("a", "letters")
DOCUMENTS = ("english-large", "code", "chinese", "chinese, unbroken", "multilingual")
DOCUMENT_BYTES = 25_000_000


def texts(length: int) -> dict[str, str]:
    generator = random.Random(1)
    return {
        "a": "a" * length,
        "^": "^" * length,
        "space": " " * length,
        "中": "中" * (length // 3),
        "letters": "".join(generator.choices(LETTERS, k=length)),
        "words": "".join(generator.choices(["the", "token", "er", "ing", "ization"], k=length // 4)),
        "ab": "".join(generator.choices("ab", k=length)),
        "space and tab": "".join(generator.choices(" \t", k=length)),
    }


def growing_text(name: str, length: int) -> str:
    if name == "a":
        return "a" * length
    repeated = "".join(random.Random(1).choices(LETTERS, k=1_000_003))
    return (repeated * (length // len(repeated) + 1))[:length]


def read_ranks(data: Path) -> dict[bytes, int]:
    lines = gzip.decompress((data / "text" / "vocab" / "cl100k_base.tiktoken.gz").read_bytes()).split()
    return {base64.b64decode(token): int(rank) for token, rank in zip(lines[::2], lines[1::2], strict=True)}


def make_nlpkit(data: Path) -> Tokenizer:
    return Tokenizer("cl100k", pat_str="cl100k", mergeable_ranks=read_ranks(data), special_tokens={})


def peers(tokenizer: Tokenizer) -> dict[str, Callable[[str], object]]:
    import bpe_openai
    from rs_bpe.bpe import openai as rs_bpe

    theirs = tokenizer.to_tiktoken()
    wrapped, fork = bpe_openai.get_encoding("cl100k_base"), rs_bpe.cl100k_base()
    return {
        "nlpkit": tokenizer.encode_to_numpy,
        "bpe-openai": wrapped._encode_plain,
        "rs-bpe": fork.encode,
        "tiktoken": theirs.encode_ordinary,
    }


def best_seconds(work: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def compare(data: Path, rounds: int) -> None:
    tools = peers(make_nlpkit(data))
    print("| one piece of | bytes per token | " + " | ".join(tools) + " |\n|---|--:|" + "--:|" * len(tools))
    for name, text in texts(LENGTH).items():
        ids = {tool: list(encode(text)) for tool, encode in tools.items()}  # type: ignore[call-overload]
        if any(other != ids["nlpkit"] for other in ids.values()):
            raise SystemExit(f"the tools disagree on {name!r}")
        size = len(text.encode())
        rates = [
            size / best_seconds(lambda e=encode, t=text: e(t), rounds) / 1e6  # type: ignore[misc]
            for encode in tools.values()
        ]
        cells = " | ".join(f"{rate:.1f}" for rate in rates)
        print(f"| {name} | {size / len(ids['nlpkit']):.2f} | {cells} |", flush=True)


def grow(most: int) -> None:
    print("\n| one piece of | characters | seconds | MB/s | peak MB above the text | bytes a character |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for name in GROWING:
        for power in range(4, len(str(most))):
            subprocess.run([sys.executable, __file__, "--one", name, str(10**power)], check=True)


def measure_one(data: Path, name: str, length: int) -> None:
    text = growing_text(name, length)
    tokenizer = make_nlpkit(data)
    tokenizer.encode_to_numpy("a" * 1000)  # makes the tables
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
    before = kilobytes("VmHWM")
    seconds = best_seconds(lambda: tokenizer.encode_to_numpy(text), 3 if length <= 10**6 else 1)
    peak = (kilobytes("VmHWM") - before) / 1e3
    rates = f"{seconds:.5f} | {length / seconds / 1e6:.1f} | {peak:.1f} | {peak * 1e6 / length:.1f}"
    print(f"| {name} | {length:,} | {rates} |")


def read_document(data: Path, name: str) -> str:
    """One document of 25 MB: a corpus end to end, repeated where it is shorter."""
    parts: list[str] = []
    size = 0
    while size < DOCUMENT_BYTES:
        with gzip.open(
            data / "text" / "dev" / f"{name.split(',')[0]}.jsonl.gz", "rt", encoding="utf-8"
        ) as lines:
            for line in lines:
                text = json.loads(line)["text"]
                parts.append("".join(text.split()) if "unbroken" in name else text)
                size += len(parts[-1].encode())
                if size >= DOCUMENT_BYTES:
                    break
    return ("" if "unbroken" in name else "\n").join(parts)


def compare_threads(data: Path, rounds: int) -> None:
    print("\n| one document of | MB | pass | 1 thread, s | 2 threads, s | times |\n|---|--:|---|--:|--:|--:|")
    ranks = read_ranks(data)
    for name in DOCUMENTS:
        text = read_document(data, name)
        seconds = {(which, threads): float("inf") for which in ("cold", "warm") for threads in (1, 2)}
        for _ in range(rounds):
            for threads in (1, 2):
                tokenizer = Tokenizer("cl100k", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})
                for which in ("cold", "warm"):
                    started = time.perf_counter()
                    tokenizer.encode_documents([text], threads=threads)
                    took = time.perf_counter() - started
                    seconds[which, threads] = min(seconds[which, threads], took)
        for which in ("cold", "warm"):
            one, two = seconds[which, 1], seconds[which, 2]
            size = len(text.encode()) / 1e6
            print(f"| {name} | {size:.1f} | {which} | {one:.3f} | {two:.3f} | {one / two:.2f} |", flush=True)


def kilobytes(field: str) -> int:
    """A field of this process's memory, from Linux."""
    return int(Path("/proc/self/status").read_text().split(field + ":")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=10**8, help="the longest text of the second table")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "LENGTH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not os.environ.get("NLPKIT_DATA"):
        print("NLPKIT_DATA is not set: no vocabulary to measure with.")
        return
    data = Path(os.environ["NLPKIT_DATA"])
    if arguments.one:
        measure_one(data, arguments.one[0], int(arguments.one[1]))
        return
    compare(data, arguments.rounds)
    grow(arguments.most)
    compare_threads(data, arguments.rounds)


if __name__ == "__main__":
    main()
