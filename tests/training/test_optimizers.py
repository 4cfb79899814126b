"""Muon against the singular value decomposition; which parameters decay; the schedule's corners."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from nlpkit.errors import UsageError
from nlpkit.training.muon import Muon, orthogonalize
from nlpkit.training.optimizers import OptimizerConfig, build_optimizers
from nlpkit.training.schedules import cosine


@pytest.mark.parametrize("shape", [(8, 8), (12, 5), (5, 12), (3, 16, 16)])
def test_orthogonalize_keeps_singular_vectors_and_levels_their_values(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ orthogonalize(matrices) @ vh.mT  # diagonal where the singular vectors are kept
    values = torch.diagonal(inner, dim1=-2, dim2=-1)
    assert (inner - torch.diag_embed(values)).abs().max() < 1e-4
    assert values.min() > 0.6
    assert values.max() < 1.3


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


def test_each_parameter_has_one_optimizer_and_vectors_do_not_decay() -> None:
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    matrix = module[1].weight
    adamw, muon = build_optimizers(module, OptimizerConfig(optimizer="muon"), [(matrix, (4,))])
    assert [p for group in muon.param_groups for p in group["params"]] == [matrix]
    decays = {id(p): group["weight_decay"] for group in adamw.param_groups for p in group["params"]}
    assert decays == {id(p): (0.1 if p.dim() > 1 else 0.0) for p in module.parameters() if p is not matrix}
    (alone,) = build_optimizers(module, OptimizerConfig(), [(matrix, (4,))])
    assert sum(len(group["params"]) for group in alone.param_groups) == len(list(module.parameters()))


@pytest.mark.parametrize("bad", [{"lr": 0.0}, {"muon_lr": -1.0}, {"beta1": 1.0}, {"weight_decay": -0.1}])
def test_impossible_rates_are_refused(bad: dict[str, float]) -> None:
    (name,) = bad
    with pytest.raises(UsageError, match=f"{name} is"):
        OptimizerConfig(**bad)


def test_cosine_rises_falls_and_ends_at_its_final_value() -> None:
    factors = [cosine(step, 101, warmup=10, final=0.1) for step in range(101)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert factors[100] == pytest.approx(0.1)
    assert all(later < earlier for earlier, later in pairwise(factors[10:]))


def test_cosine_of_a_single_step_is_full_speed() -> None:
    assert cosine(0, 1, warmup=0, final=0.1) == 1.0
