"""What can be chosen about training word vectors, and what is refused."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from nlpkit.errors import UsageError

Architecture: TypeAlias = Literal["skipgram", "cbow", "cbow-sum"]
"""What predicts: each context alone, or the mean or the sum of a centre's contexts."""

Objective: TypeAlias = Literal["negative-sampling", "hierarchical-softmax"]
"""What is predicted: the centre against noise words, or its path in a Huffman tree."""

Negatives: TypeAlias = Literal["shared", "exact"]
"""Whether the contexts of a centre have negatives, and take a step, together or each for itself."""

SampledObjective: TypeAlias = Literal["negative-sampling", "nce", "sampled-softmax", "infonce"]
"""The losses of `nlpkit.losses` that torch trains by."""

DEFAULT_LR = {"skipgram": 0.025, "cbow": 0.05, "cbow-sum": 0.025}
"""The 2013 C code's; that for the sum is from its first version, which had no mean."""

NEGATIVE = 5
"""Noise words for each prediction, the 2013 C code's default."""

NOISE_WORDS = 512
"""The most noise words for a batch of the torch path unless told otherwise."""

TEMPERATURE = 0.1
"""Of InfoNCE: the lower end of what SimCLR uses, 0.1 to 0.5 (arXiv 2002.05709)."""


@dataclass(frozen=True, slots=True)
class Word2VecOptions:
    """The hyper-parameters of `train_word2vec`, as `config.json` records them.

    Defaults are those of the 2013 C code but for skip-gram as the architecture (its own advice for quality)
    and shared negatives (as good, and twice as fast).
    """

    dim: int = 100
    window: int = 5
    negative: int | None = None
    epochs: int = 5
    lr: float | None = None
    sample: float = 1e-3
    min_count: int = 5
    architecture: Architecture = "skipgram"
    objective: Objective = "negative-sampling"
    negatives: Negatives = "shared"
    patience: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("dim", "window", "epochs", "min_count"):
            _check_at_least(1, name, getattr(self, name))
        for name in ("patience", "seed"):
            _check_at_least(0, name, getattr(self, name))
        _check_choice("architecture", self.architecture, get_args(Architecture))
        _check_choice("objective", self.objective, get_args(Objective))
        _check_choice("negatives", self.negatives, get_args(Negatives))
        if self.negative is not None:
            least = 1 if self.objective == "negative-sampling" else 0
            _check_at_least(least, "negative", self.negative)
            if self.negative > 0 and least == 0:
                raise UsageError(f"--negative is for negative sampling: leave it out with {self.objective}.")
        _check_sample(self.sample)
        _check_above_zero("lr", self.first_lr)

    @property
    def first_lr(self) -> float:
        """The learning rate at the start."""
        return DEFAULT_LR[self.architecture] if self.lr is None else self.lr

    def noise_words(self, words: int) -> int:
        """How many noise words each prediction is scored against, however many there are."""
        if self.objective == "hierarchical-softmax":
            return 0
        return NEGATIVE if self.negative is None else self.negative

    def resolved(self) -> "Word2VecOptions":
        """With the defaults that depend on other options filled in."""
        return replace(self, lr=self.first_lr, negative=self.noise_words(0))


@dataclass(frozen=True, slots=True)
class SampledOptions:
    """The hyper-parameters of `train_sampled_vectors`, as `config.json` records them."""

    objective: SampledObjective = "nce"
    dim: int = 100
    window: int = 5
    negative: int | None = None
    epochs: int = 5
    lr: float = 0.2
    sample: float = 1e-3
    min_count: int = 5
    architecture: Architecture = "skipgram"
    temperature: float | None = None
    batch: int = 1024
    patience: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("dim", "window", "epochs", "min_count", "batch"):
            _check_at_least(1, name, getattr(self, name))
        for name in ("patience", "seed"):
            _check_at_least(0, name, getattr(self, name))
        if self.negative is not None:
            _check_at_least(1, "negative", self.negative)
        _check_choice("objective", self.objective, get_args(SampledObjective))
        _check_choice("architecture", self.architecture, get_args(Architecture))
        _check_sample(self.sample)
        _check_above_zero("lr", self.lr)
        _check_above_zero("temperature", self.divisor)
        if self.temperature is not None and self.objective != "infonce":
            raise UsageError(f"--temperature is for --objective infonce: leave it out with {self.objective}.")

    @property
    def first_lr(self) -> float:
        """The learning rate at the start."""
        return self.lr

    def noise_words(self, words: int) -> int:
        """How many to draw: as asked for, else 5 a centre, or for a batch half the words, 512 at most."""
        if self.negative is not None:
            return self.negative
        return NEGATIVE if self.objective == "negative-sampling" else max(1, min(NOISE_WORDS, words // 2))

    @property
    def divisor(self) -> float:
        """What InfoNCE divides cosines by."""
        return TEMPERATURE if self.temperature is None else self.temperature


def _check_at_least(least: int, name: str, value: int) -> None:
    if not least <= value < 2**31:
        raise UsageError(f"--{name.replace('_', '-')} must be at least {least}, not {value}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"--{name} must be {' or '.join(choices)}, not {value!r}.")


def _check_sample(sample: float) -> None:
    if not (math.isfinite(sample) and sample >= 0):
        raise UsageError(f"--sample must be 0 (keep every word) or above, not {sample}.")


def _check_above_zero(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"--{name} must be a number above 0, not {value}.")
