"""How fast text is cut into pre-tokens: nlpkit's scanners beside the regex engines of the peers.

    python benchmarks/pretokenize.py [--megabytes 6]

One thread, CPU time, median of several runs, on the corpora of the folder NLPKIT_DATA (without it, on the
bundled sample). nlpkit turns text into an array of offsets; the peers do the least that shows their split:

- regex: `findall` of the module, a list of strings;
- tiktoken: `encode_to_numpy` with a vocabulary of just these pieces, its regex and one lookup a piece;
- tokenizers: `Split(...).pre_tokenize_str`, a list of strings with offsets.

Before it is timed, tiktoken must give the same pieces; it is the oracle of the tests too.
"""

import argparse
import gzip
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import regex
import tiktoken
from tokenizers import Regex, pre_tokenizers

from nlpkit import _core
from nlpkit.tokenization.patterns import PATTERNS

CORPORA = ("english-large", "code", "chinese", "multilingual")
SCHEMES = ("gpt2", "cl100k", "o200k", "llama3", "qwen2")
PEER_CHARACTERS = 300_000  # of a corpus, for the peers, which would take minutes otherwise


def read_corpora(characters: int) -> dict[str, str]:
    data = os.environ.get("NLPKIT_DATA")
    if data is None:
        files = sorted((Path(__file__).parents[1] / "corpora" / "sample").rglob("*.txt"))
        return {"sample": "\n".join(file.read_text(encoding="utf-8") for file in files)[:characters]}
    return {
        name: read_corpus(Path(data) / "text" / "dev" / f"{name}.jsonl.gz", characters) for name in CORPORA
    }


def read_corpus(path: Path, characters: int) -> str:
    texts: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            texts.append(json.loads(line)["text"])
            characters -= len(texts[-1])
            if characters <= 0:
                break
    return "\n".join(texts)


def megabytes_per_second(text: str, work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return len(text.encode()) / 1e6 / statistics.median(seconds)


def scan(scheme: str, text: str, ends: np.ndarray) -> int:
    """Scan all of `text` into a small buffer used again and again, as the encoder and the trainer do."""
    begin = pieces = 0
    while count := _core.pretokenize_into(scheme, text, begin, ends):
        pieces += count
        begin = int(ends[count - 1])
    return pieces


def tiktoken_encoder(scheme: str, text: str) -> Callable[[], object]:
    """The encoder whose ids are our pieces (see first_difference in tests/.../test_pretokenizer)."""
    data = text.encode()
    offsets = itertools.pairwise([0, *_core.pretokenize(scheme, text).tolist()])
    pieces = [data[start:end] for start, end in offsets]
    ranks = {bytes([byte]): byte for byte in range(256)}
    for piece in itertools.chain(pieces, (left + right for left, right in itertools.pairwise(pieces))):
        ranks.setdefault(piece, len(ranks))
    encoding = tiktoken.Encoding("pieces", pat_str=PATTERNS[scheme], mergeable_ranks=ranks, special_tokens={})
    if encoding.encode_ordinary(text) != [ranks[piece] for piece in pieces]:
        raise SystemExit(f"{scheme}: tiktoken splits this text otherwise.")
    return lambda: encoding.encode_to_numpy(text, disallowed_special=())


def peer_speeds(scheme: str, text: str) -> list[float]:
    text = text[:PEER_CHARACTERS]
    pattern = regex.compile(PATTERNS[scheme])
    split = pre_tokenizers.Split(Regex(PATTERNS[scheme].replace("{1,3}+", "{1,3}")), "isolated")
    works: list[Callable[[], object]] = [
        lambda: pattern.findall(text),
        tiktoken_encoder(scheme, text),
        lambda: split.pre_tokenize_str(text),
    ]
    return [megabytes_per_second(text, work, runs=3) for work in works]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--megabytes", type=float, default=6, help="millions of characters a corpus (default 6)"
    )
    corpora = read_corpora(int(parser.parse_args().megabytes * 1e6))
    ends = np.zeros(2**14, np.uint64)
    print(f"MB/s of CPU time, one thread, {_core.simd_level()}")
    header = ("nlpkit", "regex", "tiktoken", "tokenizers", "bytes/piece")
    print(f"{'corpus':<14}{'pattern':<9}" + "".join(f"{name:>12}" for name in header))
    for name, text in corpora.items():
        for scheme in SCHEMES:
            ours = megabytes_per_second(text, lambda: scan(scheme, text, ends), runs=9)  # noqa: B023
            speeds = "".join(f"{speed:>12,.1f}" for speed in (ours, *peer_speeds(scheme, text)))
            print(f"{name:<14}{scheme:<9}{speeds}{len(text.encode()) / scan(scheme, text, ends):>12.2f}")


if __name__ == "__main__":
    main()
