"""Lower bounds on mutual information, to be maximised by a critic T(x, y): DV, Jensen-Shannon, NWJ.

Every estimator takes the critic's scores of pairs (x, y) from the joint distribution and of pairs from the
product of the marginals (y shuffled), any shape each, returns a loss to minimise, and reads out `mi_nats`,
the mutual information that the last batch shows. `joint_and_marginal` makes both from an all-pairs score
matrix. InfoNCE, the fourth of the family, is in `nlpkit.losses.info_nce`.

| loss | critic at the optimum | what `mi_nats` is |
|---|---|---|
| Donsker-Varadhan | log p(x, y) / p(x)p(y), plus any constant | the bound |
| Jensen-Shannon | log p(x, y) / p(x)p(y) | NWJ's bound at this critic plus 1 |
| NWJ | 1 + log p(x, y) / p(x)p(y) | the bound |

The bounds hold for expectations. With few samples and much information, log mean exp misses its rare large
terms: then DV is too high on average, and both scatter widely (Poole et al. 2019, arXiv 1905.06922).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses.numerics import at_least_float32, shape


def joint_and_marginal(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Split all-pairs scores into those of true pairs and those of crossed pairs.

    Args:
        scores: (N, N), scores[i, j] = T(x_i, y_j).

    Returns:
        The diagonal, (N,), and the rest of each row in order, (N, N - 1).

    Raises:
        UsageError: not a square matrix of at least 2 x 2.
    """
    if scores.ndim != 2 or len(scores) != scores.shape[1] or len(scores) < 2:
        raise UsageError(f"all-pairs scores must be N x N with N at least 2, not {shape(scores)}.")
    # dropping the first of the flat entries leaves each diagonal entry at the end of a row of N + 1
    n = len(scores)
    crossed = scores.reshape(-1)[1:].reshape(n - 1, n + 1)[:, :-1].reshape(n, n - 1)
    return scores.diagonal(), crossed


def donsker_varadhan_loss(joint: Tensor, marginal: Tensor) -> Tensor:
    """-(E_joint[T] - log E_marginal[exp T]): Donsker & Varadhan 1983; MINE, arXiv 1801.04062.

    Its gradient on a batch is biased, since the batch's mean is inside the logarithm; `DonskerVaradhan`
    corrects that.
    """
    joint, marginal = _checked_scores(joint, marginal)
    return _log_mean_exp(marginal) - joint.mean()


def jensen_shannon_loss(joint: Tensor, marginal: Tensor) -> Tensor:
    """E_joint[softplus(-T)] + E_marginal[softplus(T)]: Deep InfoMax, arXiv 1808.06670, eq. 4.

    At the best critic it is 2 log 2 - 2 JS(joint, product); at T = 0 it is 2 log 2.
    """
    joint, marginal = _checked_scores(joint, marginal)
    return functional.softplus(-joint).mean() + functional.softplus(marginal).mean()


def nwj_loss(joint: Tensor, marginal: Tensor) -> Tensor:
    """-(E_joint[T] - E_marginal[exp(T - 1)]): Nguyen, Wainwright & Jordan 2010, also called MINE-f."""
    joint, marginal = _checked_scores(joint, marginal)
    return (_log_mean_exp(marginal) - 1).exp() - joint.mean()


class MutualInformationEstimator(nn.Module):
    """A loss that reads out the mutual information shown by its last batch."""

    def __init__(self) -> None:
        super().__init__()
        self._estimate: Tensor | None = None

    @property
    def mi_nats(self) -> float:
        """The estimate of the last forward pass, in nats. Reading it waits for the GPU.

        Raises:
            UsageError: there was no forward pass yet.
        """
        if self._estimate is None:
            raise UsageError("mi_nats is the estimate of the last batch: compute a loss first.")
        return float(self._estimate)


class DonskerVaradhan(MutualInformationEstimator):
    """The Donsker-Varadhan bound with MINE's corrected gradient (Belghazi et al. 2018, section 3.2).

    The value is `donsker_varadhan_loss`; in its gradient, the mean of exp T that divides is replaced by its
    moving average over batches, kept as a logarithm.

    Args:
        rate: how much of the average each batch replaces; 1 gives the plain, biased gradient. 0.01 is what
            implementations of MINE use; the paper names none.

    Raises:
        UsageError: a rate outside (0, 1].
    """

    log_average: Tensor

    def __init__(self, *, rate: float = 0.01) -> None:
        super().__init__()
        if not 0 < rate <= 1:
            raise UsageError(f"rate must be above 0 and at most 1, not {rate}.")
        self.rate = rate
        self._log_kept = math.log1p(-rate) if rate < 1 else -math.inf
        self.register_buffer("log_average", torch.tensor(-math.inf))

    def forward(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """The loss; joint and marginal are scores of any shape. Only training moves the average."""
        joint, marginal = _checked_scores(joint, marginal)
        log_mean = _log_mean_exp(marginal)
        value = log_mean - joint.mean()
        self._estimate = -value.detach()
        if not self.training:
            return value
        self._move_average(log_mean.detach())
        # the batch is a part of the average, so the ratio is at most 1 / rate and cannot overflow
        ratio = (log_mean - self.log_average.to(log_mean)).exp()
        corrected = ratio - joint.mean()
        return corrected + (value - corrected).detach()

    def _move_average(self, log_mean: Tensor) -> None:
        before = self.log_average.to(log_mean)
        after = torch.logaddexp(before + self._log_kept, log_mean + math.log(self.rate))
        self.log_average = torch.where(before.isinf(), log_mean, after)


class JensenShannon(MutualInformationEstimator):
    """`jensen_shannon_loss`: the steadiest to train, since its gradients are bounded.

    Its value is no mutual information; `mi_nats` puts its critic into NWJ's bound, as T + 1 (Poole et al.
    2019), which is tight at the best critic of either.
    """

    def forward(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """The loss; joint and marginal are scores of any shape."""
        with torch.no_grad():
            self._estimate = -nwj_loss(at_least_float32(joint) + 1, at_least_float32(marginal) + 1)
        return jensen_shannon_loss(joint, marginal)


class NWJ(MutualInformationEstimator):
    """`nwj_loss`: unbiased, with a variance that grows exponentially with the information."""

    def forward(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """The loss; joint and marginal are scores of any shape."""
        loss = nwj_loss(joint, marginal)
        self._estimate = -loss.detach()
        return loss


def _log_mean_exp(values: Tensor) -> Tensor:
    return values.reshape(-1).logsumexp(dim=0) - math.log(values.numel())


def _checked_scores(joint: Tensor, marginal: Tensor) -> tuple[Tensor, Tensor]:
    if joint.numel() == 0 or marginal.numel() == 0:
        raise UsageError("a mutual-information estimate needs at least one joint and one marginal score.")
    return at_least_float32(joint), at_least_float32(marginal)
