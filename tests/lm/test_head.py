"""The fused head equals cross-entropy on whole logits, and its gradients; it never holds whole logits."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from nlpkit.lm import head
from nlpkit.lm.head import Head, fused_nll


def whole_nll(x: Tensor, weight: Tensor, targets: Tensor, softcap: float) -> Tensor:
    logits = x @ weight.T
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    return F.cross_entropy(logits, targets, reduction="none")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "CHUNK_ELEMENTS", 100)


def example(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(37, 8, dtype=dtype, requires_grad=True)
    weight = torch.randn(11, 8, dtype=dtype, requires_grad=True)
    return x, weight, torch.randint(0, 11, (37,))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("softcap", [0.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradients_equal_cross_entropy(softcap: float, weighted: bool) -> None:
    x, weight, targets = example(torch.float32)
    row_weights = torch.rand(37) if weighted else torch.full((37,), 1 / 37)
    expected = whole_nll(x, weight, targets, softcap)
    expected_gradients = torch.autograd.grad(expected @ row_weights, (x, weight))
    nll = fused_nll(x, weight, targets, softcap)
    gradients = torch.autograd.grad(nll @ row_weights, (x, weight))
    torch.testing.assert_close(nll, expected, rtol=1e-6, atol=1e-6)
    for ours, reference in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("softcap", [0.0, 2.0])
def test_gradients_equal_finite_differences(softcap: float) -> None:
    x, weight, targets = example(torch.float64)
    for reduce in (lambda nll: nll, lambda nll: nll.mean()):
        assert torch.autograd.gradcheck(
            lambda x, weight, reduce=reduce: reduce(fused_nll(x, weight, targets, softcap)), (x, weight)
        )


def test_products_take_the_dtype_of_autocast() -> None:
    x, weight, targets = example(torch.float32)
    expected = whole_nll(x, weight, targets, 0.0)
    expected_gradients = torch.autograd.grad(expected.mean(), (x, weight))
    with torch.autocast("cpu", torch.bfloat16):
        nll = fused_nll(x, weight, targets)
    gradients = torch.autograd.grad(nll.mean(), (x, weight))
    for ours, reference in zip((nll, *gradients), (expected, *expected_gradients), strict=True):
        assert ours.dtype == torch.float32
        assert 0 < (ours - reference).norm() / reference.norm() < 0.01


def test_one_of_the_two_may_need_no_gradient() -> None:
    x, weight, targets = example(torch.float64)
    (expected,) = torch.autograd.grad(whole_nll(x, weight, targets, 0.0).sum(), x)
    (gradient,) = torch.autograd.grad(fused_nll(x, weight.detach(), targets).sum(), x)
    torch.testing.assert_close(gradient, expected)
    assert not fused_nll(x.detach(), weight.detach(), targets).requires_grad


def test_no_rows_have_no_loss() -> None:
    x, weight, targets = example(torch.float32)
    nll = fused_nll(x[:0], weight, targets[:0])
    nll.sum().backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() == 0


class Watch(TorchDispatchMode):
    """Remembers the largest tensor that any operation made."""

    largest = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.largest = max(self.largest, result.numel())
        return result


def test_no_tensor_as_large_as_the_logits_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "CHUNK_ELEMENTS", 20 * 500)
    x = torch.randn(400, 16, requires_grad=True)
    weight = torch.randn(500, 16, requires_grad=True)
    with Watch() as watch:
        fused_nll(x, weight, torch.randint(0, 500, (400,))).mean().backward()
    assert watch.largest == 20 * 500


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("softcap", [0.0, 3.0])
def test_head_gives_the_same_loss_from_logits_and_from_targets(tied: bool, softcap: float) -> None:
    torch.manual_seed(0)
    embedding = nn.Embedding(13, 8)
    layer = Head(embedding, tied=tied, softcap=softcap)
    if layer.weight is not None:
        nn.init.normal_(layer.weight)
    x, targets = torch.randn(3, 5, 8), torch.randint(0, 13, (3, 5))
    logits = layer(x, None)
    assert logits.shape == (3, 5, 13)
    expected = F.cross_entropy(logits.mT, targets, reduction="none")
    torch.testing.assert_close(layer(x, targets), expected)
    assert sum(p.numel() for p in layer.parameters()) == (0 if tied else 13 * 8)
