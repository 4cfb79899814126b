"""InfoNCE: pick the partner out of the batch, of explicit negatives, or of a queue of earlier keys.

Scores are cosines divided by a temperature, in at least float32; the loss is a cross-entropy, through
logsumexp, whose denominator holds the positive. With `across_ranks`, the pairs of all ranks of a process
group are the batch (see `nlpkit.losses.gather`): a rank's loss is its share of the joint one, and the mean of
the shares is the loss of the joined batch.
"""

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses.gather import gather_rows, share_of_mean
from nlpkit.losses.moco_queue import MoCoQueue
from nlpkit.losses.mutual_information import MutualInformationEstimator
from nlpkit.losses.numerics import (
    at_least_float32,
    check_pairs,
    check_temperature,
    shape,
    unit_rows,
    without_autocast,
)

# CLIP (arXiv 2103.00020, section 2.5) keeps the factor on its cosines at or below 100.
LARGEST_LOGIT_SCALE = 100.0


def info_nce_loss(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor | None = None,
    *,
    temperature: Tensor | float = 0.07,
    in_batch: bool = True,
    symmetric: bool = False,
    across_ranks: bool = False,
) -> Tensor:
    """-log exp s(x, y) / sum_j exp s(x, y_j), s = cosine / temperature: CPC, arXiv 1807.03748, eq. 4.

    The sum holds the positive, the positives of the other pairs (`in_batch`) and the explicit negatives.

    Args:
        anchors: (B, D).
        positives: (B, D), row i paired with anchor i.
        negatives: (M, D) for all anchors, or (B, M, D) for each its own. They are used as given, also across
            ranks: gather them where the ranks' differ and all should count.
        temperature: 0.07 as in MoCo and as CLIP starts.
        in_batch: contrast with the other pairs' positives.
        symmetric: the mean with the roles of anchors and positives swapped, as in CLIP; the explicit
            negatives are the anchors' alone.
        across_ranks: the pairs of all ranks are the batch.

    Raises:
        UsageError: shapes that do not fit, an empty batch, a temperature that is not positive, nothing to
            contrast with (`in_batch` false and `negatives` None), or `symmetric` without `in_batch`.
    """
    check_temperature(temperature)
    loss, _ = _info_nce(anchors, positives, negatives, temperature, in_batch, symmetric, across_ranks)
    return loss


class InfoNCELoss(MutualInformationEstimator):
    """`info_nce_loss` with a temperature that may be learned, a queue, and the mutual information it shows.

    `mi_nats` = log N - loss for N candidates (positive included), a lower bound on the information between
    anchors and positives if the negatives are drawn like the positives. It cannot pass log N (arXiv
    1905.06922): from 95 % of that on, reading it warns.

    Args:
        temperature: 0.07 as in MoCo, and as CLIP starts.
        learn_temperature: learn the logarithm of 1 / temperature, kept between 0 and log 100 as in CLIP.
            Across ranks its gradient, like the encoder's, has to be averaged: keep it inside what
            DistributedDataParallel wraps.
        in_batch: contrast with the other pairs' positives.
        symmetric: the mean with the roles of anchors and positives swapped, as in CLIP.
        queue: contrast with its keys too, and store the positives in it after each loss while training.
        across_ranks: the pairs of all ranks are the batch; a queue then needs `across_ranks` as well.

    Raises:
        UsageError: a temperature that is not positive, a learned one below 0.01 or above 1, `symmetric`
            without `in_batch`, a queue that disagrees on `across_ranks`.
    """

    log_scale: Tensor

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        learn_temperature: bool = False,
        in_batch: bool = True,
        symmetric: bool = False,
        queue: MoCoQueue | None = None,
        across_ranks: bool = False,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        if symmetric and not in_batch:
            raise UsageError("symmetric swaps the pairs of a batch: it needs in_batch.")
        if queue is not None and queue.across_ranks != across_ranks:
            raise UsageError("give InfoNCELoss and its queue the same across_ranks.")
        log_scale = torch.tensor(-math.log(temperature))
        if not learn_temperature:
            self.register_buffer("log_scale", log_scale)
        elif 1 / LARGEST_LOGIT_SCALE <= temperature <= 1:
            self.log_scale = nn.Parameter(log_scale)
        else:
            raise UsageError(f"a learned temperature starts between 0.01 and 1, not at {temperature}.")
        self.in_batch = in_batch
        self.symmetric = symmetric
        self.queue = queue
        self.across_ranks = across_ranks
        self._log_candidates = 0.0

    @property
    def temperature(self) -> float:
        """The temperature in force. Reading it waits for the GPU."""
        return math.exp(-float(self.log_scale.detach()))

    @property
    def mi_nats(self) -> float:
        """log N - loss of the last batch, in nats; warns near its cap log N.

        Raises:
            UsageError: there was no forward pass yet.
        """
        estimate = super().mi_nats
        if estimate >= 0.95 * self._log_candidates:
            warnings.warn(
                f"InfoNCE shows {estimate:.3f} nats, near its cap of log N = {self._log_candidates:.3f}: the "
                "information may be larger; contrast with more candidates to see it.",
                stacklevel=2,
            )
        return estimate

    def forward(self, anchors: Tensor, positives: Tensor, negatives: Tensor | None = None) -> Tensor:
        """The loss of (B, D) pairs, with explicit (M, D) or (B, M, D) negatives where given."""
        if self.queue is not None:
            if negatives is not None:
                raise UsageError("give InfoNCELoss explicit negatives or a queue, not both.")
            negatives = self.queue.negatives()
        loss, log_candidates = _info_nce(
            anchors,
            positives,
            negatives,
            self._current_temperature(),
            self.in_batch,
            self.symmetric,
            self.across_ranks,
        )
        if self.queue is not None and self.training:
            self.queue.enqueue(positives)
        return self._noted(loss, log_candidates)

    def from_scores(self, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of any critic's scores, (B,) of the pairs and (B, K) of the negatives; no temperature.

        Raises:
            UsageError: shapes that do not fit, an empty batch.
        """
        if positive.ndim != 1 or negative.ndim != 2 or len(positive) != len(negative) or not len(positive):
            raise UsageError(
                f"scores must be B and B x K with B at least 1, not {shape(positive)} and {shape(negative)}."
            )
        positive, negative = at_least_float32(positive), at_least_float32(negative)
        candidates = torch.cat([positive.unsqueeze(1), negative], dim=1)
        loss = (candidates.logsumexp(dim=1) - positive).mean()
        return self._noted(loss, math.log(candidates.shape[1]))

    def _current_temperature(self) -> Tensor:
        if isinstance(self.log_scale, nn.Parameter):
            # on the parameter itself: a clamp inside the graph has no gradient outside the limits, and the
            # temperature could not come back
            with torch.no_grad():
                self.log_scale.clamp_(0, math.log(LARGEST_LOGIT_SCALE))
        return (-at_least_float32(self.log_scale)).exp()

    def _noted(self, loss: Tensor, log_candidates: float) -> Tensor:
        self._estimate = log_candidates - loss.detach()
        self._log_candidates = log_candidates
        return loss


class _Scores(NamedTuple):
    """Cosines of anchors and candidates, (B, N), and the column of each anchor's positive."""

    cosines: Tensor
    targets: Tensor


def _info_nce(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor | None,
    temperature: Tensor | float,
    in_batch: bool,
    symmetric: bool,
    across_ranks: bool,
) -> tuple[Tensor, float]:
    """The loss, and log of the number of candidates (their mean over both directions)."""
    check_pairs(anchors, positives)
    if symmetric and not in_batch:
        raise UsageError("symmetric swaps the pairs of a batch: it needs in_batch.")
    if negatives is None and not in_batch:
        raise UsageError("InfoNCE has nothing to contrast with: give negatives, a queue or in_batch.")
    with without_autocast(anchors):
        anchors, positives = unit_rows(anchors), unit_rows(positives)
        directions = [_pair_scores(anchors, positives, in_batch, across_ranks)]
        if symmetric:
            directions.append(_pair_scores(positives, anchors, in_batch, across_ranks))
        if negatives is not None:
            cosines, targets = directions[0]
            explicit = _explicit_cosines(anchors, unit_rows(negatives).to(anchors.dtype))
            directions[0] = _Scores(torch.cat([cosines, explicit], dim=1), targets)
        sums = [
            functional.cross_entropy(cosines / temperature, targets, reduction="sum")
            for cosines, targets in directions
        ]
        loss = share_of_mean(torch.stack(sums).mean(), len(anchors), across_ranks=across_ranks)
        return loss, sum(math.log(scores.cosines.shape[1]) for scores in directions) / len(directions)


def _pair_scores(anchors: Tensor, positives: Tensor, in_batch: bool, across_ranks: bool) -> _Scores:
    rows = torch.arange(len(anchors), device=anchors.device)
    if not in_batch:
        return _Scores((anchors * positives).sum(dim=1, keepdim=True), torch.zeros_like(rows))
    candidates = gather_rows(positives, across_ranks=across_ranks)
    return _Scores(anchors @ candidates.rows.T, candidates.start + rows)


def _explicit_cosines(anchors: Tensor, negatives: Tensor) -> Tensor:
    if negatives.shape[-1] == anchors.shape[1]:
        if negatives.ndim == 2:
            return anchors @ negatives.T
        if negatives.ndim == 3 and len(negatives) == len(anchors):
            return torch.einsum("bd,bmd->bm", anchors, negatives)
    raise UsageError(
        f"negatives of {shape(anchors)} anchors must be M x {anchors.shape[1]} or "
        f"{len(anchors)} x M x {anchors.shape[1]}, not {shape(negatives)}."
    )
