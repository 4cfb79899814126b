"""Muon against the singular value decomposition; which parameters decay; the schedule's corners."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from nlpkit.errors import UsageError
from nlpkit.training.muon import NEWTON_SCHULZ, Muon, orthogonalize
from nlpkit.training.optimizers import OptimizerConfig, build_optimizers
from nlpkit.training.schedules import rate_factor


@pytest.mark.parametrize("shape", [(8, 8), (12, 5), (5, 12), (3, 16, 16), (2, 3, 40, 16)])
def test_orthogonalize_keeps_singular_vectors_and_levels_their_values(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ orthogonalize(matrices) @ vh.mT  # diagonal where the singular vectors are kept
    values = torch.diagonal(inner, dim1=-2, dim2=-1)
    assert (inner - torch.diag_embed(values)).abs().max() < 1e-4
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_orthogonalize_in_bfloat16_is_close_to_that_in_float32() -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, 16, 24)
    halved = orthogonalize(matrices, torch.bfloat16)
    assert halved.dtype == torch.float32
    difference = (halved - orthogonalize(matrices)).norm() / halved.norm()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("shape", [(20, 20), (20, 60), (90, 30)])
@pytest.mark.parametrize("decades", [0, 6])
def test_orthogonalize_is_newton_schulz_also_where_singular_values_are_small(
    shape: tuple[int, int], decades: int
) -> None:
    torch.manual_seed(0)
    u, _, vh = torch.linalg.svd(torch.randn(shape, dtype=torch.float64), full_matrices=False)
    values = 10.0 ** -torch.linspace(0, decades, min(shape), dtype=torch.float64)
    matrix = u * values @ vh
    values = values / matrix.norm()
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        values = a * values + b * values**3 + c * values**5
    torch.testing.assert_close(orthogonalize(matrix.float()), (u * values @ vh).float(), rtol=0, atol=1e-3)


def test_muon_moves_a_stacked_matrix_as_its_parts() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(4, 6) for _ in range(3)]
    gradients = [torch.randn(4, 6) for _ in range(3)]
    stacked = nn.Parameter(torch.cat(parts))
    single = [nn.Parameter(part.clone()) for part in parts]
    one = Muon([(stacked, (4, 4, 4))], lr=0.1, weight_decay=0.1)
    other = Muon([(parameter, (4,)) for parameter in single], lr=0.1, weight_decay=0.1)
    for _ in range(3):
        stacked.grad = torch.cat(gradients)
        one.step()
        for parameter, gradient in zip(single, gradients, strict=True):
            parameter.grad = gradient.clone()
        other.step()
    torch.testing.assert_close(stacked.data, torch.cat([parameter.data for parameter in single]))


def test_muon_step_is_momentum_orthogonalised_and_scaled() -> None:
    torch.manual_seed(0)
    weight, gradient = torch.randn(8, 2), torch.randn(8, 2)
    parameter = nn.Parameter(weight.clone())
    muon = Muon([(parameter, (8,))], lr=0.5, momentum=0.9, weight_decay=0.2)
    parameter.grad = gradient.clone()
    muon.step()
    look_ahead = 0.1 * gradient + 0.9 * (0.1 * gradient)  # proportional to it; the scale does not matter
    expected = weight * (1 - 0.5 * 0.2) - 0.5 * 2.0 * orthogonalize(look_ahead)  # sqrt(8 / 2) = 2
    torch.testing.assert_close(parameter.data, expected, rtol=1e-4, atol=1e-5)


def test_muon_orthogonalises_in_the_dtype_of_the_runs_products() -> None:
    torch.manual_seed(0)
    module, gradient = nn.Linear(8, 8), torch.randn(8, 8)
    weight = module.weight.detach().clone()
    updates = []
    for dtype in (torch.float32, torch.bfloat16):
        module.weight.data.copy_(weight)
        config = OptimizerConfig(optimizer="muon", muon_lr=1.0, weight_decay=0.0)
        _, muon = build_optimizers(module, config, [(module.weight, (8,))], dtype=dtype)
        module.weight.grad = gradient.clone()
        muon.step()
        updates.append(weight - module.weight.data)
    torch.testing.assert_close(updates[0], orthogonalize(gradient), rtol=1e-4, atol=1e-5)
    assert 1e-4 < (updates[1] - updates[0]).abs().max() < 0.05


def test_each_parameter_has_one_optimizer_and_vectors_do_not_decay() -> None:
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    matrix = module[1].weight
    adamw, muon = build_optimizers(module, OptimizerConfig(optimizer="muon"), [(matrix, (4,))])
    assert [p for group in muon.param_groups for p in group["params"]] == [matrix]
    decays = {id(p): group["weight_decay"] for group in adamw.param_groups for p in group["params"]}
    assert decays == {id(p): (0.1 if p.dim() > 1 else 0.0) for p in module.parameters() if p is not matrix}
    (alone,) = build_optimizers(module, OptimizerConfig(), [(matrix, (4,))])
    assert sum(len(group["params"]) for group in alone.param_groups) == len(list(module.parameters()))


@pytest.mark.parametrize(
    "bad", [{"lr": 0.0}, {"muon_lr": -1.0}, {"beta1": 1.0}, {"momentum": 1.0}, {"weight_decay": -0.1}]
)
def test_impossible_rates_are_refused(bad: dict[str, float]) -> None:
    (name,) = bad
    with pytest.raises(UsageError, match=f"{name} is"):
        OptimizerConfig(**bad)


def factors(schedule: Any, steps: int = 101, decay: float = 0.2) -> list[float]:
    return [rate_factor(schedule, step, steps, warmup=10, final=0.1, decay=decay) for step in range(steps)]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_schedules_rise_fall_and_end_at_their_final_value(schedule: str) -> None:
    values = factors(schedule)
    assert values[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert values[10] == 1.0
    assert values[100] == pytest.approx(0.1)
    assert all(later <= earlier for earlier, later in pairwise(values[10:]))


def test_schedules_go_their_own_way_between() -> None:
    assert factors("cosine")[55] == pytest.approx(0.1 + 0.9 * 0.5)
    assert factors("cosine")[33] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 23 / 90)))
    assert factors("linear")[33] == pytest.approx(1 - 0.9 * 23 / 90)
    stable = factors("wsd")
    assert stable[10:82] == [1.0] * 72
    assert stable[90] == pytest.approx(1 - 0.9 * 9 / 19)
    assert set(factors("constant")[10:]) == {1.0}


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd", "constant"])
def test_a_single_step_is_full_speed(schedule: Any) -> None:
    assert rate_factor(schedule, 0, 1, warmup=0, final=0.1, decay=0.2) == 1.0


def test_sgd_moves_against_the_gradient() -> None:
    module = nn.Linear(2, 2)
    (sgd,) = build_optimizers(module, OptimizerConfig(optimizer="sgd", lr=0.5, weight_decay=0.1))
    weight, bias = module.weight.detach().clone(), module.bias.detach().clone()
    module(torch.ones(1, 2)).sum().backward()
    sgd.step()
    torch.testing.assert_close(module.weight.data, weight - 0.5 * (1 + 0.1 * weight))
    torch.testing.assert_close(module.bias.data, bias - 0.5)
