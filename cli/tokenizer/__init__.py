"""`nlpkit tokenizer`: one file a command."""

import typer

from . import (
    compare,
    count,
    decode,
    doctor,
    encode,
    export,
    extend,
    import_vocabulary,
    pretokenize,
    show,
    train,
)

app = typer.Typer(help="Vocabularies: train them, turn text into ids and back.", no_args_is_help=True)

app.command(epilog="Example: nlpkit tokenizer train corpus:python-docs --vocab-size 8000 --out vocabulary")(
    train.train
)
app.command(
    epilog="Example: nlpkit tokenizer pretokenize part-1/*.jsonl --out part-1.counts; then "
    "nlpkit tokenizer train --counts part-1.counts part-2.counts --out vocabulary"
)(pretokenize.pretokenize)
app.command(
    epilog="Example: nlpkit tokenizer extend medical.jsonl --vocabulary vocabulary --add 2000 --out extended"
)(extend.extend)
app.command(
    epilog="Example: nlpkit tokenizer encode corpus:sample --vocabulary vocabulary --out shards "
    "--split tail; echo hello | nlpkit tokenizer encode -v vocabulary --numpy ids.npy"
)(encode.encode)
app.command(
    epilog="Example: echo 31373 995 | nlpkit tokenizer decode --vocabulary vocabulary; "
    "nlpkit tokenizer decode -v vocabulary --numpy ids.npy"
)(decode.decode)
app.command(epilog="Example: nlpkit tokenizer count README.md docs/ --vocabulary vocabulary")(count.count)
app.command(epilog='Example: nlpkit tokenizer show "Tokens are fun." --vocabulary vocabulary --ids')(
    show.show
)
app.command(epilog="Example: nlpkit tokenizer doctor vocabulary corpus:sample")(doctor.doctor)
app.command(
    epilog="Example: nlpkit tokenizer compare vocabulary cl100k_base corpus:sample --html page.html; nlpkit "
    "tokenizer compare old/ new/ Llama-3/tokenizer.json en.txt zh.txt docs/*.md --json"
)(compare.compare)
app.command(epilog="Example: nlpkit tokenizer export vocabulary --format huggingface --out my-model/")(
    export.export
)
app.command(
    "import",
    epilog="Example: nlpkit tokenizer import Llama-3/tokenizer.json --out llama3; nlpkit tokenizer import "
    "ours.tiktoken --pattern o200k --special-token '<|endoftext|>' --out ours",
)(import_vocabulary.import_vocabulary)
