"""A language model of any kind from its config."""

from dataclasses import asdict
from typing import Any, TypeAlias

import torch

from nlpkit.errors import CorruptFileError
from nlpkit.lm.config import ModelConfig, RecurrentConfig, TransformerConfig
from nlpkit.lm.recurrent import RecurrentLM
from nlpkit.lm.transformer import Transformer
from nlpkit.training import config_from

LanguageModel: TypeAlias = Transformer | RecurrentLM
"""Every one has `forward(ids, state=None, targets=None)`, `initial_state(batch_size)` and `matrices()`."""

KINDS = {"transformer": TransformerConfig, "recurrent": RecurrentConfig}


def build_model(config: ModelConfig) -> LanguageModel:
    """A model with fresh weights, drawn from torch's global generator."""
    return Transformer(config) if isinstance(config, TransformerConfig) else RecurrentLM(config)


def model_fields(config: ModelConfig) -> dict[str, Any]:
    """A model config as config.json holds it."""
    kind = "transformer" if isinstance(config, TransformerConfig) else "recurrent"
    return {"kind": kind, **asdict(config)}


def model_from_fields(fields: dict[str, Any], source: str) -> ModelConfig:
    """The model config of a config.json.

    Raises:
        CorruptFileError: the kind is unknown.
        UsageError: a key is unknown or missing, or has a value that it cannot have.
    """
    fields = dict(fields)
    kind = KINDS.get(fields.pop("kind", None))
    if kind is None:
        raise CorruptFileError(
            f"{source} names no kind of model that this nlpkit knows ({', '.join(KINDS)})."
        )
    return config_from(kind, fields, source)


def count_parameters(config: ModelConfig) -> int:
    """How many numbers training moves; no weights are made or drawn."""
    with torch.device("meta"):
        model = build_model(config)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def step_flops(model: LanguageModel, tokens: int) -> float:
    """Floating-point operations of a training step on `tokens` tokens, forward and backward.

    Six for each weight that multiplies (two forward, four backward) and token, and 12 · layers · width ·
    context for attention's products, as Chowdhery et al. (2022, PaLM, appendix B) count them; what is
    computed again for want of memory does not count.
    """
    config = model.config
    weights = sum(parameter.numel() for parameter, _ in model.matrices()) + model.embedding.weight.numel()
    attention = 0
    if isinstance(config, TransformerConfig):
        attention = 12 * config.n_layer * config.n_embd * config.context_length
    return float(tokens) * (6 * weights + attention)
