"""Matrix products in float32 on the fastest kernel that torch has for a CPU.

torch.mm goes to MKL, which uses AVX2 on processors that are not Intel's even where they have AVX-512: 97
GFLOP/s a core of a Zen 5, on which the kernels of oneDNN, also part of torch, reach 220. Where a core has
AVX2 only, oneDNN's are a seventh faster. So products of matrices with some rows go to oneDNN wherever this
torch has it for an x86 processor. That is decided by what torch and the processor are, never by measuring:
the same command gives the same bits.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

FEWEST_ROWS = 16
"""With fewer rows on the left, oneDNN's rearranging of the right matrix takes longer than it saves."""

ADDED_ELEMENTS = 2**21
"""Elements of a product that are made before they are added: memory of 8 MiB is had again and again, more is
handed back to the system and must be cleared each time."""

_HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
ONEDNN = _HAS_ONEDNN and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
"""Whether oneDNN multiplies."""


def product(a: Tensor, b: Tensor, plus: Tensor | None = None) -> Tensor:
    """a @ b + plus of two matrices, or of batches of them; no gradient flows through it."""
    if a.dim() != 2 or not _for_onednn(a, len(a)):
        return a @ b if plus is None else a @ b + plus
    if plus is not None:
        if isinstance(a, FakeTensor):  # without data, as memory is counted: torch knows no shape for the next
            return _onednn(a, b.T, None) + plus
        y: Tensor = torch.ops.mkldnn._linear_pointwise.binary(a, plus, b.T, None, "add")
        return y
    if a.is_contiguous() or a.numel() <= b.numel() + len(a) * b.size(1):
        return _onednn(a, b.T, None)
    # The left matrix is laid out by rows first, the right one is taken as it lies: swapped, less is moved.
    return _onednn(b.T, a, None).T


def add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a @ b to `total`, as `total.addmm_(a, b)`; no gradient flows through it."""
    if not _for_onednn(a, len(a)):
        total.addmm_(a, b)
        return
    a, width = a.contiguous(), max(1, ADDED_ELEMENTS // len(a))
    for some, columns in zip(torch.split(total, width, dim=1), torch.split(b, width, dim=1), strict=True):
        some += _onednn(a, columns.T, None)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x @ weight.T + bias as `torch.nn.functional.linear`: x (..., D), weight (E, D), bias (E,)."""
    rows = x.numel() // max(1, x.size(-1))
    if torch.is_autocast_enabled(x.device.type) or not _for_onednn(x, rows):
        return F.linear(x, weight, bias)
    y: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return y


class Linear(nn.Linear):
    """`torch.nn.Linear` by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., D) times the weights, plus the bias where there is one."""
        return linear(x, self.weight, self.bias)


def _for_onednn(x: Tensor, rows: int) -> bool:
    here = ONEDNN and x.device.type == "cpu" and not torch.compiler.is_compiling()
    return here and x.dtype == torch.float32 and rows >= FEWEST_ROWS


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x @ weight.T + bias; the operation is the one that torch.compile chooses for linear layers."""
    if not (weight.is_contiguous() or weight.T.is_contiguous()):
        weight = weight.contiguous()  # other layouts take oneDNN a thousand times as long
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return y


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        rows = grad.reshape(-1, grad.size(-1))
        grad_x = product(rows, weight).view_as(x) if wants_x else None
        grad_weight = product(rows.T, x.reshape(-1, x.size(-1))).contiguous() if wants_weight else None
        return grad_x, grad_weight, rows.sum(0) if wants_bias else None
