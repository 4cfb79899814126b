"""`nlpkit tokenizer train`: a vocabulary from a corpus."""

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpkit.errors import UsageError

from ..options import Corpus, Errors, Field, Json, Lines, Out, Threads

if TYPE_CHECKING:
    from nlpkit.progress import ProgressCallback
    from nlpkit.text import Corpus as Documents
    from nlpkit.tokenization import Tokenizer, WordVocabulary

SAMPLE_CHARACTERS = 4_000_000
"""How much of the corpus the summary's bytes per token is measured on: a second's work at most."""


class Kind(StrEnum):
    """What the ids of a vocabulary stand for."""

    bpe = "bpe"
    words = "words"
    pretokens = "pretokens"
    characters = "characters"


def train(
    corpus: Corpus,
    out: Out,
    vocab_size: Annotated[
        int | None,
        typer.Option(
            help="Ids in all: bytes, merges and special tokens; for words the most to keep [bpe: 32000]."
        ),
    ] = None,
    kind: Annotated[
        Kind, typer.Option(help="bpe, or whole words (between white space), pre-tokens or characters.")
    ] = Kind.bpe,
    pattern: Annotated[
        str, typer.Option(help="How text is split first: gpt2, cl100k, o200k, … or a regex.")
    ] = "cl100k",
    special_token: Annotated[
        list[str] | None, typer.Option(help="May be given several times [bpe: <|endoftext|>].")
    ] = None,
    min_count: Annotated[
        int | None, typer.Option(help="Fewest occurrences of a merge [1], or of a word [5].")
    ] = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Lower-case the text (not for bpe).")
    ] = False,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Learn a vocabulary from a corpus and write it as a folder."""
    from nlpkit.text import Corpus as Documents

    from ..output import print_fields, print_json, progress_bar

    documents = Documents(corpus, field=field, lines=lines, errors=errors)
    started = time.perf_counter()
    with progress_bar() as progress:
        if kind is Kind.bpe:
            _refuse(lowercase, "--lowercase is for words, pretokens and characters: leave it out.")
            vocabulary: Tokenizer | WordVocabulary = _train_bpe(
                documents, vocab_size, pattern, special_token, min_count, threads, progress
            )
        else:
            _refuse(special_token is not None, "--special-token is for --kind bpe: leave it out.")
            vocabulary = _train_words(documents, kind, vocab_size, pattern, min_count, lowercase, progress)
    vocabulary.save(out)
    summary = {
        "vocabulary": str(out),
        "kind": kind.value,
        "ids": vocabulary.n_vocab,
        **_measure(vocabulary, documents, corpus),
        "seconds": round(time.perf_counter() - started, 2),
        "peak memory MiB": _peak_mebibytes(),
    }
    if as_json:
        print_json(summary)
        return
    print_fields(summary)
    print(f"next: nlpkit tokenizer encode {' '.join(corpus)} --vocabulary {out} --out shards")


def _refuse(wrong: bool, sentence: str) -> None:
    if wrong:
        raise UsageError(sentence)


def _train_bpe(
    documents: "Documents",
    vocab_size: int | None,
    pattern: str,
    special_tokens: list[str] | None,
    min_count: int | None,
    threads: int,
    progress: "ProgressCallback",
) -> "Tokenizer":
    from nlpkit.tokenization import Tokenizer

    given: dict[str, Any] = {} if special_tokens is None else {"special_tokens": special_tokens}
    return Tokenizer.train(
        (document.text for document in documents),
        vocab_size=32000 if vocab_size is None else vocab_size,
        pattern=pattern,
        min_count=1 if min_count is None else min_count,
        threads=threads,
        progress=progress,
        **given,
    )


def _train_words(
    documents: "Documents",
    kind: Kind,
    vocab_size: int | None,
    pattern: str,
    min_count: int | None,
    lowercase: bool,
    progress: "ProgressCallback",
) -> "WordVocabulary":
    from nlpkit.tokenization import WordVocabulary

    return WordVocabulary.train(
        (document.text for document in documents),
        unit=kind.value.removesuffix("s"),  # type: ignore[arg-type]  # word, pretoken or character
        min_count=5 if min_count is None else min_count,
        lowercase=lowercase,
        pattern=pattern,
        max_size=vocab_size,
        progress=progress,
    )


def _measure(
    vocabulary: "Tokenizer | WordVocabulary", documents: "Documents", inputs: list[str]
) -> dict[str, float]:
    """Bytes per token on the first part of the training text; nothing for stdin, which is read once."""
    if "-" in inputs:
        return {}
    text_bytes = tokens = characters = 0
    for document in documents:
        part = document.text[: SAMPLE_CHARACTERS - characters]
        characters += len(part)
        text_bytes += len(part.encode("utf-8"))
        tokens += len(vocabulary.encode_ordinary(part))
        if characters >= SAMPLE_CHARACTERS:
            break
    return {f"bytes per token (first {text_bytes / 1e6:.1f} MB)": round(text_bytes / tokens, 3)}


def _peak_mebibytes() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
