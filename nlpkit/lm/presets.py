"""The options of a training run, and named sets of them."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypedDict, TypeVar, get_args

from nlpkit.errors import UsageError
from nlpkit.lm.config import Block, ModelConfig, RecurrentConfig, TransformerConfig
from nlpkit.training import LoopConfig, OptimizerConfig, RecomputeConfig, config_from, refuse_unknown
from nlpkit.training.schedules import Schedule

ModelName = Literal["transformer", "lstm", "gru", "rnn"]
DataMode = Literal["windows", "documents", "streams"]
"""How rows are cut from the tokens; see `nlpkit.training.positions`."""
Config = TypeVar("Config")


class LmOptions(TypedDict, total=False):
    """Everything about a run that has a default; what is not given comes from the preset.

    `data` is windows for Transformers and streams for recurrent models where the preset does not say.

    The keys' meanings stand at `TransformerConfig`, `RecurrentConfig`, `OptimizerConfig`, `LoopConfig` and
    `RecomputeConfig`.
    """

    model: ModelName
    data: DataMode
    batch_size: int
    context_length: int
    block: Block
    n_layer: int
    n_head: int
    n_kv_head: int
    n_embd: int
    n_hidden: int
    norm_eps: float
    rope_base: float
    dropout: float
    variational: bool
    word_dropout: float
    weight_dropout: float
    tied: bool
    softcap: float
    optimizer: Literal["adamw", "muon", "sgd"]
    lr: float
    muon_lr: float
    beta1: float
    beta2: float
    momentum: float
    weight_decay: float
    seed: int
    steps: int
    accumulation: int
    schedule: Schedule
    warmup: int
    final_lr: float
    decay: float
    clip: float
    evaluate_every: int
    save_every: int
    keep: int
    average: float
    on_nonfinite: Literal["stop", "rollback"]
    recompute: Literal["none", "block", "selective"]
    recompute_every: int


PRESETS: Mapping[str, LmOptions] = MappingProxyType(
    tomllib.loads(Path(__file__).with_name("presets.toml").read_text(encoding="utf-8"))
)
"""Named sets of options, with their sources in presets.toml."""

DEFAULT_PRESET = "demo"

FINE_TUNING_PRESET = "fine-tune"
"""The default where weights are given to begin with."""


@dataclass(frozen=True)
class TrainingPlan:
    """A run's options, sorted into the configs of what they concern."""

    model: ModelConfig
    loop: LoopConfig
    optimizer: OptimizerConfig
    recompute: RecomputeConfig
    batch_size: int
    data: DataMode

    def __post_init__(self) -> None:
        refuse_unknown([self.data], get_args(DataMode), "--data")
        if self.data == "streams" and isinstance(self.model, TransformerConfig):
            raise UsageError(
                "data streams carry a state from step to step, and a Transformer has none: use windows."
            )
        if self.recompute.recompute == "selective" and isinstance(self.model, RecurrentConfig):
            raise UsageError(
                "recompute selective keeps what attention gives, and a recurrent model has none: use block."
            )
        if self.batch_size < 1 or self.batch_size % self.loop.accumulation:
            raise UsageError(
                f"accumulation {self.loop.accumulation} does not divide batch_size {self.batch_size}: choose "
                "a batch size that is a multiple of it."
            )


def plan_training(
    preset: str | None, options: Mapping[str, Any], *, n_vocab: int, depth: int | None = None
) -> TrainingPlan:
    """The options of a preset, or those that follow from a depth, with the given ones on top.

    Raises:
        UsageError: an unknown preset or option (the closest is named), a value that cannot be, or both a
            preset and a depth.
    """
    if depth is not None and preset is not None:
        raise UsageError(f"--depth {depth} and --preset {preset} both say it all: leave one of them out.")
    preset = preset or DEFAULT_PRESET
    refuse_unknown([preset], PRESETS, "--preset")
    base = PRESETS[preset] if depth is None else depth_options(depth, options, n_vocab=n_vocab)
    chosen: dict[str, Any] = {**base, **options}
    model = chosen["model"]
    refuse_unknown([model], ["transformer", "lstm", "gru", "rnn"], "--model")
    kind: type[ModelConfig] = TransformerConfig if model == "transformer" else RecurrentConfig
    known = {"model", "data", "batch_size"}.union(
        *(_keys(config) for config in (kind, LoopConfig, OptimizerConfig, RecomputeConfig))
    )
    for key in options:
        if key not in known:
            raise UsageError(f"the option {key} does not apply to the model {model}.")
    values = {**chosen, "n_vocab": n_vocab, "cell": model}
    return TrainingPlan(
        model=_config(kind, values),
        loop=_config(LoopConfig, values),
        optimizer=_config(OptimizerConfig, values),
        recompute=_config(RecomputeConfig, values),
        batch_size=values["batch_size"],
        data=values.get("data") or ("windows" if model == "transformer" else "streams"),
    )


TOKENS_PER_PARAMETER = 12
"""Tokens to train on for each weight that multiplies, the output layer's among them (nanochat's default;
Hoffmann et al., 2022, say 20 of all parameters)."""

SMALL_WIDTH, SMALL_TOKENS, SMALL_BATCH = 128, 1_000_000, 2048
"""The run from which the depth's rules lead upwards: the preset demo's width, tokens, and tokens a step."""


def depth_options(depth: int, given: Mapping[str, Any], *, n_vocab: int) -> LmOptions:
    """Everything about a Transformer and its training from one number, its layers.

    The rules are nanochat's (Karpathy, 2025, scripts/base_train.py), anchored at the preset demo: width 64 ·
    depth; a budget of tokens in proportion to the weights; tokens a step by the budget to the power of 0.383
    (Bergsma et al., 2025, "Power Lines"); AdamW's rate by width^-0.5, Muon's the same for every width; weight
    decay by width^-2; a rate that stays and falls over the last 65 % to a twentieth. Depths of 2 to 6 are for
    a laptop: some 10 minutes to a day on two cores.

    Args:
        depth: the number of layers.
        given: options that will replace those given here; where the rules ask for a batch size, a context
            length or a number of steps, they take the given one.
        n_vocab: ids of the vocabulary.

    Raises:
        UsageError: the depth is below 1, or an option contradicts it.
    """
    if depth < 1:
        raise UsageError(f"--depth is {depth}: it must be at least 1.")
    for key in ("n_layer", "n_embd"):
        if key in given:
            raise UsageError(f"--depth {depth} sets {key}: leave one of the two options out.")
    if given.get("model", "transformer") != "transformer":
        raise UsageError(f"--depth makes a Transformer, not a model {given['model']}: choose a --preset.")
    width = 64 * depth
    budget = TOKENS_PER_PARAMETER * (12 * depth * width**2 + n_vocab * width)
    context = given.get("context_length", 256)
    step_tokens = SMALL_BATCH * (budget / SMALL_TOKENS) ** 0.383
    rows = given.get("batch_size", 2 ** max(0, round(math.log2(step_tokens / context))))
    steps = given.get("steps", max(1, round(budget / max(1, rows * context))))
    return LmOptions(
        model="transformer", context_length=context, batch_size=rows, n_layer=depth, n_head=depth,
        n_embd=width, optimizer="muon", lr=3e-3 * (SMALL_WIDTH / width) ** 0.5, muon_lr=0.02,
        weight_decay=0.1 * (SMALL_WIDTH / width) ** 2, schedule="wsd", decay=0.65, final_lr=0.05, steps=steps,
        warmup=min(40, steps // 10), evaluate_every=max(1, steps // 10), save_every=max(1, steps // 10),
    )  # fmt: skip


def plan_options(plan: TrainingPlan) -> dict[str, Any]:
    """A plan as options again, all of them that concern its model."""
    options = {
        **asdict(plan.model),
        **asdict(plan.loop),
        **asdict(plan.optimizer),
        **asdict(plan.recompute),
        "batch_size": plan.batch_size,
        "data": plan.data,
    }
    del options["n_vocab"]
    return {**options, "model": options.pop("cell", "transformer")}


def _keys(config: type) -> set[str]:
    return {field.name for field in fields(config)}


def _config(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """A config of the values that concern it."""
    keys = _keys(kind)
    return config_from(
        kind, {key: value for key, value in values.items() if key in keys}, "the training options"
    )
