"""An exponential moving average of the weights, which evaluates better than the last weights do.

Polyak and Juditsky (1992) averaged all of a run's weights; the exponential form forgets its beginning.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nlpkit.training.processes import placed_like, whole


class WeightAverage:
    """average = decay · average + (1 - decay) · weights after each step, beginning with the first weights.

    Args:
        module: whose parameters are averaged; buffers are not.
        decay: in (0, 1); some 1 / (1 - decay) steps are remembered.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._parameters = dict(module.named_parameters())
        self._averages = {name: value.detach().clone() for name, value in self._parameters.items()}
        self._decay = decay

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        torch._foreach_lerp_(list(self._averages.values()), list(self._parameters.values()), 1 - self._decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the block runs, the module has the averages as its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self._averages[name])
            self._averages[name] = kept

    def state(self) -> dict[str, Tensor]:
        """The whole averages by the names of the parameters; every process calls it."""
        return {name: whole(value) for name, value in self._averages.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        self._averages = {
            name: placed_like(state[name], parameter) for name, parameter in self._parameters.items()
        }
