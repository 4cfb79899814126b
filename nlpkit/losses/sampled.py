"""Losses over many classes that look at a few: negative sampling, NCE, sampled softmax.

The three see the same scores, s(x, y) of the target and s(x, y_i) of k negatives drawn from q, and differ in
what the scores become:

| loss | score at the optimum | a probability? |
|---|---|---|
| negative sampling | log p(y given x) - log q(y) - log k | no: q is never divided out |
| NCE | log p(y given x), and the sum of exp s is 1 by itself | yes, without a softmax |
| sampled softmax | log p(y given x) + any constant of x | after a softmax |

Each comes as a function of scores and as a module that owns the output layer and the sampler. Evaluate with
`log_prob`, over all classes: a sampled loss is no estimate of the full one.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses.numerics import Reduction, at_least_float32, reduced, shape, without_autocast
from nlpkit.losses.samplers import NegativeSample, Sampler


def negative_sampling_loss(
    positive: Tensor, negative: Tensor, *, excluded: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """-log sigmoid(s(x, y)) - sum_i log sigmoid(-s(x, y_i)): Mikolov et al. 2013, arXiv 1310.4546, eq. 4.

    Args:
        positive: (B,) scores of the targets.
        negative: (B, K) scores of the negatives.
        excluded: (B, K) or (K,), true for negatives that do not count.
        reduction: over the B targets.

    Raises:
        UsageError: shapes that do not fit, an empty batch.
    """
    positive, negative = _checked_scores(positive, negative, excluded)
    if excluded is not None:
        negative = negative.masked_fill(excluded, -math.inf)
    losses = functional.softplus(-positive) + functional.softplus(negative).sum(dim=-1)
    return reduced(losses, reduction)


def nce_loss(
    positive: Tensor,
    negative: Tensor,
    positive_log_counts: Tensor,
    negative_log_counts: Tensor,
    *,
    log_z: Tensor | float = 0.0,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """-log sigmoid(d(y)) - sum_i log sigmoid(-d(y_i)) with d(y) = s(x, y) - log Z - log(k q(y)).

    Gutmann & Hyvärinen 2010; for language models Mnih & Teh 2012 (arXiv 1206.6426), who found that log Z
    fixed at 0 costs nothing. A negative that equals the target stays: noise may do that, and leaving it out
    makes this another loss.

    Args:
        positive: (B,) scores of the targets.
        negative: (B, K) scores of the negatives.
        positive_log_counts: (B,) log(k q) of the targets.
        negative_log_counts: (K,) or (B, K), the same of the negatives.
        log_z: the logarithm of the normaliser.
        excluded: (B, K) or (K,), true for negatives that are no draw from q (a row's own target, in-batch).
        reduction: over the B targets.

    Raises:
        UsageError: shapes that do not fit, an empty batch.
    """
    positive, negative = _checked_scores(positive, negative, excluded)
    positive = positive - log_z - positive_log_counts.to(positive.dtype)
    negative = negative - log_z - negative_log_counts.to(negative.dtype)
    return negative_sampling_loss(positive, negative, excluded=excluded, reduction=reduction)


def sampled_softmax_loss(
    positive: Tensor,
    negative: Tensor,
    positive_log_counts: Tensor,
    negative_log_counts: Tensor,
    *,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy of the target among itself and the negatives, after s(x, y) - log Q(y).

    Q is the expected count of y in the sample: Bengio & Senécal 2008; Jean et al. 2014, arXiv 1412.2007.

    Args:
        positive: (B,) scores of the targets.
        negative: (B, K) scores of the negatives.
        positive_log_counts: (B,) log Q of the targets.
        negative_log_counts: (K,) or (B, K), log Q of the negatives.
        excluded: (B, K) or (K,), true for accidental hits: negatives that equal the target.
        reduction: over the B targets.

    Raises:
        UsageError: shapes that do not fit, an empty batch.
    """
    positive, negative = _checked_scores(positive, negative, excluded)
    positive = positive - positive_log_counts.to(positive.dtype)
    negative = negative - negative_log_counts.to(negative.dtype)
    if excluded is not None:
        negative = negative.masked_fill(excluded, -math.inf)
    candidates = torch.cat([positive.unsqueeze(-1), negative], dim=-1)
    return reduced(candidates.logsumexp(dim=-1) - positive, reduction)


def _checked_scores(positive: Tensor, negative: Tensor, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
    if positive.ndim != 1 or negative.ndim != 2 or len(negative) != len(positive):
        raise UsageError(
            f"scores must be B and B x K for B targets and K negatives, not {shape(positive)} "
            f"and {shape(negative)}."
        )
    if excluded is not None and excluded.shape not in (negative.shape, negative.shape[1:]):
        raise UsageError(
            f"excluded must be shaped as the negatives, {shape(negative)}, not {shape(excluded)}."
        )
    return at_least_float32(positive), at_least_float32(negative)


@dataclass(frozen=True, slots=True)
class _Scored:
    """A batch's scores, (B,) and (B, K), with the sample behind them; `hits` marks negatives = target."""

    positive: Tensor
    negative: Tensor
    sample: NegativeSample
    hits: Tensor


class _SampledLoss(nn.Module):
    """The output layer that the three losses share: a row (and a bias) for each class, and the sampler.

    `weight` (V, D) starts as nn.Linear's does; to tie it to an embedding, assign that embedding's parameter.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        sampler: Sampler,
        dim: int,
        negatives: int | None,
        *,
        bias: bool,
        sparse: bool,
        reduction: Reduction,
        per_target: bool = False,
        unique: bool = False,
    ) -> None:
        super().__init__()
        if dim < 1:
            raise UsageError(f"dim must be at least 1, not {dim}.")
        if negatives is not None and negatives < 1:
            raise UsageError(f"negatives must be at least 1, not {negatives}.")
        if negatives is None and per_target:
            raise UsageError("negatives from the batch are shared by it: leave out per_target.")
        classes, device = len(sampler.log_q), sampler.log_q.device
        self.sampler = sampler
        self.negatives = negatives
        self.per_target = per_target
        self.unique = unique
        self.sparse = sparse
        self.reduction = reduction
        self.weight = nn.Parameter(torch.empty(classes, dim, device=device))
        nn.init.uniform_(self.weight, -(dim**-0.5), dim**-0.5)
        self.bias = nn.Parameter(torch.zeros(classes, device=device)) if bias else None

    def scores(self, hidden: Tensor) -> Tensor:
        """The scores of all classes, (..., V), for hidden vectors (..., D); at least float32."""
        with without_autocast(hidden):
            bias = None if self.bias is None else at_least_float32(self.bias)
            return functional.linear(at_least_float32(hidden), at_least_float32(self.weight), bias)

    def log_prob(self, hidden: Tensor) -> Tensor:
        """log p(y given x) of all classes, (..., V): the full softmax of the scores."""
        return self.scores(hidden).log_softmax(dim=-1)

    def _draw(self, targets: Tensor, generator: torch.Generator | None) -> NegativeSample:
        if self.negatives is None:
            return self.sampler.draw_in_batch(targets)
        return self.sampler.draw(
            targets, self.negatives, per_target=self.per_target, unique=self.unique, generator=generator
        )

    def _score(self, hidden: Tensor, targets: Tensor, generator: torch.Generator | None) -> _Scored:
        if hidden.shape[:-1] != targets.shape or hidden.shape[-1:] != self.weight.shape[1:]:
            raise UsageError(
                f"hidden must be the targets' shape, {shape(targets)}, and {self.weight.shape[1]} wide, "
                f"not {shape(hidden)}."
            )
        hidden, targets = at_least_float32(hidden).reshape(-1, hidden.shape[-1]), targets.reshape(-1)
        sample = self._draw(targets, generator)
        positive = (hidden * self._rows(targets)).sum(dim=-1)
        rows = self._rows(sample.ids)  # (K, D) or (B, K, D)
        negative = hidden @ rows.T if rows.ndim == 2 else torch.einsum("bd,bkd->bk", hidden, rows)
        if self.bias is not None:
            positive = positive + self.bias[targets]
            negative = negative + self.bias[sample.ids]
        return _Scored(positive, negative, sample, sample.ids == targets.unsqueeze(-1))

    def _rows(self, ids: Tensor) -> Tensor:
        return at_least_float32(functional.embedding(ids, self.weight, sparse=self.sparse))


class NegativeSamplingLoss(_SampledLoss):
    """Negative sampling (`negative_sampling_loss`) over an output layer without bias, as in word2vec.

    Args:
        sampler: q, over the V classes.
        dim: D, the width of the hidden vectors.
        negatives: k; 5 as in word2vec. None takes the other targets of the batch.
        per_target: draw k for each target instead of k for the batch.
        skip_hits: leave out negatives that equal the target, as the word2vec program of 2013 does; equation 4
            keeps them, and so does the default.
        sparse: sparse gradients of `weight`, for SparseAdam or SGD and many classes.
        reduction: "mean", "sum" or "none".

    Raises:
        UsageError: a dimension or number of negatives below 1; per_target with negatives of the batch.
    """

    def __init__(
        self,
        sampler: Sampler,
        dim: int,
        *,
        negatives: int | None = 5,
        per_target: bool = False,
        skip_hits: bool = False,
        sparse: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            sampler, dim, negatives, bias=False, sparse=sparse, reduction=reduction, per_target=per_target
        )
        self.skip_hits = skip_hits

    def forward(self, hidden: Tensor, targets: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """The loss of hidden vectors (..., D) and target ids (...); `generator` draws the negatives."""
        with without_autocast(hidden):
            scored = self._score(hidden, targets, generator)
            excluded = scored.hits if self.skip_hits else scored.sample.own
            return negative_sampling_loss(
                scored.positive, scored.negative, excluded=excluded, reduction=self.reduction
            )

    def log_prob(self, hidden: Tensor) -> Tensor:
        """log p(y given x) of all classes, (..., V): the softmax of s + log q, the optimum's shift undone."""
        scores = self.scores(hidden)
        return (scores + self.sampler.log_q.to(scores.dtype)).log_softmax(dim=-1)


class NCELoss(_SampledLoss):
    """Noise-contrastive estimation (`nce_loss`) over an output layer with bias.

    The bias starts at log q, so that the model starts near the noise and normalised: from a zero bias the
    sum of exp s is V, and training may diverge early. `scores` - log Z are close to log p(y given x) without
    a softmax; `log_prob` normalises them.

    Args:
        sampler: q, over the V classes.
        dim: D, the width of the hidden vectors.
        negatives: k; 25 as in Mnih & Teh 2012. None takes the other targets of the batch.
        per_target: draw k for each target instead of k for the batch.
        log_z: the logarithm of the normaliser, or where it starts.
        learn_log_z: learn one log Z for all contexts.
        sparse: sparse gradients of `weight`, for SparseAdam or SGD and many classes.
        reduction: "mean", "sum" or "none".

    Raises:
        UsageError: a dimension or number of negatives below 1; per_target with negatives of the batch.
    """

    log_z: Tensor

    def __init__(
        self,
        sampler: Sampler,
        dim: int,
        *,
        negatives: int | None = 25,
        per_target: bool = False,
        log_z: float = 0.0,
        learn_log_z: bool = False,
        sparse: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            sampler, dim, negatives, bias=True, sparse=sparse, reduction=reduction, per_target=per_target
        )
        start = torch.tensor(float(log_z), device=sampler.log_q.device)
        if learn_log_z:
            self.log_z = nn.Parameter(start)
        else:
            self.register_buffer("log_z", start)
        log_q = sampler.log_q
        # an id that is never drawn starts like the rarest of the others
        start_bias = log_q.clamp(min=log_q[log_q.isfinite()].min())
        self.bias = nn.Parameter(start_bias.to(self.weight.dtype))

    def forward(self, hidden: Tensor, targets: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """The loss of hidden vectors (..., D) and target ids (...); `generator` draws the negatives."""
        with without_autocast(hidden):
            scored = self._score(hidden, targets, generator)
            return nce_loss(
                scored.positive,
                scored.negative,
                scored.sample.target_log_counts,
                scored.sample.log_counts,
                log_z=at_least_float32(self.log_z),
                excluded=scored.sample.own,
                reduction=self.reduction,
            )


class SampledSoftmaxLoss(_SampledLoss):
    """Sampled softmax (`sampled_softmax_loss`) over an output layer with bias; accidental hits are masked.

    Args:
        sampler: q, over the V classes.
        dim: D, the width of the hidden vectors.
        negatives: K for the batch. None takes the other targets of the batch.
        unique: distinct negatives, with the expected count 1 - (1 - q)^draws (the default of TensorFlow's
            candidate samplers); False draws with replacement, with the expected count K q.
        sparse: sparse gradients of `weight`, for SparseAdam or SGD and many classes.
        reduction: "mean", "sum" or "none".

    Raises:
        UsageError: a dimension or number of negatives below 1.
    """

    def __init__(
        self,
        sampler: Sampler,
        dim: int,
        *,
        negatives: int | None,
        unique: bool = True,
        sparse: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            sampler, dim, negatives, bias=True, sparse=sparse, reduction=reduction, unique=unique
        )

    def forward(self, hidden: Tensor, targets: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """The loss of hidden vectors (..., D) and target ids (...); `generator` draws the negatives."""
        with without_autocast(hidden):
            scored = self._score(hidden, targets, generator)
            return sampled_softmax_loss(
                scored.positive,
                scored.negative,
                scored.sample.target_log_counts,
                scored.sample.log_counts,
                excluded=scored.hits,
                reduction=self.reduction,
            )
