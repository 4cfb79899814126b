"""`nlpkit embeddings`: train word vectors and ask them questions."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Out, Seed, Threads

app = typer.Typer(help="Word vectors: train, query, exchange.", no_args_is_help=True)

Vectors = Annotated[
    Path,
    typer.Argument(
        help="A folder of `nlpkit embeddings train`, or word2vec's format (.bin binary, else text).",
        show_default=False,
    ),
]
Topn = Annotated[int, typer.Option("--topn", "-n", min=1, help="How many words to list.")]


@app.command(epilog="Example: nlpkit embeddings train shards --out vectors --dim 100 --epochs 5")
def train(
    shards: Annotated[
        Path, typer.Argument(help="A folder of `nlpkit tokenizer encode`.", show_default=False)
    ],
    out: Out,
    dim: Annotated[int, typer.Option(help="The vectors' dimension.")] = 100,
    window: Annotated[int, typer.Option(help="The greatest distance of a context.")] = 5,
    negative: Annotated[int, typer.Option(help="Noise words for each observed one.")] = 5,
    epochs: Annotated[int, typer.Option(help="Passes over the corpus.")] = 5,
    lr: Annotated[float | None, typer.Option(help="Learning rate at the start [0.025; cbow: 0.05].")] = None,
    sample: Annotated[float, typer.Option(help="Thin out words more frequent than this; 0: none.")] = 1e-3,
    min_count: Annotated[int, typer.Option(help="Leave out words that occur less often.")] = 5,
    architecture: Annotated[str, typer.Option(help="skipgram or cbow.")] = "skipgram",
    negatives: Annotated[
        str, typer.Option(help="Drawn for each centre (shared) or pair (exact).")
    ] = "shared",
    seed: Seed = 1,
    threads: Threads = 0,
    hogwild: Annotated[bool, typer.Option("--hogwild", help="Faster, but no two runs are equal.")] = False,
) -> None:
    """Train word vectors over the token shards of a corpus."""
    from nlpkit.embeddings import train_word2vec

    from .output import print_fields, progress_bar

    with progress_bar() as progress:
        vectors = train_word2vec(
            shards,
            out,
            dim=dim,
            window=window,
            negative=negative,
            epochs=epochs,
            lr=lr,
            sample=sample,
            min_count=min_count,
            architecture=architecture,  # type: ignore[arg-type]  # checked there, with a sentence
            negatives=negatives,  # type: ignore[arg-type]
            seed=seed,
            threads=threads,
            hogwild=hogwild,
            progress=progress,
        )
    print_fields({"vectors": str(out), "words": len(vectors), "dim": vectors.vector_size})


@app.command(epilog="Example: nlpkit embeddings similar vectors king --topn 5")
def similar(
    vectors: Vectors,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="One or several, which add up.")],
    negative: Annotated[
        list[str] | None, typer.Option("--negative", help="A word that counts against.")
    ] = None,
    topn: Topn = 10,
    as_json: Json = False,
) -> None:
    """List the words whose vectors are nearest by cosine."""
    from nlpkit.embeddings import KeyedVectors

    _print_neighbours(KeyedVectors.load(vectors).most_similar(words, negative or [], topn), as_json)


@app.command(epilog="Example: nlpkit embeddings analogy vectors man king woman")
def analogy(
    vectors: Vectors,
    a: Annotated[str, typer.Argument(help="As this word", show_default=False)],
    b: Annotated[str, typer.Argument(help="is to this one,", show_default=False)],
    c: Annotated[str, typer.Argument(help="so is this one to the answers.", show_default=False)],
    topn: Topn = 10,
    multiply: Annotated[bool, typer.Option("--multiply", help="3CosMul instead of 3CosAdd.")] = False,
    as_json: Json = False,
) -> None:
    """Complete an analogy: A is to B as C is to what?"""
    from nlpkit.embeddings import KeyedVectors

    loaded = KeyedVectors.load(vectors)
    ask = loaded.most_similar_cosmul if multiply else loaded.most_similar
    _print_neighbours(ask([b, c], [a], topn), as_json)


@app.command(epilog="Example: nlpkit embeddings export vectors vectors.txt")
def export(
    vectors: Vectors,
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write: .bin is binary, all else text.")
    ],
) -> None:
    """Write word2vec's format, for gensim and others. A space inside a token becomes ▁."""
    from nlpkit.embeddings import KeyedVectors

    from .output import print_fields

    loaded = KeyedVectors.load(vectors)
    left_out = loaded.save_word2vec_format(path, binary=path.suffix == ".bin")
    print_fields({"file": str(path), "words": len(loaded) - left_out, "left out": left_out})


@app.command(
    epilog="Example: nlpkit embeddings evaluate vectors --analogies questions-words.txt --pairs simlex.tsv"
)
def evaluate(
    vectors: Vectors,
    analogies: Annotated[
        list[Path] | None, typer.Option("--analogies", help="`: section` lines, and lines of four words.")
    ] = None,
    pairs: Annotated[
        list[Path] | None, typer.Option("--pairs", help="Lines of word, word and score, separated by tabs.")
    ] = None,
    restrict_vocab: Annotated[
        int, typer.Option("--restrict-vocab", min=1, help="Know the most frequent so many words only.")
    ] = 300_000,
    as_json: Json = False,
) -> None:
    """Score vectors by analogies (accuracy) and word pairs (Spearman), with 95 % intervals.

    Questions and pairs with a word that has no vector are left out. `nlpkit corpus list` names public sets.
    """
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.embeddings.evaluation import evaluate_files

    from .output import print_json, print_table

    report = evaluate_files(
        KeyedVectors.load(vectors), analogies or [], pairs or [], restrict_vocab=restrict_vocab
    )
    if as_json:
        print_json(report)
        return
    for lines in filter(None, report.values()):
        print_table(list(lines[0]), [list(line.values()) for line in lines])


def _print_neighbours(neighbours: list[tuple[str, float]], as_json: bool) -> None:
    from .output import print_json, print_table

    if as_json:
        print_json([{"word": _printable(word), "similarity": score} for word, score in neighbours])
    else:
        print_table(["word", "similarity"], [[_printable(word), score] for word, score in neighbours])


def _printable(word: str) -> str:
    """Bytes that are no UTF-8, line breaks and the like as escapes; spaces at the ends as ␣."""
    shown = word.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    inner = escaped.strip(" ")
    start = len(escaped) - len(escaped.lstrip(" "))
    return "␣" * start + inner + "␣" * (len(escaped) - start - len(inner))
