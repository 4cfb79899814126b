"""`nlpkit tokenizer`: one file a command."""

import typer

from . import count, decode, doctor, encode, show, train

app = typer.Typer(help="Vocabularies: train them, turn text into ids and back.", no_args_is_help=True)

app.command(epilog="Example: nlpkit tokenizer train corpus:python-docs --vocab-size 8000 --out vocabulary")(
    train.train
)
app.command(
    epilog="Example: nlpkit tokenizer encode corpus:sample --vocabulary vocabulary --out shards --split tail"
)(encode.encode)
app.command(epilog="Example: echo 31373 995 | nlpkit tokenizer decode --vocabulary vocabulary")(decode.decode)
app.command(epilog="Example: nlpkit tokenizer count README.md docs/ --vocabulary vocabulary")(count.count)
app.command(epilog='Example: nlpkit tokenizer show "Tokens are fun." --vocabulary vocabulary --ids')(
    show.show
)
app.command(epilog="Example: nlpkit tokenizer doctor vocabulary corpus:sample")(doctor.doctor)
