"""The options of a training run, and named sets of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
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
    {
        # nanoGPT's README configuration for a laptop: 0.8 M parameters, 2000 x 768 characters, but for the
        # block, the optimizer and their rates (nanoGPT: the gpt2 block, AdamW at 1e-3).
        "char-cpu": LmOptions(
            model="transformer", context_length=64, batch_size=12, n_layer=4, n_head=4, n_embd=128,
            optimizer="muon", lr=3e-3, muon_lr=0.02, weight_decay=0.0, steps=2000, warmup=100,
            evaluate_every=500, save_every=500,
        ),
        # The same budget for a recurrent model of the same size.
        "char-lstm": LmOptions(
            model="lstm", context_length=64, batch_size=12, n_layer=2, n_embd=232, lr=3e-3, weight_decay=0.0,
            steps=2000, warmup=100, evaluate_every=500, save_every=500,
        ),
        # The "small" LSTM of Zaremba et al. (2014) on Penn Treebank for their 13 epochs; with tied weights
        # and a straight line for the learning rate in place of their halvings.
        "ptb-small": LmOptions(
            model="lstm", context_length=20, batch_size=20, n_layer=2, n_embd=200, optimizer="sgd", lr=20.0,
            weight_decay=0.0, clip=0.25, schedule="linear", steps=30_000, evaluate_every=2_500,
            save_every=2_500,
        ),
        # AWD-LSTM (Merity et al., 2018): their sizes, dropout and SGD; without the switch to averaged SGD,
        # the activation penalties and windows of random length, and with one rate for their three of dropout.
        "awd-lstm": LmOptions(
            model="lstm", context_length=70, batch_size=80, n_layer=3, n_embd=400, n_hidden=1150, dropout=0.4,
            variational=True, word_dropout=0.1, weight_dropout=0.5, optimizer="sgd", lr=30.0,
            weight_decay=1.2e-6, clip=0.25, schedule="constant", steps=280_000, evaluate_every=3_700,
            save_every=3_700,
        ),
        # What `make demo` trains on two megabytes of text and a BPE vocabulary of about 4,000: in two minutes
        # on two cores a small model that sees each token twice beats a larger one that sees it once.
        "demo": LmOptions(
            model="transformer", context_length=256, batch_size=8, n_layer=4, n_head=4, n_embd=128,
            optimizer="muon", lr=3e-3, muon_lr=0.02, weight_decay=0.1, steps=500, warmup=25,
            evaluate_every=125, save_every=125,
        ),
    }
)  # fmt: skip


DEFAULT_PRESET = "demo"


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


def plan_training(preset: str, options: Mapping[str, Any], *, n_vocab: int) -> TrainingPlan:
    """The preset's options with the given ones on top.

    Raises:
        UsageError: an unknown preset or option (the closest is named), or a value that cannot be.
    """
    refuse_unknown([preset], PRESETS, "--preset")
    chosen: dict[str, Any] = {**PRESETS[preset], **options}
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
