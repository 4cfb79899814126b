"""What it takes to turn a rank file into a tokenizer.json, beside transformers' TikTokenConverter.

    python benchmarks/convert.py

The published vocabularies come from the folder NLPKIT_DATA; without it, one is trained on the bundled sample.
CPU seconds of one run each. `different` is how many of the self-check's 2,000 texts the written file turns
into other ids than tiktoken does. The converter gets the pattern and the special tokens that it can be given.
"""

import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import tokenizers
from transformers.convert_slow_tokenizer import TikTokenConverter

from nlpkit.text import Corpus
from nlpkit.tokenization import Tokenizer, get_encoding
from nlpkit.tokenization.formats.agreement import fuzz_texts
from nlpkit.tokenization.formats.huggingface import tokenizer_json, write_huggingface
from nlpkit.tokenization.formats.huggingface_reading import read_huggingface

FILES = {
    "gpt2": "r50k_base",
    "p50k_edit": "p50k_base",
    "cl100k_base": "cl100k_base",
    "o200k_base": "o200k_base",
}
Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def count_different(theirs: tokenizers.Tokenizer, tokenizer: Tokenizer) -> int:
    encoding = tokenizer.to_tiktoken()
    return sum(
        theirs.encode(text, add_special_tokens=False).ids != encoding.encode(text, allowed_special="all")
        for text in fuzz_texts(tokenizer.definition)
    )


def measure(tokenizer: Tokenizer, ranks: Path) -> list[object]:
    definition = tokenizer.definition
    out = ranks.parent / "huggingface"
    write, _ = timed(partial(write_huggingface, definition, out))
    read, _ = timed(partial(read_huggingface, out))
    checked, _ = timed(partial(tokenizer.to_huggingface, out))
    content = tokenizer_json(definition)
    ours = tokenizers.Tokenizer.from_str(json.dumps(content))
    converter = TikTokenConverter(
        vocab_file=str(ranks),
        pattern=content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"],
        extra_special_tokens=list(definition.special_tokens),
    )
    convert, theirs = timed(converter.converted)
    merges = len(content["model"]["merges"])
    their_merges = len(json.loads(theirs.to_str())["model"]["merges"])
    return [
        tokenizer.name, write, checked, read, merges, count_different(ours, tokenizer),
        convert, their_merges, count_different(theirs, tokenizer),
    ]  # fmt: skip


def vocabularies(folder: Path) -> Iterator[tuple[Tokenizer, Path]]:
    """Each vocabulary and its rank file, which is put into `folder`."""
    data = os.environ.get("NLPKIT_DATA")
    if data is None:
        texts = [document.text for document in Corpus(["corpus:sample"])]
        tokenizer = Tokenizer.train(texts, vocab_size=4000, name="sample")
        tokenizer.save(folder / "sample")
        yield tokenizer, folder / "sample" / "vocabulary.tiktoken"
        return
    for name, file in FILES.items():
        ranks = folder / f"{file}.tiktoken"
        ranks.write_bytes(gzip.decompress((Path(data) / "text" / "vocab" / f"{ranks.name}.gz").read_bytes()))
        yield get_encoding(name, folder=folder), ranks


def main() -> None:
    os.environ["TIKTOKEN_CACHE_DIR"] = ""  # the converter's loader would keep copies
    print("| | write | write, checked | read | merges | different | converter | merges | different |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as temporary:
        for tokenizer, ranks in vocabularies(Path(temporary)):
            cells = measure(tokenizer, ranks)
            shown = [f"{cell:.1f}" if isinstance(cell, float) else f"{cell:,}" for cell in cells[1:]]
            print(f"| {tokenizer.name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
