"""`nlpkit embeddings`: one file a command."""

import typer

from . import analogy, evaluate, export, import_file, phrases, plot, similar, train

app = typer.Typer(help="Word vectors: train, query, exchange.", no_args_is_help=True)

app.command(epilog="Example: nlpkit embeddings train shards --out vectors --dim 100 --epochs 5")(train.train)
app.command(epilog="Example: nlpkit embeddings phrases word-shards --out phrase-shards --passes 2")(
    phrases.phrases
)
app.command(epilog="Example: nlpkit embeddings similar vectors king --topn 5")(similar.similar)
app.command(epilog="Example: nlpkit embeddings analogy vectors man king woman")(analogy.analogy)
app.command(epilog="Example: nlpkit embeddings export vectors vectors.txt")(export.export)
app.command(
    epilog="Example: nlpkit embeddings evaluate vectors --analogies questions-words.txt --pairs simlex.tsv"
)(evaluate.evaluate)
app.command(name="import", epilog="Example: nlpkit embeddings import glove.6B.300d.txt --out glove --half")(
    import_file.import_file
)
app.command(epilog="Example: nlpkit embeddings plot vectors map.html --most 2000")(plot.plot)
