"""`nlpkit lm train`."""

import importlib.resources
import os
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Json

if TYPE_CHECKING:
    from nlpkit.lm.estimate import TrainingEstimate
    from nlpkit.lm.placement import Placement

EXAMPLE = "Example: nlpkit lm train shards --out runs/lm --preset demo --steps 500"
LOG_SECONDS = 5.0
"""Time between two lines of figures on stderr; an evaluation always has its line."""

MODEL, OPTIMIZER, LOOP, DEVICE, MEMORY = "Model", "Optimizer", "Run", "Device", "Memory"


def _preset_names() -> str:
    """Of the table that `nlpkit.lm.PRESETS` is read from, without loading torch for it."""
    table = importlib.resources.files("nlpkit") / "lm" / "presets.toml"
    return ", ".join(tomllib.loads(table.read_text(encoding="utf-8")))


def _option(panel: str, text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=panel, show_default=False)


def train(
    shards: Annotated[
        Path, typer.Argument(help="A folder of `nlpkit tokenizer encode`.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The run folder to make.")],
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Where every option that is not given comes from: {_preset_names()} [demo; with --init, "
            "fine-tune].",
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            help="Instead of a preset: a Transformer of so many layers, from which width, learning rates, "
            "batch and steps follow; 2 to 6 for a laptop.",
            show_default=False,
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="Begin with the weights of this run folder, trained or imported, instead of random ones.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out from its newest checkpoint.")
    ] = False,
    seed: Annotated[int | None, _option(LOOP, "Fixes every random choice [1].")] = None,
    model: Annotated[str | None, _option(MODEL, "transformer, lstm, gru or rnn.")] = None,
    block: Annotated[str | None, _option(MODEL, "modern, llama or gpt2 (transformer).")] = None,
    n_layer: Annotated[int | None, _option(MODEL, "Layers.")] = None,
    n_head: Annotated[int | None, _option(MODEL, "Attention heads (transformer).")] = None,
    n_kv_head: Annotated[
        int | None, _option(MODEL, "Heads of keys and values; 0: as many (transformer).")
    ] = None,
    n_embd: Annotated[int | None, _option(MODEL, "Width.")] = None,
    n_hidden: Annotated[
        int | None, _option(MODEL, "Width of the feed-forward layers, or of recurrent layers but the last.")
    ] = None,
    norm_eps: Annotated[float | None, _option(MODEL, "Added to the variance in norms (transformer).")] = None,
    rope_base: Annotated[float | None, _option(MODEL, "Of rotary positions (transformer).")] = None,
    context_length: Annotated[int | None, _option(MODEL, "Tokens seen at once.")] = None,
    dropout: Annotated[float | None, _option(MODEL, "Share of activations dropped in training.")] = None,
    variational: Annotated[
        bool | None,
        typer.Option(
            "--variational/--no-variational",
            help="Dropout of the same places at all times (recurrent).",
            rich_help_panel=MODEL,
            show_default=False,
        ),
    ] = None,
    word_dropout: Annotated[
        float | None, _option(MODEL, "Share of words dropped in a step (recurrent).")
    ] = None,
    weight_dropout: Annotated[
        float | None, _option(MODEL, "Share of state-to-state weights dropped in a step (recurrent).")
    ] = None,
    tied: Annotated[
        bool | None,
        typer.Option(
            "--tied/--untied", help="Embedding and output layer share weights.", rich_help_panel=MODEL
        ),
    ] = None,
    softcap: Annotated[float | None, _option(MODEL, "Bound of the logits; 0: none (transformer).")] = None,
    optimizer: Annotated[
        str | None, _option(OPTIMIZER, "adamw, sgd, or muon for the hidden matrices.")
    ] = None,
    lr: Annotated[float | None, _option(OPTIMIZER, "Learning rate of AdamW or SGD.")] = None,
    muon_lr: Annotated[float | None, _option(OPTIMIZER, "Muon's learning rate.")] = None,
    beta1: Annotated[float | None, _option(OPTIMIZER, "AdamW's first decay rate.")] = None,
    beta2: Annotated[float | None, _option(OPTIMIZER, "AdamW's second decay rate.")] = None,
    momentum: Annotated[float | None, _option(OPTIMIZER, "SGD's momentum.")] = None,
    weight_decay: Annotated[float | None, _option(OPTIMIZER, "Decay of the weight matrices.")] = None,
    schedule: Annotated[str | None, _option(OPTIMIZER, "cosine, linear, wsd or constant.")] = None,
    warmup: Annotated[int | None, _option(OPTIMIZER, "Steps over which the learning rate rises.")] = None,
    final_lr: Annotated[float | None, _option(OPTIMIZER, "The fraction of it left at the end.")] = None,
    decay: Annotated[float | None, _option(OPTIMIZER, "The share of the run over which wsd falls.")] = None,
    clip: Annotated[float | None, _option(OPTIMIZER, "Largest gradient norm; 0: any.")] = None,
    data: Annotated[
        str | None, _option(LOOP, "How rows are cut: windows, documents or streams (recurrent).")
    ] = None,
    steps: Annotated[int | None, _option(LOOP, "Updates of the weights.")] = None,
    batch_size: Annotated[int | None, _option(LOOP, "Rows of a step.")] = None,
    accumulation: Annotated[int | None, _option(LOOP, "Parts that a step is computed in.")] = None,
    evaluate_every: Annotated[int | None, _option(LOOP, "Steps between evaluations; 0: at the end.")] = None,
    save_every: Annotated[int | None, _option(LOOP, "Steps between checkpoints; 0: at the end.")] = None,
    keep: Annotated[int | None, _option(LOOP, "Checkpoints that stay.")] = None,
    average: Annotated[
        float | None, _option(LOOP, "Decay of a moving average of the weights, 0.999 say; 0: none.")
    ] = None,
    on_nonfinite: Annotated[
        str | None,
        _option(LOOP, "At an infinite or NaN loss: stop, or rollback past the data that led to it."),
    ] = None,
    device: Annotated[str, _option(DEVICE, "auto, cpu, cuda or mps.")] = "auto",
    dtype: Annotated[
        str | None,
        _option(DEVICE, "Of matrix products: float32, bfloat16, or auto, which measures [float32 on a CPU]."),
    ] = None,
    compiled: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Use torch.compile [on CUDA].", rich_help_panel=DEVICE),
    ] = None,
    shard: Annotated[
        bool,
        typer.Option(
            "--shard", help="Under torchrun, share the weights out (FSDP2).", rich_help_panel=DEVICE
        ),
    ] = False,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write TensorBoard's files too.", rich_help_panel=LOOP),
    ] = False,
    memory: Annotated[
        str | None, _option(MEMORY, "The most that the run may take, as 4GB; one that takes more is refused.")
    ] = None,
    recompute: Annotated[
        str | None, _option(MEMORY, "Keep less and compute it again: none, block or selective.")
    ] = None,
    recompute_every: Annotated[
        int | None, _option(MEMORY, "Blocks or time steps computed again at once; 0: what is best.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a language model on an encoded corpus.

    Ctrl-C saves a checkpoint first; the same command with --resume goes on from there.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    del given["as_json"]
    from dataclasses import asdict

    from nlpkit.lm import train_lm

    from ..output import print_fields, print_json, progress_bar

    console = _Console()
    try:
        with progress_bar() as progress:
            summary = train_lm(**given, describe=console.describe, progress=progress, log=console.log)
    except KeyboardInterrupt as interrupt:
        print(f"nlpkit: {interrupt}", file=sys.stderr)
        raise
    if os.environ.get("RANK", "0") != "0":  # of torchrun's processes the first one reports
        return
    if as_json:
        print_json({"run": str(out), **asdict(summary)})
    else:
        print_fields({"run": str(out), **asdict(summary)})


class _Console:
    """Says on stderr what is about to happen, and a step's figures now and then."""

    def __init__(self) -> None:
        self._printed = time.monotonic()
        self._peak_flops = 0.0

    def describe(self, size: "TrainingEstimate", placement: "Placement") -> None:
        """The model, the run and the device."""
        self._peak_flops = placement.peak_flops()
        model, precision = placement.model, placement.precision
        dtype = str(precision.dtype).removeprefix("torch.")
        sizes = ", ".join(f"{name} {value}" for name, value in vars(model.config).items())
        self._print(
            f"{type(model).__name__}: {sizes}\n"
            f"{size.parameters:,} parameters; {size.steps:,} steps of {size.tokens_per_step:,} tokens, "
            f"{size.epochs:.1f} epochs; about {size.memory_bytes / 1e9:.2f} GB of memory\n"
            f"{model.embedding.weight.device.type}, {dtype} ({precision.reason}); "
            f"large matrix products run at {self._peak_flops / 1e9:,.0f} GFLOP/s"
        )

    def log(self, record: Mapping[str, Any]) -> None:
        """A step's line, when the last one is some seconds old or there is news."""
        if "rolled_back" in record:
            self._print(f"{record['rolled_back']} Going on from step {record['step']} behind those data.")
            return
        evaluated = "validation_bits_per_byte" in record
        if not evaluated and time.monotonic() - self._printed < LOG_SECONDS:
            return
        self._printed = time.monotonic()
        held_out = f"  validation {record['validation_bits_per_byte']:.4f} bits/byte" if evaluated else ""
        self._print(
            f"step {record['step']:,}  loss {record['loss']:.4f}  "
            f"{record['tokens_per_second']:,.0f} tokens/s  "
            f"{record['flops_per_second'] / self._peak_flops:.0%} of the peak  "
            f"{record['peak_memory_bytes'] / 1e9:.2f} GB{held_out}"
        )

    @staticmethod
    def _print(text: str) -> None:
        erase = "\r\x1b[2K" if sys.stderr.isatty() else ""  # the progress line
        print(erase + text, file=sys.stderr, flush=True)
