"""`nlpkit lm`: train language models, measure them, let them write."""

import typer

from . import evaluate, generate, train

app = typer.Typer(help="Language models: train, evaluate, generate.", no_args_is_help=True)
app.command(epilog=train.EXAMPLE)(train.train)
app.command(epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command(epilog=generate.EXAMPLE)(generate.generate)
