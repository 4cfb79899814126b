"""BPE training beside its peers: the same documents, split pattern and vocabulary size in one run.

Each trainer runs in a process of its own that already holds the interpreter and the text; the peak is what it
takes above that. CPU time is the sum over threads, so it can be compared on a busy machine. The vocabularies
are compared token by token with nlpkit's: Hugging Face's and ffbpe's (asked for GPT-2's byte order) must be
identical; rustbpe numbers the bytes otherwise, so that ties fall differently and a few tokens with them.

    python benchmarks/train_bpe.py --text mixed --vocab-size 32000 --threads 1
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mixed

from nlpkit.tokenization.byte_order import GPT2_BYTE_ORDER
from nlpkit.tokenization.patterns import PATTERNS

# The pattern as every engine here reads it: Oniguruma (Hugging Face) takes `{1,3}+` for a repetition.
PATTERN = PATTERNS["llama3"]


def train_nlpkit(documents: list[str], vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from nlpkit.tokenization.training import train_bpe

    tokens = train_bpe(documents, vocab_size=vocab_size, pattern=PATTERN, special_tokens=(), threads=threads)
    return lambda: tokens


def train_ffbpe(documents: list[str], vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    import ffbpe

    counter = ffbpe.PreTokenizer([], pat_str=PATTERN).word_counter()
    counter.add_source(documents)
    trainer = ffbpe.BpeTrainer([], initial_alphabet="byte_level", tie_break="smallest_pair_id")
    trainer.add_word_counter(counter)
    trainer.train(vocab_size)
    return lambda: [token for token, _ in sorted(trainer.vocab.items(), key=lambda item: item[1])]


def train_rustbpe(documents: list[str], vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter(documents), vocab_size, pattern=PATTERN)
    return lambda: [bytes(token) for token, _ in tokenizer.get_mergeable_ranks()]


def train_tokenizers(documents: list[str], vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    to_characters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_characters])
    alphabet = to_characters.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(iter(documents), trainer)
    byte_of = dict(zip(sorted(alphabet), GPT2_BYTE_ORDER, strict=True))
    ids = tokenizer.get_vocab()
    return lambda: [b"".join(byte_of[char] for char in token) for token in sorted(ids, key=ids.__getitem__)]


TRAINERS = {
    "nlpkit": train_nlpkit,
    "ffbpe": train_ffbpe,
    "rustbpe": train_rustbpe,
    "tokenizers": train_tokenizers,
}


def memory(field: str) -> int:
    """VmRSS or VmHWM (its peak) of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def measure(arguments: argparse.Namespace) -> None:
    """In the trainer's own process: train, print what it took, write the tokens for comparison."""
    documents = mixed.documents(arguments.text)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    base = memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = TRAINERS[arguments.measure](documents, arguments.vocab_size, arguments.threads)
    figures = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": (memory("VmHWM") - base) / 1e6,
    }
    Path(arguments.tokens).write_text(json.dumps([token.hex() for token in tokens()]))
    print(json.dumps(figures))


def run(name: str, arguments: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    """Start a process for one trainer; return its figures and its tokens in hexadecimal."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.json"
        options: dict[str, Any] = {**vars(arguments), "measure": name, "tokens": tokens}
        command = [sys.executable, __file__]
        for option in ("text", "vocab_size", "threads", "measure", "tokens"):
            command += [f"--{option.replace('_', '-')}", str(options[option])]
        environment = {**os.environ, "RAYON_NUM_THREADS": str(arguments.threads)}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return json.loads(output), json.loads(tokens.read_text())


def compare(own: list[str], other: list[str]) -> str:
    if own == other:
        return "identical"
    return f"{len(set(own) & set(other)) / len(own):.2%} of the tokens"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", choices=mixed.TEXTS, default="mixed")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=list(TRAINERS))
    parser.add_argument("--measure", choices=TRAINERS, help=argparse.SUPPRESS)
    parser.add_argument("--tokens", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments)
        return
    print(f"{arguments.text}, {arguments.vocab_size:,} tokens, {arguments.threads} thread(s)")
    print(f"{'trainer':<11}{'wall s':>8}{'CPU s':>8}{'x CPU':>7}{'peak MB':>9}  vocabulary")
    own_figures, own = run("nlpkit", arguments)
    for name in dict.fromkeys(["nlpkit", *arguments.trainers]):
        figures, tokens = (own_figures, own) if name == "nlpkit" else run(name, arguments)
        ratio = figures["cpu_s"] / own_figures["cpu_s"]
        print(
            f"{name:<11}{figures['wall_s']:>8.2f}{figures['cpu_s']:>8.2f}{ratio:>7.1f}{figures['peak_mb']:>9.0f}"
            f"  {compare(own, tokens)}"
        )


if __name__ == "__main__":
    main()
