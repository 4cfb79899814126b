"""Options that train, pretokenize and extend share, and how they print what they did."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpkit.errors import UsageError

if TYPE_CHECKING:
    from nlpkit.text import Corpus
    from nlpkit.tokenization import TrainingSummary, TrainingText

Pattern = Annotated[
    str | None,
    typer.Option(
        help="How text is split first: gpt2, cl100k, o200k, llama3, …, or a regex.", show_default="cl100k"
    ),
]
SpecialTokens = Annotated[
    list[str] | None,
    typer.Option(
        "--special-token",
        help="A control token; any number. Each gets an id after the tokens and cuts text where it stands.",
        show_default="<|endoftext|>",
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight", metavar="INPUT=N", help="Count the documents of INPUT N times.", show_default=False
    ),
]
Sample = Annotated[float, typer.Option(help="The share of the documents to read, chosen by their text.")]
HeldOut = Annotated[
    float,
    typer.Option(
        help="The share of the documents to measure on and not to train on: the ones that `encode "
        "--validation` chooses."
    ),
]
MeasureOn = Annotated[
    str | None,
    typer.Option(
        "--measure-on",
        metavar="INPUT",
        help="Other text to measure the bytes per token on: a file, a folder, …, as CORPUS.",
        show_default="what --held-out leaves, or the training text",
    ),
]
MinCount = Annotated[int, typer.Option(help="A pair must occur this often to be merged.")]
MaxTokenBytes = Annotated[
    int | None, typer.Option(help="No token gets longer than this.", show_default="any length")
]
PruneBelow = Annotated[int, typer.Option(help="Leave out pre-tokens that occur fewer times, to save memory.")]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory for counting, merging and measuring, beside Python: 500MB, 2GB, … A line, row or record "
        "of text must fit into it, a .txt file need not.",
        show_default="no limit",
    ),
]
Counts = Annotated[
    bool, typer.Option("--counts", help="The arguments are files of `pretokenize` instead of texts.")
]


def text_or_counts(
    inputs: list[str],
    counts: bool,
    weights: list[str] | None,
    sample: float,
    seed: int,
    held_out: float,
    field: str,
    lines: bool,
    errors: str,
) -> "TrainingText | list[Path]":
    """What the arguments of train and extend stand for."""
    from nlpkit.tokenization import TrainingText

    if not counts:
        return TrainingText(
            inputs,
            field=field,
            lines=lines,
            errors=errors,
            weights=parse_weights(weights),
            sample=sample,
            seed=seed,
            held_out=held_out,
        )
    if weights or sample != 1 or held_out != 0:
        raise UsageError(
            "--weight, --sample and --held-out choose among texts: with --counts, give them to "
            "`nlpkit tokenizer pretokenize`."
        )
    return [Path(file) for file in inputs]


def corpus_to_measure(given: str | None, field: str, lines: bool, errors: str) -> "Corpus | None":
    """What `--measure-on` stands for."""
    from nlpkit.text import Corpus

    return None if given is None else Corpus([given], field=field, lines=lines, errors=errors)


def parse_weights(weights: list[str] | None) -> dict[str, int]:
    """`INPUT=N` to {INPUT: N}."""
    parsed = {}
    for given in weights or []:
        name, equals, number = given.rpartition("=")
        if not equals or not number.isdigit():
            raise UsageError(f"--weight {given} is not INPUT=N: write it as in --weight books.jsonl=3.")
        parsed[name] = int(number)
    return parsed


def parse_memory(size: str | None) -> int | None:
    """`500MB` or `2GB` (powers of 1000; MiB and GiB are powers of 1024) to bytes."""
    if size is None:
        return None
    units = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    units |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
    number = size.rstrip("aAbBgGiIkKmMtT ")
    unit = size[len(number) :].strip().upper()
    try:
        return min(int(float(number) * units[unit]), sys.maxsize)
    except (ValueError, KeyError, OverflowError):
        raise UsageError(f"--max-memory {size} is no size: write it as 500MB or 2GB.") from None


def print_summary(summary: "TrainingSummary", out: Path, inputs: list[str], as_json: bool) -> None:
    """What training came to, and what to do next."""
    from dataclasses import asdict

    from nlpkit.pipeline.machine import peak_memory

    from ..output import print_fields, print_json

    peak = peak_memory()
    if as_json:
        print_json({"vocabulary": str(out), "kind": "bpe", **asdict(summary), "peak_memory": peak})
        return
    print_fields(
        {
            "vocabulary": f"{summary.vocab_size:,} ids, {summary.new_tokens:,} of them learnt, in {out}",
            "text": f"{summary.documents:,} documents, {summary.text_bytes / 1e6:,.1f} MB",
            "bytes per token": f"{summary.bytes_per_token:.3f} ({summary.measured_on})",
            "time": f"{summary.seconds:.1f} s",
            "peak memory": f"{peak / 1e6:,.0f} MB" if peak is not None else None,
        }
    )
    texts = "CORPUS" if any(name.endswith(".counts") for name in inputs) else " ".join(inputs)
    print(f"next: nlpkit tokenizer encode {texts} --vocabulary {out} --out shards")
