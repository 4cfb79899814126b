"""Two architectures of Hugging Face's transformers, as tables for both directions.

`gpt2` (GPT2LMHeadModel) is our gpt2 block and `llama` (LlamaForCausalLM) our llama block. A layout says under
which names a model's tensors lie in a file, and what of config.json means which of our config's fields, what
must have one value because nothing else can be said here, and what changes nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nlpkit.errors import UsageError
from nlpkit.lm.config import TransformerConfig

Names = Mapping[str, tuple[str, ...]]
"""Our name of a tensor -> theirs; of several the rows lie one below the other in ours. {} is a layer."""


@dataclass(frozen=True)
class Layout:
    """How transformers keeps one of our blocks."""

    block: Literal["gpt2", "llama"]
    architecture: str
    prefix: str
    """Before all names but the output layer's; files of the bare model lack it."""
    names: Names
    transposed: bool
    """Whether the blocks' matrices are (inputs, outputs), as in GPT-2's Conv1D."""
    buffers: str
    """A pattern of names that hold no weights and can be left out."""
    fixed: Mapping[str, tuple[Any, ...]]
    """Keys of config.json with the values that our block has; the first one is written."""
    to_fields: Callable[[TransformerConfig], dict[str, Any]]
    """The other keys, from our config."""
    to_config: Callable[[Mapping[str, Any]], dict[str, Any]]
    """Our config's fields, from all keys."""

    def tensor_names(self, config: TransformerConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Our name and theirs of every tensor of a model."""
        for ours, theirs in self.names.items():
            for layer in range(config.n_layer if "{}" in ours else 1):
                yield ours.format(layer), tuple(self.prefix + name.format(layer) for name in theirs)
        if not config.tied:
            yield "head.weight", (OUTPUT_LAYER,)

    def is_buffer(self, name: str) -> bool:
        """Whether a tensor of a file holds no weights."""
        return re.fullmatch(self.buffers, name) is not None

    def rows(self, ours: str, config: TransformerConfig) -> list[int]:
        """The rows of each of their tensors in one of ours that is made of several."""
        if ".attention." in ours:
            shared = config.kv_heads * config.head_width
            return [config.n_embd, shared, shared]
        return [config.hidden_width, config.hidden_width]

    def read_config(self, fields: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Our config's fields of a config.json.

        Raises:
            UsageError: it says what our block does not have, or lacks a key.
        """
        for key, values in self.fixed.items():
            if key in fields and fields[key] not in values:
                raise UsageError(
                    f"{source} has {key} = {fields[key]!r}, which the {self.block} block does not have "
                    f"(it has {values[0]!r}): such a model cannot be imported."
                )
        try:
            return {"block": self.block, **self.to_config(fields)}
        except KeyError as error:
            raise UsageError(f"{source} lacks the key {error.args[0]}: bring a whole config.json.") from error

    def write_config(self, config: TransformerConfig) -> dict[str, Any]:
        """The config.json of a model of ours."""
        fixed = {key: values[0] for key, values in self.fixed.items()}
        return {"architectures": [self.architecture], **fixed, **self.to_fields(config)}


OUTPUT_LAYER = "lm_head.weight"
"""In both layouts, where it is not tied to the embedding."""


def _gpt2_fields(config: TransformerConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.n_vocab,
        "n_positions": config.context_length,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": config.hidden_width,
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "tie_word_embeddings": config.tied,
    }


def _gpt2_config(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "n_vocab": fields["vocab_size"],
        "context_length": fields["n_positions"],
        "n_embd": fields["n_embd"],
        "n_layer": fields["n_layer"],
        "n_head": fields["n_head"],
        "n_hidden": fields.get("n_inner") or 0,
        "norm_eps": fields.get("layer_norm_epsilon", 1e-5),
        "dropout": fields.get("resid_pdrop", 0.1),
        "tied": fields.get("tie_word_embeddings", True),
    }


def _llama_fields(config: TransformerConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.n_vocab,
        "max_position_embeddings": config.context_length,
        "hidden_size": config.n_embd,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": config.tied,
    }


def _llama_config(fields: Mapping[str, Any]) -> dict[str, Any]:
    heads, width = fields["num_attention_heads"], fields["hidden_size"]
    if fields.get("head_dim") not in (None, width // heads):
        raise UsageError(
            f"the model's heads have a width of {fields['head_dim']}, not hidden_size / num_attention_heads "
            f"= {width // heads}, which the llama block does not have: such a model cannot be imported."
        )
    return {
        "n_vocab": fields["vocab_size"],
        "context_length": fields["max_position_embeddings"],
        "n_embd": width,
        "n_layer": fields["num_hidden_layers"],
        "n_head": heads,
        "n_kv_head": fields.get("num_key_value_heads") or heads,
        "n_hidden": fields["intermediate_size"],
        "norm_eps": fields.get("rms_norm_eps", 1e-6),
        "rope_base": _rope_base(fields),
        "tied": fields.get("tie_word_embeddings", False),
    }


def _rope_base(fields: Mapping[str, Any]) -> float:
    """Of `rope_theta`, or of `rope_parameters` as transformers 5 writes it; scaled positions are refused."""
    scaling = fields.get("rope_scaling") or fields.get("rope_parameters") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind != "default":
        raise UsageError(
            f"the model scales its rotary positions ({kind}), which the llama block does not do: such a "
            "model cannot be imported."
        )
    return float(scaling.get("rope_theta", fields.get("rope_theta", 10_000.0)))


GPT2 = Layout(
    block="gpt2",
    architecture="GPT2LMHeadModel",
    prefix="transformer.",
    names={
        "embedding.weight": ("wte.weight",),
        "positions.weight": ("wpe.weight",),
        **{
            f"{ours}.{kind}": (f"{theirs}.{kind}",)
            for ours, theirs in {
                "blocks.{}.attention_norm": "h.{}.ln_1",
                "blocks.{}.attention.qkv": "h.{}.attn.c_attn",
                "blocks.{}.attention.projection": "h.{}.attn.c_proj",
                "blocks.{}.feed_forward_norm": "h.{}.ln_2",
                "blocks.{}.feed_forward.expansion": "h.{}.mlp.c_fc",
                "blocks.{}.feed_forward.projection": "h.{}.mlp.c_proj",
                "norm": "ln_f",
            }.items()
            for kind in ("weight", "bias")
        },
    },
    transposed=True,
    buffers=r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)",  # the causal mask, in OpenAI's files
    fixed={
        "model_type": ("gpt2",),
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of the tanh form
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    to_fields=_gpt2_fields,
    to_config=_gpt2_config,
)

LLAMA = Layout(
    block="llama",
    architecture="LlamaForCausalLM",
    prefix="model.",
    names={
        "embedding.weight": ("embed_tokens.weight",),
        "blocks.{}.attention_norm.weight": ("layers.{}.input_layernorm.weight",),
        "blocks.{}.attention.qkv.weight": (
            "layers.{}.self_attn.q_proj.weight",
            "layers.{}.self_attn.k_proj.weight",
            "layers.{}.self_attn.v_proj.weight",
        ),
        "blocks.{}.attention.projection.weight": ("layers.{}.self_attn.o_proj.weight",),
        "blocks.{}.feed_forward_norm.weight": ("layers.{}.post_attention_layernorm.weight",),
        "blocks.{}.feed_forward.expansion.weight": (
            "layers.{}.mlp.gate_proj.weight",
            "layers.{}.mlp.up_proj.weight",
        ),
        "blocks.{}.feed_forward.projection.weight": ("layers.{}.mlp.down_proj.weight",),
        "norm.weight": ("norm.weight",),
    },
    transposed=False,
    buffers=r"(model\.)?layers\.\d+\.self_attn\.rotary_emb\.inv_freq",  # in files of older versions
    fixed={
        "model_type": ("llama",),
        "hidden_act": ("silu",),
        "attention_bias": (False,),
        "mlp_bias": (False,),
    },
    to_fields=_llama_fields,
    to_config=_llama_config,
)

LAYOUTS = {layout.architecture: layout for layout in (GPT2, LLAMA)}
