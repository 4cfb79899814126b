"""From a started Python to the first id, with cl100k: nlpkit beside its peers, each in a process of its own.

The clock starts after the imports and stops when "hello world" is encoded, all with equal ids; resident
memory is taken then, and before the imports. rs-bpe, splintr and bpe-openai carry the vocabulary in their own
form, the others read the published file (tokenizers: a tokenizer.json made of it). Best of some rounds, the
tools in turn.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FILE = "cl100k_base.tiktoken"
NLPKIT = """
from nlpkit.tokenization import Tokenizer
def load(): return Tokenizer.load(Path(FOLDER) / "cl100k_base.tiktoken", pattern="cl100k").encode
"""
PROGRAMS = {  # the environment's NLPKIT_IMAGES, and what to import and call
    "nlpkit, from its image": ("images", NLPKIT),
    "nlpkit, from the file": ("off", NLPKIT),
    "rs-bpe": ("off", """
from rs_bpe.bpe import openai
def load(): return openai.cl100k_base().encode
"""),
    "splintr": ("off", """
import splintr
def load(): return splintr.Tokenizer.from_pretrained("cl100k_base").encode
"""),
    "gigatoken": ("off", """
import gigatoken
def load():
    path = Path(FOLDER) / "cl100k_base.tiktoken"
    return gigatoken.Tokenizer.from_tiktoken(path, pretokenizer="cl100k", special_tokens={}).encode
"""),
    "tiktoken": ("off", """
import tiktoken
from tiktoken.load import load_tiktoken_bpe
from nlpkit.tokenization.patterns import PATTERNS
def load():
    ranks = load_tiktoken_bpe(str(Path(FOLDER) / "cl100k_base.tiktoken"))
    made = tiktoken.Encoding("c", pat_str=PATTERNS["cl100k"], mergeable_ranks=ranks, special_tokens={})
    return made.encode
"""),
    "tokenizers": ("off", """
import tokenizers
def load():
    made = tokenizers.Tokenizer.from_file(str(Path(FOLDER) / "tokenizer.json"))
    return lambda text: made.encode(text).ids
"""),
    "bpe-openai": ("off", """
import bpe_openai
def load(): return bpe_openai.get_encoding("cl100k_base").encode
"""),
}  # fmt: skip
MEASURE = """
import sys, time
from pathlib import Path
FOLDER = sys.argv[1]

def megabytes():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1e3

before = megabytes()
{program}
started = time.perf_counter()
encode = load()
ids = list(encode("hello world"))
seconds = time.perf_counter() - started
assert ids == [15339, 1917], ids
print(seconds, megabytes(), megabytes() - before)
"""


def measure(name: str, folder: Path) -> tuple[float, float, float]:
    """Seconds, resident megabytes after it, and how many of them are not the bare interpreter's."""
    images, program = PROGRAMS[name]
    environment = os.environ | {"NLPKIT_IMAGES": "off" if images == "off" else str(folder / images)}
    command = [sys.executable, "-c", MEASURE.format(program=program), str(folder)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds, resident, above = map(float, result.stdout.split())
    return seconds, resident, above


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not os.environ.get("NLPKIT_DATA"):
        print("NLPKIT_DATA is not set: no vocabulary to load.")
        return
    packed = Path(os.environ["NLPKIT_DATA"]) / "text" / "vocab" / f"{FILE}.gz"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / FILE).write_bytes(gzip.decompress(packed.read_bytes()))
        make_tokenizer_json(folder)
        measure("nlpkit, from its image", folder)  # makes it
        found = {tool: [measure(tool, folder)] for tool in PROGRAMS}
        for _ in range(rounds - 1):
            for tool, measured in found.items():
                measured.append(measure(tool, folder))
    print("| | ms | MB resident | of them not the bare interpreter's |\n|---|--:|--:|--:|")
    for tool, measured in found.items():
        seconds, resident, above = min(measured)
        print(f"| {tool} | {1e3 * seconds:.1f} | {resident:.0f} | {above:.0f} |", flush=True)


def make_tokenizer_json(folder: Path) -> None:
    from nlpkit.tokenization import Tokenizer

    Tokenizer.load(folder / FILE, pattern="cl100k").to_huggingface(folder)


if __name__ == "__main__":
    main()
