"""`export_lm`: a trained Transformer as files that Hugging Face's transformers loads, with equal logits.

The gpt2 block becomes a `GPT2LMHeadModel`, the llama block a `LlamaForCausalLM`; the vocabulary goes along as
tokenizer.json. No architecture there is our modern block, or a recurrent model.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nlpkit.errors import UsageError
from nlpkit.files import atomic_file, atomic_folder, write_json
from nlpkit.lm.config import TransformerConfig
from nlpkit.lm.run import load_run
from nlpkit.tokenization import Tokenizer

Tensors: TypeAlias = Mapping[str, Tensor]


def export_lm(run: Path, out: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's files, for `from_pretrained(out)`.

    Example:
        >>> export_lm(Path("runs/lm"), Path("hf"))  # doctest: +SKIP

    Args:
        run: a folder that `train_lm` wrote.
        out: the folder to make.

    Raises:
        UsageError: transformers has no such architecture, or the vocabulary is no byte-level BPE.
        NlpkitError: the vocabulary cannot be said in a tokenizer.json; names what is in the way.
    """
    loaded = load_run(run)
    config, vocabulary = loaded.config.plan.model, loaded.vocabulary
    if not isinstance(config, TransformerConfig) or config.block not in _LAYOUTS:
        kind = f"block {config.block}" if isinstance(config, TransformerConfig) else config.cell
        raise UsageError(
            f"{run} is a model of the kind {kind}, which transformers does not have: "
            "train one with --block gpt2 or --block llama to export it."
        )
    if config.softcap:
        raise UsageError(f"{run} bounds its logits (softcap {config.softcap}), which {config.block} has not.")
    if not isinstance(vocabulary, Tokenizer):
        raise UsageError(
            f"{run} has a vocabulary of words, which AutoTokenizer does not know: train on BPE shards."
        )
    fields, rename = _LAYOUTS[config.block]
    with atomic_folder(out) as folder:
        vocabulary.to_huggingface(folder)
        ends = {"bos_token_id": vocabulary.document_end, "eos_token_id": vocabulary.document_end}
        write_json(folder / "config.json", {**fields(config), **ends, "torch_dtype": "float32"})
        _save(folder / "model.safetensors", rename(loaded.model.state_dict(), config))


def _save(path: Path, tensors: Tensors) -> None:
    from safetensors.torch import save_file

    with atomic_file(path) as temporary:
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, temporary, metadata={"format": "pt"})


def _gpt2_config(config: TransformerConfig) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.n_vocab,
        "n_positions": config.context_length,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": config.hidden_width,
        "activation_function": "gelu_new",  # the tanh form
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "tie_word_embeddings": config.tied,
    }


def _gpt2_tensors(ours: Tensors, config: TransformerConfig) -> dict[str, Tensor]:
    """GPT-2's names; its `Conv1D` holds a matrix as (inputs, outputs)."""
    parts = {
        "attention_norm": "ln_1", "attention.qkv": "attn.c_attn", "attention.projection": "attn.c_proj",
        "feed_forward_norm": "ln_2", "feed_forward.expansion": "mlp.c_fc",
        "feed_forward.projection": "mlp.c_proj",
    }  # fmt: skip
    theirs = {
        "transformer.wte.weight": ours["embedding.weight"],
        "transformer.wpe.weight": ours["positions.weight"],
        "transformer.ln_f.weight": ours["norm.weight"],
        "transformer.ln_f.bias": ours["norm.bias"],
    }
    for layer in range(config.n_layer):
        for own, name in parts.items():
            for kind in ("weight", "bias"):
                tensor = ours[f"blocks.{layer}.{own}.{kind}"]
                theirs[f"transformer.h.{layer}.{name}.{kind}"] = tensor.T if tensor.dim() == 2 else tensor
    return theirs | _untied(ours)


def _llama_config(config: TransformerConfig) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.n_vocab,
        "max_position_embeddings": config.context_length,
        "hidden_size": config.n_embd,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": config.tied,
    }


def _llama_tensors(ours: Tensors, config: TransformerConfig) -> dict[str, Tensor]:
    """Llama's names; queries, keys and values, gate and value are matrices of their own there."""
    width, shared = config.n_embd, config.kv_heads * config.head_width
    theirs = {"model.embed_tokens.weight": ours["embedding.weight"], "model.norm.weight": ours["norm.weight"]}
    for layer in range(config.n_layer):
        own, name = f"blocks.{layer}", f"model.layers.{layer}"
        queries, keys, values = torch.split(ours[f"{own}.attention.qkv.weight"], [width, shared, shared])
        gate, value = ours[f"{own}.feed_forward.expansion.weight"].chunk(2)
        theirs |= {
            f"{name}.input_layernorm.weight": ours[f"{own}.attention_norm.weight"],
            f"{name}.self_attn.q_proj.weight": queries,
            f"{name}.self_attn.k_proj.weight": keys,
            f"{name}.self_attn.v_proj.weight": values,
            f"{name}.self_attn.o_proj.weight": ours[f"{own}.attention.projection.weight"],
            f"{name}.post_attention_layernorm.weight": ours[f"{own}.feed_forward_norm.weight"],
            f"{name}.mlp.gate_proj.weight": gate,
            f"{name}.mlp.up_proj.weight": value,
            f"{name}.mlp.down_proj.weight": ours[f"{own}.feed_forward.projection.weight"],
        }
    return theirs | _untied(ours)


def _untied(ours: Tensors) -> dict[str, Tensor]:
    """The output layer's weights, where it has its own."""
    return {"lm_head.weight": ours["head.weight"]} if "head.weight" in ours else {}


ToConfig: TypeAlias = Callable[[TransformerConfig], dict[str, Any]]
ToTensors: TypeAlias = Callable[[Tensors, TransformerConfig], dict[str, Tensor]]
_LAYOUTS: dict[str, tuple[ToConfig, ToTensors]] = {
    "gpt2": (_gpt2_config, _gpt2_tensors),
    "llama": (_llama_config, _llama_tensors),
}
