"""Products by either kernel equal those in float64, in every layout, forward and backward."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from nlpkit.training import products
from nlpkit.training.memory import peak_bytes
from nlpkit.training.products import FEWEST_ROWS, Linear, add_product, linear, product

needs_onednn = pytest.mark.skipif(not products.ONEDNN, reason="this torch has no oneDNN for this processor")


class Calls(TorchDispatchMode):
    """Counts oneDNN's products."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += "_linear_pointwise" in str(function)
        return function(*args, **(kwargs or {}))


@pytest.fixture(params=[True, False], ids=["onednn", "torch"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param and not products.ONEDNN:
        pytest.skip("this torch has no oneDNN for this processor")
    monkeypatch.setattr(products, "ONEDNN", request.param)
    return bool(request.param)


def laid_out(matrix: Tensor, layout: str) -> Tensor:
    """The same numbers by rows, by columns, or as every second column of a wider matrix."""
    if layout == "columns":
        return matrix.T.contiguous().T
    return matrix.repeat_interleave(2, dim=1)[:, ::2] if layout == "apart" else matrix


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("layout_a", ["rows", "columns", "apart"])
@pytest.mark.parametrize("layout_b", ["rows", "columns", "apart"])
@pytest.mark.parametrize("shape", [(32, 48, 16), (200, 20, 24), (24, 20, 200), (17, 1, 19), (3, 40, 5)])
def test_product_equals_float64_in_every_layout(
    layout_a: str, layout_b: str, shape: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    rows, inner, columns = shape
    a, b = torch.randn(rows, inner), torch.randn(inner, columns)
    found = product(laid_out(a, layout_a), laid_out(b, layout_b))
    expected = (a.double() @ b.double()).float()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    found = product(laid_out(a, layout_a), laid_out(b, layout_b), laid_out(expected, layout_b))
    torch.testing.assert_close(found, 2 * expected, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("shape", [(32, 48, 16), (3, 40, 5), (20, 7, 1)])
def test_a_product_is_added_in_place(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(products, "ADDED_ELEMENTS", 3 * shape[0])  # three columns at once
    rows, inner, columns = shape
    a, b, total = torch.randn(inner, rows).T, torch.randn(inner, columns), torch.randn(rows, columns)
    expected = (total.double() + a.double() @ b.double()).float()
    add_product(total, a, b)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)


def test_batches_are_multiplied_each_by_itself() -> None:
    a, b, plus = torch.randn(3, 20, 5), torch.randn(3, 5, 7), torch.randn(3, 20, 7)
    torch.testing.assert_close(product(a, b, plus), torch.stack(list(map(product, a, b))) + plus)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("shape", [(40, 12), (3, 20, 12), (2, 3, 4, 12), (1, 12), (0, 12)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_and_its_gradients_equal_torchs(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = Linear(12, 18, bias=bias)
    x = torch.randn(shape, requires_grad=True)
    y = layer(x)
    grad = torch.randn_like(y)
    wanted = [x, *layer.parameters()]
    expected_y = F.linear(
        *(None if part is None else part.double() for part in (x, layer.weight, layer.bias))
    )
    expected = torch.autograd.grad(expected_y, wanted, grad.double())
    torch.testing.assert_close(y, expected_y.float(), rtol=1e-5, atol=1e-5)
    for ours, reference in zip(torch.autograd.grad(y, wanted, grad), expected, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-5)
        assert ours.is_contiguous()


@needs_onednn
@pytest.mark.parametrize("frozen", ["x", "weight", "bias"])
def test_what_needs_no_gradient_gets_none(frozen: str) -> None:
    parts = {"x": torch.randn(20, 4), "weight": torch.randn(6, 4), "bias": torch.randn(6)}
    for name, part in parts.items():
        part.requires_grad_(name != frozen)
    linear(**parts).sum().backward()
    assert [name for name, part in parts.items() if part.grad is None] == [frozen]


@needs_onednn
def test_onednn_is_for_many_rows_of_float32_outside_autocast() -> None:
    layer = Linear(8, 8)
    with Calls() as calls:
        layer(torch.randn(FEWEST_ROWS, 8))
        product(torch.randn(FEWEST_ROWS, 8), torch.randn(8, 8))
        assert calls.count == 2
        layer(torch.randn(FEWEST_ROWS - 1, 8))
        product(torch.randn(20, 8, dtype=torch.float64), torch.randn(8, 8, dtype=torch.float64))
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.randn(FEWEST_ROWS, 8)).dtype == torch.bfloat16
        assert calls.count == 2


def test_the_layer_is_torchs_own_but_for_its_kernel() -> None:
    torch.manual_seed(0)
    ours = Linear(4, 3)
    torch.manual_seed(0)
    theirs = nn.Linear(4, 3)
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_memory_is_counted_through_every_product() -> None:
    """Counting runs a step on tensors without data, for which torch must know what each operation makes."""

    def prepare() -> Callable[[], None]:
        a, b, plus = (torch.ones(FEWEST_ROWS, FEWEST_ROWS) for _ in range(3))

        def step() -> None:
            product(a, b)
            product(a, b, plus)
            add_product(plus, a, b)
            linear(a, b, None)

        return step

    assert peak_bytes(prepare) >= 4 * 4 * FEWEST_ROWS**2
