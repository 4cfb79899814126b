"""Where negatives come from: one sampler over class ids, with the exact log-probability of each id.

A `Sampler` is a distribution q over the ids 0..V-1: unigram^alpha, log-uniform, uniform, or any other. It
draws with replacement (alias method, two table look-ups an id, whatever V), without replacement, or takes the
other targets of the batch, and says for every id how often it was to be expected in that sample: NCE and
sampled softmax are only right with exactly these numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from nlpkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class NegativeSample:
    """Negatives for a batch of B targets.

    Attributes:
        ids: (K,) shared by the batch, or (B, K) for each target its own; int64.
        log_counts: shaped like `ids`: log of the expected count of each id in the sample, float64.
        target_log_counts: (B,): the same of the targets.
        own: (B, K), true where a negative is the target of its own row (drawn from the batch); None where
            negatives are drawn independently of the targets.
    """

    ids: Tensor
    log_counts: Tensor
    target_log_counts: Tensor
    own: Tensor | None = None


class Sampler(nn.Module):
    """Draw ids from a fixed distribution q.

    A module, so that it moves to the GPU with the loss that holds it; its tables are no parameters, are not
    saved (the counts make them again) and keep float64 where the model is cast to half precision.

    Args:
        log_weights: (V,) logarithms of the weights, normalised here; -inf for an id never drawn.

    Attributes:
        log_q: (V,) exact log-probabilities, float64.

    Raises:
        UsageError: no ids, a weight that is NaN or infinite, or nothing that can be drawn.

    Example:
        >>> sampler = Sampler.unigram([8, 4, 2, 0])
        >>> ids = sampler.sample((2, 5), generator=torch.Generator().manual_seed(1))
        >>> ids.shape, bool((ids < 3).all())
        (torch.Size([2, 5]), True)
    """

    log_q: Tensor
    threshold: Tensor
    alias: Tensor

    def __init__(self, log_weights: Tensor) -> None:
        super().__init__()
        if log_weights.ndim != 1 or len(log_weights) == 0:
            raise UsageError("a sampler needs a list of one weight or more, one for each id.")
        if log_weights.isnan().any() or log_weights.max() == math.inf:
            raise UsageError("a sampler's weights must be numbers, not NaN or infinite.")
        if log_weights.max() == -math.inf:
            raise UsageError("a sampler needs at least one id with a weight above zero.")
        log_q = log_weights.double().log_softmax(dim=0)
        threshold, alias = _alias_table(log_q.exp().tolist())
        self.register_buffer("log_q", log_q, persistent=False)
        self.register_buffer("threshold", torch.tensor(threshold, dtype=torch.float64), persistent=False)
        self.register_buffer("alias", torch.tensor(alias), persistent=False)
        self.to(log_weights.device)
        self.n_drawable = int(log_q.isfinite().sum())

    @classmethod
    def unigram(cls, counts: Tensor | Sequence[float], *, alpha: float = 0.75) -> Self:
        """q proportional to count^alpha; an id with count 0 is never drawn.

        Args:
            counts: (V,) how often each id occurs.
            alpha: 0.75 as in Mikolov et al. 2013 (arXiv 1310.4546, section 2.2); fastText takes 0.5, and 1 is
                the distribution of the data.
        """
        frequencies = torch.as_tensor(counts, dtype=torch.float64)
        if (frequencies < 0).any():
            raise UsageError("counts must not be negative.")
        if not math.isfinite(alpha):
            raise UsageError(f"alpha must be a number, not {alpha}.")
        # through the logarithm: 0 to the power of 0 is 1, but an id that never occurs must not be drawn
        return cls(torch.where(frequencies == 0, -math.inf, alpha * frequencies.log()))

    @classmethod
    def log_uniform(cls, size: int) -> Self:
        """q(r) = log((r + 2) / (r + 1)) / log(size + 1): Zipf's law for ids sorted by falling frequency."""
        ranks = torch.arange(_checked_size(size), dtype=torch.float64)
        return cls((1 / (ranks + 1)).log1p().log())

    @classmethod
    def uniform(cls, size: int) -> Self:
        """q = 1 / size."""
        return cls(torch.zeros(_checked_size(size), dtype=torch.float64))

    def sample(self, size: Sequence[int], *, generator: torch.Generator | None = None) -> Tensor:
        """Draw ids with replacement: an int64 tensor of this size, on the sampler's device.

        Walker's alias method (Vose 1991) from one float64 an id: its integer part picks the column, its
        fraction decides between the column and its alias, so that a probability is off by 2^-53 V at most.
        """
        self._check_generator(generator)
        spot = torch.rand(tuple(size), dtype=torch.float64, device=self.log_q.device, generator=generator)
        spot *= len(self.log_q)
        column = spot.long()
        return torch.where(spot - column < self.threshold[column], column, self.alias[column])

    def sample_unique(self, count: int, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw distinct ids, as if one by one with repeats discarded.

        The distinct ids come as in an exponential race (Efraimidis & Spirakis 2006) and the repeats before
        each are geometric: the same law as drawing until `count` ids are found, without the loop.

        Returns:
            The ids, (count,) in the order found, and how many draws it took (float64, a scalar).

        Raises:
            UsageError: fewer than `count` ids can be drawn.
        """
        if not 1 <= count <= self.n_drawable:
            raise UsageError(
                f"{count} distinct negatives were asked for, but {self.n_drawable} ids can be drawn; "
                "ask for fewer, or draw with replacement."
            )
        self._check_generator(generator)
        arrival = torch.empty_like(self.log_q).exponential_(generator=generator).log() - self.log_q
        ids = arrival.topk(count, largest=False).indices
        q = self.log_q[ids].exp()
        unseen = torch.maximum(1 - (q.cumsum(0) - q), q)  # mass not yet found before each of the ids
        patience = torch.empty_like(q).exponential_(generator=generator)
        repeats = (patience / -torch.log1p(-unseen)).floor()
        return ids, repeats.sum() + count

    def log_expected_counts(self, ids: Tensor, draws: int) -> Tensor:
        """log(draws * q): how often each id is expected among `draws` with replacement; float64."""
        return math.log(draws) + self.log_q[ids]

    def log_expected_unique(self, ids: Tensor, draws: Tensor) -> Tensor:
        """log(1 - (1 - q)^draws): how probable each id is among the distinct ones of `draws`; float64.

        Computed as -expm1(draws * log1p(-q)), which keeps its digits where q is small.
        """
        return (-torch.expm1(draws * torch.log1p(-self.log_q[ids].exp()))).log()

    def draw(
        self,
        targets: Tensor,
        negatives: int,
        *,
        per_target: bool = False,
        unique: bool = False,
        generator: torch.Generator | None = None,
    ) -> NegativeSample:
        """Draw negatives for a batch, with the expected counts of negatives and targets.

        Args:
            targets: (B,) ids.
            negatives: K.
            per_target: K for each target (ids (B, K)) rather than K that the batch shares (ids (K,)).
            unique: without replacement, for shared negatives only.
            generator: the source of randomness, on the sampler's device; torch's global one by default.

        Raises:
            UsageError: K below 1, `unique` with `per_target`, more distinct ids than there are, a target
                outside the ids or one that q gives no weight.
        """
        targets = self._checked_targets(targets)
        if negatives < 1:
            raise UsageError(f"negatives must be at least 1, not {negatives}.")
        if unique and per_target:
            raise UsageError("distinct negatives are drawn for the whole batch: leave out per_target.")
        if unique:
            ids, draws = self.sample_unique(negatives, generator=generator)
            log_counts = self.log_expected_unique(ids, draws)
            return NegativeSample(ids, log_counts, self.log_expected_unique(targets, draws))
        ids = self.sample((len(targets), negatives) if per_target else (negatives,), generator=generator)
        log_counts = self.log_expected_counts(ids, negatives)
        return NegativeSample(ids, log_counts, self.log_expected_counts(targets, negatives))

    def draw_in_batch(self, targets: Tensor) -> NegativeSample:
        """Take the batch's other targets as negatives: B - 1 for each, ids (B,), `own` the diagonal.

        They follow the distribution of the data, so the sampler should be `unigram(counts, alpha=1)`.

        Raises:
            UsageError: fewer than two targets, one outside the ids or one that q gives no weight.
        """
        targets = self._checked_targets(targets)
        if len(targets) < 2:
            raise UsageError("negatives from the batch need at least two targets in it.")
        log_counts = self.log_expected_counts(targets, len(targets) - 1)
        own = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
        return NegativeSample(targets, log_counts, log_counts, own)

    def _checked_targets(self, targets: Tensor) -> Tensor:
        if targets.ndim != 1 or targets.is_floating_point():
            raise UsageError("targets must be a one-dimensional tensor of integer ids.")
        # what costs a GPU nothing, or waits for it only where there is something to find
        if targets.device.type == "cpu" and len(targets):
            low, high = int(targets.min()), int(targets.max())
            if low < 0 or high >= len(self.log_q):
                wrong = low if low < 0 else high
                raise UsageError(f"target {wrong} is not an id of the sampler's {len(self.log_q)}.")
        targets = targets.long()
        if self.n_drawable < len(self.log_q) and self.log_q[targets].isinf().any():
            raise UsageError(
                "a target has no weight in the sampler, so its expected count is 0 and the correction is "
                "infinite; give every id that can be a target a count above 0."
            )
        return targets

    def _check_generator(self, generator: torch.Generator | None) -> None:
        device = self.log_q.device
        if generator is not None and generator.device.type != device.type:
            raise UsageError(f"the generator is on {generator.device} and the sampler on {device}.")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move with the module, but leave the tables float64: half precision is for weights."""
        exact = dict(self._buffers)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, table in exact.items():
            moved = self._buffers[name]
            if table is not None and moved is not None:
                self._buffers[name] = table.to(moved.device)
        return self


def _checked_size(size: int) -> int:
    if size < 1:
        raise UsageError(f"a sampler needs at least one id, not {size}.")
    return size


def _alias_table(probabilities: list[float]) -> tuple[list[float], list[int]]:
    """Vose's tables: column i yields i where the fraction is below threshold[i], else alias[i]."""
    scaled = [probability * len(probabilities) for probability in probabilities]
    threshold, alias = [1.0] * len(scaled), list(range(len(scaled)))
    small = [i for i, weight in enumerate(scaled) if weight < 1]
    large = [i for i, weight in enumerate(scaled) if weight >= 1]
    while small and large:
        receiver, giver = small.pop(), large[-1]
        threshold[receiver], alias[receiver] = scaled[receiver], giver
        scaled[giver] -= 1 - scaled[receiver]
        if scaled[giver] < 1:
            small.append(large.pop())
    # what rounding leaves over in either list has the weight 1 but for an ulp: its threshold stays 1
    return threshold, alias
