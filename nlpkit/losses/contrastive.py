"""Contrastive losses over one set of views: NT-Xent (two views an example) and SupCon (labels).

Features are scaled to unit length in at least float32, so a score is a cosine divided by a temperature; each
loss is a cross-entropy through logsumexp over such scores, the masked ones at -inf. With `across_ranks`, the
candidates of all ranks of a process group are in the denominator (see `nlpkit.losses.gather`): a rank's loss
is then its share of the joint one, and the mean of the shares is the loss of the joined batch.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses.gather import gather_rows, share_of_mean
from nlpkit.losses.numerics import check_pairs, check_temperature, shape, unit_rows, without_autocast


def nt_xent_loss(
    first: Tensor, second: Tensor, *, temperature: float = 0.1, across_ranks: bool = False
) -> Tensor:
    """Normalised-temperature cross-entropy of two views: SimCLR, arXiv 2002.05709, eq. 1.

    Each of the 2B views is an anchor whose positive is the other view of its example; the denominator has
    2B - 1 terms, all views but itself.

    Args:
        first: (B, D) features of one view of each example.
        second: (B, D) features of the other.
        temperature: 0.1, SimCLR's best (table 5).
        across_ranks: the views of all ranks are the batch.

    Raises:
        UsageError: shapes that do not fit, an empty batch, a temperature that is not positive.
    """
    check_temperature(temperature)
    check_pairs(first, second)
    with without_autocast(first):
        one, two = unit_rows(first), unit_rows(second)
        ones, twos = gather_rows(one, across_ranks=across_ranks), gather_rows(two, across_ranks=across_ranks)
        total = len(ones.rows)
        own = torch.arange(ones.start, ones.start + len(one), device=one.device)
        own = torch.cat([own, own + total])
        logits = torch.cat([one, two]) @ torch.cat([ones.rows, twos.rows]).T / temperature
        logits = logits.scatter(1, own.unsqueeze(1), -math.inf)
        losses = functional.cross_entropy(logits, (own + total) % (2 * total), reduction="sum")
        return share_of_mean(losses, 2 * len(one), across_ranks=across_ranks)


def sup_con_loss(
    features: Tensor, labels: Tensor, *, temperature: float = 0.1, across_ranks: bool = False
) -> Tensor:
    """Supervised contrast: Khosla et al. 2020, arXiv 2004.11362, eq. 2 (the mean outside the logarithm).

    -1/|P(i)| sum_{p in P(i)} log(exp s(i, p) / sum_{a != i} exp s(i, a)), s = cosine / temperature.

    P(i) are the other rows with i's label. Rows without any take no part in the mean over anchors; a batch
    in which no row has one gives 0. Two views with labels 0..B-1 each are `nt_xent_loss`.

    Args:
        features: (N, D), all views of all examples.
        labels: (N,) integers.
        temperature: 0.1 as in the paper.
        across_ranks: the rows of all ranks are the batch.

    Raises:
        UsageError: shapes that do not fit, an empty batch, a temperature that is not positive.
    """
    check_temperature(temperature)
    if features.ndim != 2 or labels.shape != features.shape[:1] or len(features) == 0:
        raise UsageError(
            f"SupCon takes N x D features and N labels, N at least 1, not {shape(features)} "
            f"and {shape(labels)}."
        )
    with without_autocast(features):
        anchors = unit_rows(features)
        candidates = gather_rows(anchors, across_ranks=across_ranks)
        all_labels = gather_rows(labels, across_ranks=across_ranks).rows
        own = candidates.start + torch.arange(len(anchors), device=anchors.device).unsqueeze(1)
        logits = (anchors @ candidates.rows.T / temperature).scatter(1, own, -math.inf)
        log_probs = logits.log_softmax(dim=1)
        positive = (labels.unsqueeze(1) == all_labels).scatter(1, own, False)
        counts = positive.sum(dim=1)
        # a row's own entry is -inf, and 0 times -inf would be NaN: select before summing
        sums = log_probs.masked_fill(~positive, 0.0).sum(dim=1)
        losses = -sums / counts.clamp(min=1)
        return share_of_mean(losses.sum(), (counts > 0).sum(), across_ranks=across_ranks)


class NTXentLoss(nn.Module):
    """`nt_xent_loss` as a module.

    Args:
        temperature: 0.1, SimCLR's best (table 5).
        across_ranks: the views of all ranks are the batch.

    Raises:
        UsageError: a temperature that is not positive.
    """

    def __init__(self, *, temperature: float = 0.1, across_ranks: bool = False) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.across_ranks = across_ranks

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of the features of two views, (B, D) each."""
        return nt_xent_loss(first, second, temperature=self.temperature, across_ranks=self.across_ranks)


class SupConLoss(nn.Module):
    """`sup_con_loss` as a module.

    Args:
        temperature: 0.1 as in the paper.
        across_ranks: the rows of all ranks are the batch.

    Raises:
        UsageError: a temperature that is not positive.
    """

    def __init__(self, *, temperature: float = 0.1, across_ranks: bool = False) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.across_ranks = across_ranks

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss of features (N, D) with integer labels (N,)."""
        return sup_con_loss(features, labels, temperature=self.temperature, across_ranks=self.across_ranks)
