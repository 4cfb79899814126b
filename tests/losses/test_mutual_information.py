"""Mutual-information bounds against Gaussians and small discrete distributions, where the truth is known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nlpkit.errors import UsageError
from nlpkit.losses import (
    NWJ,
    DonskerVaradhan,
    InfoNCELoss,
    JensenShannon,
    donsker_varadhan_loss,
    jensen_shannon_loss,
    joint_and_marginal,
    nwj_loss,
)

N = 512
# 8 draws each, so that lists enumerate expectations exactly
P_DRAWS = torch.tensor([0, 1, 1, 2, 2, 2, 2, 3])
Q_DRAWS = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3])
P, Q = (draws.bincount().double() / 8 for draws in (P_DRAWS, Q_DRAWS))
KL = float((P * (P / Q).log()).sum())


def best_critic_scores(dim: int, rho: float) -> Tensor:
    """log p(x, y) / p(x)p(y) of all pairs of N correlated Gaussian samples, (N, N)."""
    x = torch.randn(N, dim, dtype=torch.float64)
    y = rho * x + math.sqrt(1 - rho**2) * torch.randn(N, dim, dtype=torch.float64)
    residual = torch.cdist(rho * x, y).square() / (2 * (1 - rho**2))
    return y.square().sum(dim=1) / 2 - residual - dim / 2 * math.log(1 - rho**2)


@pytest.mark.parametrize(
    ("dim", "rho", "truth", "info_nce_shows", "tolerance"),
    [
        (1, 0.5, 0.1438, 0.1438, 0.02),
        (1, 0.9, 0.8304, 0.8304, 0.03),
        (20, 0.5, 2.8768, 2.77, 0.1),  # 512 candidates leave InfoNCE 0.11 below
        # its cap; and 512 samples miss the rare terms of mean exp T, so the others are 1 to 2 too high
        (20, 0.9, 16.6073, math.log(N), 3.0),
    ],
)
def test_gaussian_mutual_information(
    dim: int, rho: float, truth: float, info_nce_shows: float, tolerance: float
) -> None:
    assert truth == pytest.approx(-dim / 2 * math.log(1 - rho**2), abs=1e-4)
    dv, js, nwj, info_nce = DonskerVaradhan(), JensenShannon(), NWJ(), InfoNCELoss()
    seen = []
    for _ in range(20):
        joint, marginal = joint_and_marginal(best_critic_scores(dim, rho))
        dv(joint, marginal)
        js(joint, marginal)
        nwj(joint + 1, marginal + 1)
        loss = info_nce.from_scores(joint, marginal)
        seen.append([dv.mi_nats, js.mi_nats, nwj.mi_nats, math.log(N) - loss.item()])
    medians = torch.tensor(seen).median(dim=0).values.tolist()
    assert medians[:3] == pytest.approx([truth] * 3, abs=tolerance)
    assert medians[3] == pytest.approx(info_nce_shows, abs=min(tolerance, 0.1))
    if truth < math.log(N):
        assert info_nce.mi_nats == pytest.approx(seen[-1][3])
    else:
        with pytest.warns(UserWarning, match="near its cap"):
            assert info_nce.mi_nats == pytest.approx(seen[-1][3])


def discrete_values(critic: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> float:
    return -loss(critic[P_DRAWS], critic[Q_DRAWS]).item()


def test_bounds_are_divergences_at_the_best_critic_and_less_elsewhere() -> None:
    ratio, middle = (P / Q).log(), (P + Q) / 2
    js = float((P * (P / middle).log() + Q * (Q / middle).log()).sum() / 2)
    for loss, best, truth in (
        (donsker_varadhan_loss, ratio, KL),
        (nwj_loss, ratio + 1, KL),
        (jensen_shannon_loss, ratio, 2 * js - 2 * math.log(2)),
    ):
        assert discrete_values(best, loss) == pytest.approx(truth, abs=1e-12)
        for direction in torch.eye(4, dtype=torch.float64):
            for step in (-0.1, 0.1):
                assert discrete_values(best + step * direction, loss) < truth - 1e-5


def test_every_module_reads_out_the_information() -> None:
    joint, marginal = (P / Q).log()[P_DRAWS], (P / Q).log()[Q_DRAWS]
    for module, shift in ((DonskerVaradhan(), 0), (JensenShannon(), 0), (NWJ(), 1)):
        module(joint + shift, marginal + shift)
        assert module.mi_nats == pytest.approx(KL, abs=1e-12)


def test_modules_and_functions_agree() -> None:
    joint, marginal = torch.randn(5), torch.randn(3, 4)
    for module, function in (
        (DonskerVaradhan(), donsker_varadhan_loss),
        (JensenShannon(), jensen_shannon_loss),
        (NWJ(), nwj_loss),
    ):
        assert module(joint, marginal).item() == pytest.approx(function(joint, marginal).item())


def test_zero_scores_show_no_information() -> None:
    zeros = torch.zeros(4), torch.zeros(9)
    assert donsker_varadhan_loss(*zeros).item() == pytest.approx(0, abs=1e-6)
    assert jensen_shannon_loss(*zeros).item() == pytest.approx(2 * math.log(2))
    assert nwj_loss(*zeros).item() == pytest.approx(math.exp(-1))


def gradients(module: DonskerVaradhan, marginal: Tensor) -> Tensor:
    marginal = marginal.clone().requires_grad_()
    module(torch.zeros(3, dtype=torch.float64), marginal).backward()
    assert marginal.grad is not None
    return marginal.grad


def test_donsker_varadhan_divides_by_the_moving_average() -> None:
    batches, module = torch.randn(3, 6, dtype=torch.float64), DonskerVaradhan(rate=0.2)
    average = None
    for batch in batches:
        mean = batch.exp().mean()
        average = mean if average is None else 0.8 * average + 0.2 * mean
        assert torch.allclose(gradients(module, batch), batch.exp() / 6 / average)
    before = module.log_average.clone()
    assert torch.allclose(gradients(module.eval(), batches[0]), batches[0].softmax(dim=0))
    assert module.log_average.equal(before)


def test_a_rate_of_1_is_the_plain_gradient() -> None:
    module, batch = DonskerVaradhan(rate=1), torch.randn(6, dtype=torch.float64)
    gradients(module, torch.randn(6, dtype=torch.float64))
    assert torch.allclose(gradients(module, batch), batch.softmax(dim=0))


def test_the_moving_average_corrects_the_bias() -> None:
    # minibatches of 2: the plain gradient's mean is far from the full one, that of the average is near
    full = torch.tensor([0.0, 0.0, 0.0, 3.0], dtype=torch.float64)
    truth = full.softmax(dim=0)
    errors = {}
    for rate in (0.01, 1.0):
        module, generator = DonskerVaradhan(rate=rate), torch.Generator().manual_seed(3)
        total = torch.zeros_like(full)
        for step in range(3000):
            picked = torch.randint(4, (2,), generator=generator)
            gradient = gradients(module, full[picked])
            if step >= 1000:
                total.index_add_(0, picked, gradient)
        errors[rate] = (total / 2000 - truth).abs().max().item()
    assert errors[0.01] < 0.05
    assert errors[1.0] > 0.2


def test_the_average_survives_saving() -> None:
    module, fresh = DonskerVaradhan(), DonskerVaradhan()
    gradients(module, torch.randn(6, dtype=torch.float64))
    fresh.load_state_dict(module.state_dict())
    assert fresh.log_average.item() == pytest.approx(module.log_average.item(), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_large_scores_do_not_overflow(dtype: torch.dtype) -> None:
    module = DonskerVaradhan()
    calm, wild = torch.zeros(4, dtype=dtype), torch.full((4,), 3e4, dtype=dtype, requires_grad=True)
    module(calm, calm)
    loss = module(calm, wild)  # exp(30,000) is under the logarithm only
    (gradient,) = torch.autograd.grad(loss, wild)
    assert loss.item() == pytest.approx(3e4, rel=1e-3)
    assert gradient.float().sum().item() == pytest.approx(100, rel=1e-2)
    assert jensen_shannon_loss(-wild, wild).item() == pytest.approx(6e4, rel=1e-3)


def test_functions_pass_gradcheck() -> None:
    scores = tuple(torch.randn(n, dtype=torch.float64, requires_grad=True) for n in (3, 5))
    for function in (donsker_varadhan_loss, jensen_shannon_loss, nwj_loss):
        assert torch.autograd.gradcheck(function, scores)


def test_all_pairs_split_into_true_and_crossed() -> None:
    joint, crossed = joint_and_marginal(torch.arange(9).reshape(3, 3))
    assert joint.tolist() == [0, 4, 8]
    assert crossed.tolist() == [[1, 2], [3, 5], [6, 7]]


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(UsageError, match="rate must be above 0 and at most 1, not 0"):
        DonskerVaradhan(rate=0)
    with pytest.raises(UsageError, match="at least one joint and one marginal score"):
        nwj_loss(torch.zeros(0), torch.zeros(3))
    with pytest.raises(UsageError, match="N x N with N at least 2, not 2 x 3"):
        joint_and_marginal(torch.zeros(2, 3))
    with pytest.raises(UsageError, match="compute a loss first"):
        _ = NWJ().mi_nats
