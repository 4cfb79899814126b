"""What can be chosen about word2vec, and what is refused."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from nlpkit.errors import UsageError

Architecture: TypeAlias = Literal["skipgram", "cbow", "cbow-sum"]
"""What predicts: each context alone, or the mean or the sum of a centre's contexts."""

Objective: TypeAlias = Literal["negative-sampling", "hierarchical-softmax"]
"""What is predicted: the centre against noise words, or its path in a Huffman tree."""

Negatives: TypeAlias = Literal["shared", "exact"]
"""Whether the contexts of a centre have negatives, and take a step, together or each for itself."""

DEFAULT_LR = {"skipgram": 0.025, "cbow": 0.05, "cbow-sum": 0.025}
"""The 2013 C code's; that for the sum is from its first version, which had no mean."""


@dataclass(frozen=True, slots=True)
class Word2VecOptions:
    """The hyper-parameters, as `config.json` records them.

    Defaults are those of the 2013 C code but for skip-gram as the architecture (its own advice for quality)
    and shared negatives (as good, and twice as fast).
    """

    dim: int = 100
    window: int = 5
    negative: int = 5
    epochs: int = 5
    lr: float | None = None
    sample: float = 1e-3
    min_count: int = 5
    architecture: Architecture = "skipgram"
    objective: Objective = "negative-sampling"
    negatives: Negatives = "shared"
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (
            ("dim", 1),
            ("window", 1),
            ("negative", 1),
            ("epochs", 1),
            ("min_count", 1),
            ("seed", 0),
        ):
            if not least <= getattr(self, name) < 2**31:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} must be at least {least}, not {getattr(self, name)}.")
        for name, choices in (
            ("architecture", get_args(Architecture)),
            ("objective", get_args(Objective)),
            ("negatives", get_args(Negatives)),
        ):
            if getattr(self, name) not in choices:
                listed = " or ".join(choices)
                raise UsageError(f"--{name} must be {listed}, not {getattr(self, name)!r}.")
        if not (math.isfinite(self.first_lr) and self.first_lr > 0):
            raise UsageError(f"--lr must be a number above 0, not {self.lr}.")
        if not (math.isfinite(self.sample) and self.sample >= 0):
            raise UsageError(f"--sample must be 0 (keep every word) or above, not {self.sample}.")

    @property
    def first_lr(self) -> float:
        """The learning rate at the start."""
        return DEFAULT_LR[self.architecture] if self.lr is None else self.lr
