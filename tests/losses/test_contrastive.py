"""NT-Xent and SupCon: closed forms, half precision, masks."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses import NTXentLoss, SupConLoss, nt_xent_loss, sup_con_loss


def nt_xent_by_definition(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    views = functional.normalize(torch.cat([first, second]))
    total = torch.zeros((), dtype=views.dtype)
    for i in range(len(views)):
        partner = (i + len(first)) % len(views)
        others = [views[i] @ views[j] / temperature for j in range(len(views)) if j != i]
        total = total + torch.stack(others).logsumexp(0) - views[i] @ views[partner] / temperature
    return total / len(views)


def sup_con_by_definition(features: Tensor, labels: list[int], temperature: float) -> Tensor:
    views = functional.normalize(features)
    losses = []
    for i, label in enumerate(labels):
        others = [j for j in range(len(labels)) if j != i]
        scores = {j: views[i] @ views[j] / temperature for j in others}
        log_z = torch.stack(list(scores.values())).logsumexp(0)
        terms = [log_z - scores[j] for j in others if labels[j] == label]
        if terms:
            losses.append(torch.stack(terms).mean())
    return torch.stack(losses).mean()


def test_nt_xent_is_its_definition() -> None:
    first, second = torch.randn(2, 5, 3, dtype=torch.float64)
    expected = nt_xent_by_definition(first, second, 0.3)
    assert nt_xent_loss(first, second, temperature=0.3).item() == pytest.approx(expected.item(), abs=1e-12)
    assert NTXentLoss(temperature=0.3)(first, second).item() == pytest.approx(expected.item(), abs=1e-12)


def test_nt_xent_of_equal_views_is_the_log_of_its_terms() -> None:
    views = torch.ones(6, 4)
    assert nt_xent_loss(views, views).item() == pytest.approx(math.log(11), abs=1e-6)


def test_nt_xent_in_half_precision_keeps_loss_and_gradient() -> None:
    # unrelated views at temperature 0.01: exp(cosine / 0.01) of most positives underflows beside its rivals
    first, second = torch.randn(2, 128, 64).half().requires_grad_().unbind()
    exact_first, exact_second = (view.detach().double().requires_grad_() for view in (first, second))
    loss = nt_xent_loss(first, second, temperature=0.01)
    exact = nt_xent_loss(exact_first, exact_second, temperature=0.01)
    assert loss.dtype == torch.float32
    assert exact > 30
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    gradient = torch.autograd.grad(loss, first)[0]
    expected = torch.autograd.grad(exact, exact_first)[0]
    assert (gradient != 0).any(dim=1).all()
    assert torch.allclose(gradient.double(), expected, rtol=2e-3, atol=1e-6)


def test_autocast_leaves_the_cosines_alone() -> None:
    first, second = torch.randn(2, 8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = nt_xent_loss(first, second, temperature=0.01)
        mixed_labels = sup_con_loss(first, torch.arange(8) // 2, temperature=0.01)
    assert mixed.item() == nt_xent_loss(first, second, temperature=0.01).item()
    assert mixed_labels.item() == sup_con_loss(first, torch.arange(8) // 2, temperature=0.01).item()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_zero_vector_takes_no_gradient_and_harms_none(dtype: torch.dtype) -> None:
    first = torch.randn(4, 8).to(dtype)
    first[1] = 0
    first.requires_grad_()
    loss = nt_xent_loss(first, torch.randn(4, 8).to(dtype))
    (gradient,) = torch.autograd.grad(loss, first)
    assert gradient[1].abs().max() == 0
    assert gradient.isfinite().all()
    assert (gradient[[0, 2, 3]] != 0).all()


def test_sup_con_is_its_definition() -> None:
    features, labels = torch.randn(7, 3, dtype=torch.float64), [0, 1, 0, 2, 1, 0, 3]  # 2 and 3 stand alone
    expected = sup_con_by_definition(features, labels, 0.2).item()
    assert sup_con_loss(features, torch.tensor(labels), temperature=0.2).item() == pytest.approx(expected)
    assert SupConLoss(temperature=0.2)(features, torch.tensor(labels)).item() == pytest.approx(expected)


def test_sup_con_of_two_views_is_nt_xent() -> None:
    first, second = torch.randn(2, 5, 3, dtype=torch.float64)
    by_labels = sup_con_loss(torch.cat([first, second]), torch.arange(10) % 5)
    assert by_labels.item() == pytest.approx(nt_xent_loss(first, second).item(), abs=1e-12)


@pytest.mark.parametrize("rows", [1, 3])
def test_sup_con_without_positives_is_zero_with_a_zero_gradient(rows: int) -> None:
    features = torch.randn(rows, 4, requires_grad=True)
    loss = sup_con_loss(features, torch.arange(rows))
    (gradient,) = torch.autograd.grad(loss, features)
    assert loss.item() == 0
    assert gradient.abs().max() == 0


def test_functions_pass_gradcheck() -> None:
    first, second = torch.randn(2, 3, 4, dtype=torch.float64).requires_grad_().unbind()
    assert torch.autograd.gradcheck(nt_xent_loss, (first, second))
    labels = torch.tensor([0, 1, 0, 0, 1, 2])
    assert torch.autograd.gradcheck(lambda f, s: sup_con_loss(torch.cat([f, s]), labels), (first, second))


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(UsageError, match="temperature must be a positive number, not 0"):
        NTXentLoss(temperature=0)
    with pytest.raises(UsageError, match="temperature must be a positive number, not nan"):
        SupConLoss(temperature=math.nan)
    with pytest.raises(UsageError, match="both be B x D with B at least 1, not 2 x 3 and 2 x 4"):
        nt_xent_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(UsageError, match="not 0 x 3 and 0 x 3"):
        nt_xent_loss(torch.zeros(0, 3), torch.zeros(0, 3))
    with pytest.raises(UsageError, match="N x D features and N labels, N at least 1, not 4 x 3 and 2"):
        sup_con_loss(torch.zeros(4, 3), torch.zeros(2))
