"""`export_lm` and `import_lm`: Transformers to and from files of transformers, Hugging Face's library.

The gpt2 block is its `GPT2LMHeadModel`, the llama block its `LlamaForCausalLM` (`layouts.py`); the vocabulary
goes along as tokenizer.json, and the logits are equal. No architecture there is our modern block, or a
recurrent model; and of theirs whatever our two blocks do not have is refused by name, never left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import atomic_folder, read_json, write_json
from nlpkit.lm.config import ModelConfig, TransformerConfig
from nlpkit.lm.layouts import LAYOUTS, OUTPUT_LAYER, Layout
from nlpkit.lm.model import build_model, count_parameters
from nlpkit.lm.run import RunConfig, load_run, write_run_config
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.conversion import open_vocabulary
from nlpkit.training import config_from
from nlpkit.training.checkpoints import load_tensors, save_tensors

Tensors: TypeAlias = Mapping[str, Tensor]

WEIGHTS = "model.safetensors"
SHARDED_WEIGHTS = "model.safetensors.index.json"


def export_lm(run: Path, out: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's files, for `from_pretrained(out)`.

    Example:
        >>> export_lm(Path("runs/lm"), Path("hf"))  # doctest: +SKIP

    Args:
        run: a run folder.
        out: the folder to make.

    Raises:
        UsageError: transformers has no such architecture, or the vocabulary is no byte-level BPE.
        NlpkitError: the vocabulary cannot be said in a tokenizer.json; names what is in the way.
    """
    loaded = load_run(run)
    config, vocabulary = loaded.config.model, loaded.vocabulary
    layout, config = _layout_of(config, run)
    if not isinstance(vocabulary, Tokenizer):
        raise UsageError(
            f"{run} has a vocabulary of words, which AutoTokenizer does not know: train on BPE shards."
        )
    with atomic_folder(out) as folder:
        vocabulary.to_huggingface(folder)
        ends = {"bos_token_id": vocabulary.document_end, "eos_token_id": vocabulary.document_end}
        write_json(folder / "config.json", {**layout.write_config(config), **ends, "torch_dtype": "float32"})
        theirs = _to_theirs(layout, loaded.model.state_dict(), config)
        save_tensors(folder / WEIGHTS, dict(theirs))


def _layout_of(config: ModelConfig, run: Path) -> tuple[Layout, TransformerConfig]:
    """Where a model of ours fits."""
    blocks = {layout.block: layout for layout in LAYOUTS.values()}
    if not isinstance(config, TransformerConfig) or config.block not in blocks:
        kind = f"block {config.block}" if isinstance(config, TransformerConfig) else config.cell
        raise UsageError(
            f"{run} is a model of the kind {kind}, which transformers does not have: "
            "train one with --block gpt2 or --block llama to export it."
        )
    if config.softcap:
        raise UsageError(f"{run} bounds its logits (softcap {config.softcap}), which {config.block} has not.")
    return blocks[config.block], config


def _to_theirs(layout: Layout, ours: Tensors, config: TransformerConfig) -> Iterator[tuple[str, Tensor]]:
    for name, theirs in layout.tensor_names(config):
        tensor = _turned(layout, name, ours[name])
        parts = torch.split(tensor, layout.rows(name, config)) if len(theirs) > 1 else (tensor,)
        yield from zip(theirs, parts, strict=True)


def _turned(layout: Layout, name: str, tensor: Tensor) -> Tensor:
    """A tensor of our name as they hold it, or back."""
    return tensor.T if layout.transposed and name.startswith("blocks.") and tensor.dim() == 2 else tensor


# ====================
# Import
# ====================


@dataclass(frozen=True)
class ImportSummary:
    """What was imported."""

    architecture: str
    parameters: int
    n_vocab: int
    context_length: int
    rows_left_out: int
    """Rows of the embedding that stand for no token of the vocabulary."""


def import_lm(folder: Path, out: Path, *, vocabulary: Path | None = None) -> ImportSummary:
    """Make a run folder of a model of transformers: a GPT2LMHeadModel or LlamaForCausalLM in safetensors.

    The run can be evaluated, written with, exported, and trained on from (`train_lm(..., init=out)`). Its
    logits are those of transformers, in float32. Weights of the embedding behind the vocabulary's last id,
    which some models have to fill up their matrices, are left out.

    Example:
        >>> import_lm(Path("gpt2"), Path("runs/gpt2")).parameters  # doctest: +SKIP
        124439808

    Args:
        folder: with config.json, model.safetensors (or its parts and their index) and tokenizer.json.
        out: the run folder to make.
        vocabulary: in any form that `open_vocabulary` knows; by default what lies in `folder`.

    Raises:
        UsageError: a file is not there, or the model has what our blocks do not have; names it.
        CorruptFileError: a file is damaged.
        NlpkitError: the vocabulary needs what nlpkit does not do; names it.
    """
    source = folder / "config.json"
    fields = read_json(source)
    layout = _architecture(fields, source)
    values = layout.read_config(fields, str(source))
    tokens = open_vocabulary(folder if vocabulary is None else vocabulary).vocabulary
    n_vocab = values["n_vocab"]
    if tokens.n_vocab > n_vocab:
        raise UsageError(
            f"the vocabulary has {tokens.n_vocab} ids and the model of {folder} {n_vocab}: bring the "
            "vocabulary that it was trained with, by --vocabulary."
        )
    config = config_from(TransformerConfig, {**values, "n_vocab": tokens.n_vocab}, str(source))
    ours = _to_ours(layout, _read_weights(folder), config, folder)
    with atomic_folder(out) as run:
        tokens.save(run / "vocabulary")
        write_run_config(run, RunConfig(config, tokens.fingerprint))
        save_tensors(run / WEIGHTS, ours)
    return ImportSummary(
        architecture=layout.architecture,
        parameters=count_parameters(config),
        n_vocab=config.n_vocab,
        context_length=config.context_length,
        rows_left_out=n_vocab - tokens.n_vocab,
    )


def _architecture(fields: Mapping[str, Any], source: Path) -> Layout:
    named = fields.get("architectures") or ["no architecture"]
    if len(named) != 1 or named[0] not in LAYOUTS:
        raise UsageError(
            f"{source} names {', '.join(map(str, named))}: nlpkit imports {' and '.join(LAYOUTS)}."
        )
    return LAYOUTS[named[0]]


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder by their names, in float32."""
    files = [folder / WEIGHTS]
    if not files[0].is_file() and (folder / SHARDED_WEIGHTS).is_file():
        parts = read_json(folder / SHARDED_WEIGHTS).get("weight_map")
        if not isinstance(parts, dict):
            raise CorruptFileError(f"{folder / SHARDED_WEIGHTS} has no weight_map: restore it.")
        files = [folder / name for name in sorted(set(parts.values()))]
    if not files[0].is_file() and list(folder.glob("*.bin")):
        raise UsageError(
            f"{folder} holds its weights as a pickle, which can run programs: save them as safetensors, by "
            "transformers' save_pretrained."
        )
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= {name: tensor.float() for name, tensor in load_tensors(file).items()}
    return tensors


def _to_ours(
    layout: Layout, theirs: dict[str, Tensor], config: TransformerConfig, folder: Path
) -> dict[str, Tensor]:
    """The tensors of our model, made of all of theirs.

    Raises:
        UsageError: there are tensors that our block does not have, or a tied output layer that differs.
        CorruptFileError: a tensor is missing or has another shape than config.json says.
    """
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in build_model(config).state_dict().items()}
    left = {name: tensor for name, tensor in theirs.items() if not layout.is_buffer(name)}
    left = {_full_name(layout, name): tensor for name, tensor in left.items()}
    if config.tied:
        _check_tied(left, layout, folder)
    ours = {}
    for name, parts in layout.tensor_names(config):
        tensor = _turned(layout, name, _joined([_take(left, part, folder) for part in parts]))
        if name in ("embedding.weight", "head.weight"):
            tensor = tensor[: config.n_vocab]
        if tensor.shape != shapes[name]:
            raise CorruptFileError(
                f"{folder} holds {' and '.join(parts)} in the shape {tuple(tensor.shape)} where config.json "
                f"asks for {tuple(shapes[name])}: bring files that belong together."
            )
        ours[name] = tensor
    if left:
        raise UsageError(
            f"{folder} holds {len(left)} tensors that the {layout.block} block does not have, such as "
            f"{min(left)}: such a model cannot be imported."
        )
    return ours


def _full_name(layout: Layout, name: str) -> str:
    """With the prefix, which files of the bare model lack."""
    return name if name == OUTPUT_LAYER or name.startswith(layout.prefix) else layout.prefix + name


def _check_tied(left: dict[str, Tensor], layout: Layout, folder: Path) -> None:
    """Drop an output layer that repeats the embedding."""
    output = left.pop(OUTPUT_LAYER, None)
    embedding = left.get(layout.prefix + layout.names["embedding.weight"][0])
    if output is not None and embedding is not None and not torch.equal(output, embedding):
        raise UsageError(
            f"{folder} holds an {OUTPUT_LAYER} of its own, but config.json ties it to the embedding: set "
            "tie_word_embeddings to false there if the model was trained so."
        )


def _take(left: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in left:
        raise CorruptFileError(f"{folder} lacks the tensor {name}: bring all files of the model.")
    return left.pop(name)


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts) if len(parts) > 1 else parts[0]
