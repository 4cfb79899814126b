"""`nlpkit lm`: train language models, measure them, let them write."""

import typer

from . import compare, evaluate, export, generate, import_model, train, verify

app = typer.Typer(
    help="Language models: train, verify, evaluate, compare, generate, export, import.", no_args_is_help=True
)
app.command(epilog=train.EXAMPLE)(train.train)
app.command(epilog=verify.EXAMPLE)(verify.verify)
app.command(epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command(epilog=compare.EXAMPLE)(compare.compare)
app.command(epilog=generate.EXAMPLE)(generate.generate)
app.command(epilog=export.EXAMPLE)(export.export)
app.command("import", epilog=import_model.EXAMPLE)(import_model.import_model)
