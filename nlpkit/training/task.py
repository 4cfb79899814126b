"""What the training loop trains: anything that turns a step's data into losses."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer


class Task(Protocol):
    """A model, its optimizers, its data and its losses; the loop knows no more.

    The losses carry the names of the optimizers that they drive, so a GAN's two losses and a language
    model's one run on the same loop.
    """

    @property
    def module(self) -> nn.Module:
        """Everything that has weights to save."""

    @property
    def optimizers(self) -> Mapping[str, Sequence[Optimizer]]:
        """The optimizers by the name of the loss that they follow."""

    @property
    def step_work(self) -> Mapping[str, float]:
        """What a step takes, {"tokens": 4096, "flops": 6e9} say; for the speeds in the metrics."""

    def batch(self, step: int, part: int, parts: int) -> Any:
        """The data of the `part`-th of `parts` equal parts of a step; a function of the arguments alone."""

    def describe(self, step: int) -> str:
        """A step's data in words, "documents 3 and 17" say, for the message when they break the model."""

    def losses(self, batch: Any, step: int) -> Mapping[str, Tensor]:
        """The mean loss of a part under the name of the optimizers that it drives."""

    def state(self) -> Mapping[str, Tensor]:
        """What is carried from step to step besides weights and optimizer states.

        Where several processes share the work, each gives zeros for what the others carry.
        """

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""

    def evaluate(self) -> Mapping[str, float]:
        """Figures on held-out data, the one that decides which weights are best first (lower is better).

        Empty when nothing is held out.
        """
