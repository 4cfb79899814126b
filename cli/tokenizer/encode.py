"""`nlpkit tokenizer encode`: a corpus to shards, or text to ids on stdout."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Errors, Field, Json, Lines, Seed, Threads
from .common import CorpusOrStdin, Vocabulary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

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
    numpy: Annotated[
        Path | None,
        typer.Option(
            "--numpy",
            metavar="FILE",
            help="Write the ids of all documents, end to end, as one .npy array, of uint16 where the "
            "vocabulary fits and else uint32; `-` for stdout.",
        ),
    ] = None,
    validation: Annotated[float, typer.Option(help="The share of text for validation; 0: none.")] = 0.1,
    split: Annotated[
        str, typer.Option(help="documents: whole ones, by the hash of their text; tail: the last bytes.")
    ] = "documents",
    bos: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="The special token that begins each document.")
    ] = None,
    eos: Annotated[
        bool, typer.Option("--eos/--no-eos", help="End each document with <|endoftext|>, if there is one.")
    ] = True,
    dropout: Annotated[
        float, typer.Option(help="BPE-dropout: how likely each merge is left out; 0.1 in the paper.")
    ] = 0.0,
    seed: Seed = 0,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Encode a corpus to token shards; without --out, print the ids of the text, a line a document.

    Stopped by Ctrl-C or a kill, the same command goes on where it was.
    """
    from nlpkit.errors import UsageError
    from nlpkit.text import Corpus
    from nlpkit.tokenization import encode_corpus, load_vocabulary
    from nlpkit.tokenization.encoding.documents import DocumentEncoder

    from ..output import progress_bar

    documents = Corpus(
        corpus or ["-"],
        field=field,
        lines=lines,
        errors=errors,
    )
    loaded = load_vocabulary(vocabulary)
    if out is None:
        if bos is not None or not eos:
            raise UsageError("--bos and --no-eos are for shards: name their folder with --out.")
        encoder = DocumentEncoder(loaded, bos=None, eos=False, dropout=dropout, seed=seed, threads=threads)
        ids = (
            encoder.encode([document.text], first_document=number).ids
            for number, document in enumerate(documents)
        )
        if numpy is not None:
            _write_array(ids, loaded.n_vocab, numpy)
            return
        for of_document in ids:
            _print_ids(of_document.tolist(), as_json)
        return
    if numpy is not None:
        raise UsageError("--numpy is one array and --out a folder of shards: choose one.")
    with progress_bar() as progress:
        summary = encode_corpus(
            documents,
            loaded,
            out,
            validation=validation,
            split=split,  # type: ignore[arg-type]  # checked there
            bos=bos,
            eos=eos,
            dropout=dropout,
            seed=seed,
            threads=threads,
            progress=progress,
        )
    _print_summary(summary, out, as_json)


def _write_array(ids: "Iterable[npt.NDArray[np.uint32]]", n_vocab: int, path: Path) -> None:
    import numpy as np

    from nlpkit.files import atomic_file
    from nlpkit.tokenization.id_files import write_ids

    joined = np.concatenate([np.empty(0, np.uint32), *ids])
    if str(path) == "-":
        write_ids(joined, n_vocab, sys.stdout.buffer)
        return
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        write_ids(joined, n_vocab, file)


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
