"""`nlpkit tokenizer count`: how many tokens a text has."""

from ..options import Errors, Field, Json, Lines, Threads
from .common import CorpusOrStdin, Vocabulary


def count(
    vocabulary: Vocabulary,
    corpus: CorpusOrStdin = None,
    field: Field = "text",
    lines: Lines = False,
    errors: Errors = "strict",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Count the tokens of each file and of all."""
    from nlpkit.text import Corpus
    from nlpkit.tokenization import count_corpus, load_vocabulary

    from ..output import print_json, print_table, progress_bar

    documents = Corpus(
        corpus or ["-"],
        field=field,
        lines=lines,
        errors=errors,
    )
    loaded = load_vocabulary(vocabulary)
    with progress_bar() as progress:
        counts = count_corpus(documents, loaded, threads=threads, progress=progress)
    header = ["source", "documents", "tokens", "bytes", "bytes per token"]
    rows = [
        [name, figures.documents, figures.tokens, figures.text_bytes, figures.bytes_per_token]
        for name, figures in counts.items()
    ]
    if as_json:
        print_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        print_table(header, rows)
