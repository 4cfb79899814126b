"""The language-model task of the training loop: rows of tokens in, the mean loss out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nlpkit.lm.evaluate import evaluate_model
from nlpkit.lm.model import LanguageModel
from nlpkit.lm.presets import TrainingPlan
from nlpkit.lm.recurrent import RecurrentLM, detached
from nlpkit.text.shards import TokenShards
from nlpkit.training import Streams, Windows, build_optimizers, read_rows

Batch = tuple[Tensor, slice, bool]
"""Ids (rows, context + 1), which rows of the step they are, and whether the state begins anew."""


class LanguageModelTask:
    """Trains `model` on windows (Transformer) or on streams with carried state (recurrent models)."""

    def __init__(
        self,
        model: LanguageModel,
        plan: TrainingPlan,
        train: TokenShards,
        validation: TokenShards | None,
        document_end: int | None,
    ) -> None:
        self.model = model
        self.module: nn.Module = model
        self.optimizers: Mapping[str, Sequence[Optimizer]] = {
            "model": build_optimizers(model, plan.optimizer, model.matrices())
        }
        self.step_size = ("tokens", plan.batch_size * plan.model.context_length)
        self._train, self._validation, self._document_end = train, validation, document_end
        self._rows = plan.batch_size
        self._carried: tuple[Tensor, ...] = ()
        length = plan.model.context_length
        self._positions: Streams | Windows
        if isinstance(model, RecurrentLM):
            self._positions = Streams(len(train), length, plan.batch_size)
            self._carried = model.initial_state(plan.batch_size)
        else:
            self._positions = Windows(len(train), length, plan.batch_size, plan.loop.seed)

    def batch(self, step: int, part: int, parts: int) -> Batch:
        """The `part`-th of `parts` equal parts of a step's rows."""
        share = self._rows // parts
        rows = slice(part * share, (part + 1) * share)
        positions = self._positions
        ids = read_rows(self._train, positions.starts(step)[rows], positions.context_length + 1)
        device = self.model.embedding.weight.device
        return torch.from_numpy(ids).to(device), rows, positions.begins_anew(step)

    def losses(self, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """The mean negative log-likelihood of the rows' tokens; the rows' state moves on."""
        ids, rows, anew = batch
        self.model.train()
        if isinstance(self.model, RecurrentLM):
            state = None if anew else tuple(part[:, rows].clone() for part in self._carried)
            nll, after = self.model(ids[:, :-1], state, ids[:, 1:])
            for whole, part in zip(self._carried, detached(after), strict=True):
                whole[:, rows] = part
        else:
            nll, _ = self.model(ids[:, :-1], targets=ids[:, 1:])
        return {"model": nll.sum() / nll.numel()}  # a sum: see the head's backward pass

    def state(self) -> Mapping[str, Tensor]:
        """A recurrent model's state after the last step's rows."""
        return {f"state.{index}": part for index, part in enumerate(self._carried)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        device = self.model.embedding.weight.device
        self._carried = tuple(state[f"state.{index}"].to(device) for index in range(len(state)))

    def evaluate(self) -> Mapping[str, float]:
        """Nats per token and bits per byte of the whole validation split; empty without one."""
        if self._validation is None:
            return {}
        result = evaluate_model(self.model, self._validation, document_end=self._document_end)
        return {
            "validation_nats_per_token": result.nats_per_token,
            "validation_bits_per_byte": result.bits_per_byte,
        }
