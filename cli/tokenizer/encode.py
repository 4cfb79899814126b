"""`nlpkit tokenizer encode`: a corpus to shards, or text to ids on stdout."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Errors, Field, Json, Lines, Threads
from .common import CorpusOrStdin, Vocabulary

if TYPE_CHECKING:
    from nlpkit.tokenization import EncodeSummary


def encode(
    vocabulary: Vocabulary,
    corpus: CorpusOrStdin = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where to write train/, validation/ and vocabulary/; replaced whole."
        ),
    ] = None,
    validation: Annotated[float, typer.Option(help="The share of text for validation; 0: none.")] = 0.1,
    split: Annotated[
        str, typer.Option(help="documents: whole ones, by the hash of their text; tail: the last bytes.")
    ] = "documents",
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Encode a corpus to token shards; without --out, print the ids, a line a document."""
    from nlpkit.text import Corpus
    from nlpkit.tokenization import encode_corpus, load_vocabulary

    from ..output import progress_bar

    documents = Corpus(
        corpus or ["-"],
        field=field,
        lines=lines,
        errors=errors,
    )
    loaded = load_vocabulary(vocabulary)
    if out is None:
        for document in documents:
            _print_ids(loaded.encode_ordinary(document.text), as_json)
        return
    with progress_bar() as progress:
        summary = encode_corpus(
            documents,
            loaded,
            out,
            validation=validation,
            split=split,  # type: ignore[arg-type]  # checked there
            threads=threads,
            progress=progress,
        )
    _print_summary(summary, out, as_json)


def _print_ids(ids: list[int], as_json: bool) -> None:
    separator, line = (", ", "[{}]\n") if as_json else (" ", "{}\n")
    sys.stdout.write(line.format(separator.join(map(str, ids))))


def _print_summary(summary: "EncodeSummary", out: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from ..output import print_json, print_table

    if as_json:
        splits = {
            name: asdict(split) | {"bytes_per_token": split.bytes_per_token}
            for name, split in summary.splits.items()
        }
        print_json({"out": str(out), **splits})
        return
    print_table(
        ["split", "documents", "tokens", "bytes", "bytes per token", "seconds"],
        [
            [name, split.documents, split.tokens, split.text_bytes, split.bytes_per_token, split.seconds]
            for name, split in summary.splits.items()
        ],
    )
    print(f"wrote {out}")
