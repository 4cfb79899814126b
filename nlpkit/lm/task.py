"""The language-model task of the training loop: rows of tokens in, the mean loss out."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nlpkit.lm.evaluate import evaluate_model
from nlpkit.lm.model import LanguageModel, step_flops
from nlpkit.lm.presets import TrainingPlan
from nlpkit.lm.recurrent import RecurrentLM, detached
from nlpkit.text.shards import TokenShards
from nlpkit.training import Documents, Positions, Streams, Windows, build_optimizers, read_rows
from nlpkit.training.processes import ALONE, Processes


@dataclass(frozen=True)
class Batch:
    """A part of a step's rows."""

    inputs: Tensor
    """(rows, context)."""
    targets: Tensor
    """(rows, context); NO_TARGET behind a row's end."""
    rows: slice
    """Which rows of the step they are."""
    anew: bool
    """Whether the state begins anew."""
    mean_targets: float
    """Targets of the step over its number of parts: what a part's loss is divided by."""


class LanguageModelTask:
    """Trains `model` on windows, documents or streams; a recurrent model carries its state along streams.

    Args:
        model: on the device where it is trained.
        plan: the run's options.
        train: the split to train on.
        validation: the split to evaluate on, where there is one.
        document_end: the token that ends documents, where there is one.
        dtype: of the matrix products.
        network: what to call in place of `model` where several processes share the work; see `spread`.
        processes: these.
    """

    def __init__(
        self,
        model: LanguageModel,
        plan: TrainingPlan,
        train: TokenShards,
        validation: TokenShards | None,
        document_end: int | None,
        *,
        dtype: torch.dtype = torch.float32,
        network: nn.Module | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.model = model
        self.module: nn.Module = model
        self.optimizers: Mapping[str, Sequence[Optimizer]] = {
            "model": build_optimizers(model, plan.optimizer, model.matrices(), dtype=dtype)
        }
        tokens = plan.batch_size * plan.model.context_length
        self.step_work: Mapping[str, float] = {"tokens": tokens, "flops": step_flops(model, tokens)}
        self._train, self._validation, self._document_end = train, validation, document_end
        self._rows, self._dtype, self._processes = plan.batch_size, dtype, processes
        self._parts = plan.loop.accumulation * processes.count
        self._network = model if network is None else network
        self._positions = _positions(plan, train, document_end)
        self._carried: tuple[Tensor, ...] = ()
        if isinstance(model, RecurrentLM) and plan.data == "streams":
            self._carried = model.initial_state(plan.batch_size)

    def batch(self, step: int, part: int, parts: int) -> Batch:
        """The `part`-th of `parts` equal parts of a step's rows."""
        share = self._rows // parts
        rows = slice(part * share, (part + 1) * share)
        positions = self._positions
        starts, lengths = positions.starts(step), positions.lengths(step)
        ids = read_rows(self._train, starts[rows], lengths[rows], positions.context_length)
        device = self.model.embedding.weight.device
        inputs, targets = (torch.from_numpy(part).to(device) for part in ids)
        return Batch(inputs, targets, rows, positions.begins_anew(step), float(lengths.sum()) / parts)

    def describe(self, step: int) -> str:
        """The documents that a step reads."""
        starts, lengths = self._positions.starts(step), self._positions.lengths(step)
        offsets = self._train.document_offsets
        found: set[int] = set()
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            first, last = np.searchsorted(offsets, [start, start + length], side="right") - 1
            found.update(range(int(first), min(int(last), len(offsets) - 2) + 1))
        return f"documents {_ranges(sorted(found))} of {self._train.folder}"

    def losses(self, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """The mean negative log-likelihood of the rows' tokens; the rows' state moves on."""
        if not self.model.training:
            self._network.train()
        state = None
        if self._carried and not batch.anew:
            state = tuple(part[:, batch.rows].clone() for part in self._carried)
        with self._products():
            nll, after = self._network(batch.inputs, state, batch.targets)
        for whole, part in zip(self._carried, detached(after) if self._carried else (), strict=True):
            whole[:, batch.rows] = part
        return {"model": nll.sum() / batch.mean_targets}  # a sum: see the head's backward pass

    def _products(self) -> AbstractContextManager[Any]:
        """Matrix products in the chosen dtype."""
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.model.embedding.weight.device.type, self._dtype)

    def state(self) -> Mapping[str, Tensor]:
        """A recurrent model's state after the last step's rows; zeros for other processes' rows."""
        rank, count = self._processes.rank, self._processes.count
        if count == 1:
            return {f"state.{index}": part for index, part in enumerate(self._carried)}
        own = torch.zeros(self._rows, 1)
        for rows in own.chunk(self._parts)[rank::count]:
            rows.fill_(1)
        return {f"state.{index}": part * own.to(part.device) for index, part in enumerate(self._carried)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        device = self.model.embedding.weight.device
        self._carried = tuple(state[f"state.{index}"].to(device) for index in range(len(state)))

    def evaluate(self) -> Mapping[str, float]:
        """Nats per token and bits per byte of the whole validation split; empty without one."""
        if self._validation is None:
            return {}
        with self._products():
            result = evaluate_model(self.model, self._validation, document_end=self._document_end)
        return {
            "validation_nats_per_token": result.nats_per_token,
            "validation_bits_per_byte": result.bits_per_byte,
        }


def _positions(plan: TrainingPlan, train: TokenShards, document_end: int | None) -> Positions:
    """Where the rows of the plan's steps begin."""
    length, rows, seed = plan.model.context_length, plan.batch_size, plan.loop.seed
    if plan.data == "streams":
        return Streams(len(train), length, rows)
    if plan.data == "documents":
        return Documents(train.document_offsets, length, rows, seed, end_before=document_end is not None)
    return Windows(len(train), length, rows, seed)


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in words, "1, 3 to 5" say."""
    words: list[str] = []
    begin = 0
    for index, number in enumerate(numbers):
        if index + 1 == len(numbers) or numbers[index + 1] != number + 1:
            words.append(f"{numbers[begin]} to {number}" if begin < index else f"{number}")
            begin = index + 1
    return ", ".join(words)
