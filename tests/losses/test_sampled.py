"""Negative sampling, NCE and sampled softmax: optima, constants, masks, layers."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses import (
    NCELoss,
    NegativeSamplingLoss,
    SampledSoftmaxLoss,
    Sampler,
    nce_loss,
    negative_sampling_loss,
    sampled_softmax_loss,
)

Layer = NCELoss | NegativeSamplingLoss | SampledSoftmaxLoss

# 8 draws of p and of q each, so that lists enumerate the expectations exactly
P_DRAWS = torch.tensor([0, 1, 1, 2, 2, 2, 2, 3])
Q_DRAWS = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3])
P, Q = (draws.bincount().double() / 8 for draws in (P_DRAWS, Q_DRAWS))
K = len(Q_DRAWS)
COUNTS = [50.0, 20, 11, 7, 3, 1]


def zipf(size: int) -> Tensor:
    weights = 1 / torch.arange(1, size + 1, dtype=torch.float64)
    return weights / weights.sum()


def gradient_at(scores: Tensor, *, log_counts: Tensor | None) -> Tensor:
    """The exact gradient of the expected NCE loss (NEG without counts) in the table of scores."""
    table = scores.clone().requires_grad_()
    positive, negative = table[P_DRAWS], table[Q_DRAWS].expand(len(P_DRAWS), K)
    if log_counts is None:
        loss = negative_sampling_loss(positive, negative)
    else:
        loss = nce_loss(positive, negative, log_counts[P_DRAWS], log_counts[Q_DRAWS])
    return torch.autograd.grad(loss, table)[0]


def trained(layer: Layer, p: Tensor, batch: int, steps: int = 500) -> Tensor:
    """Train on draws of p with one context, and return the scores of all classes."""
    data, generator = Sampler(p.log()), torch.Generator().manual_seed(2)
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        targets = data.sample((batch,), generator=generator)
        layer(torch.ones(batch, 1), targets, generator=generator).backward()
        optimizer.step()
        schedule.step()
    return layer.scores(torch.ones(1)).detach().double()


def test_the_optimum_of_nce_is_log_p() -> None:
    log_counts = math.log(K) + Q.log()
    assert gradient_at(P.log(), log_counts=log_counts).abs().max() < 1e-15
    assert gradient_at(P.log() + 0.1, log_counts=log_counts).abs().max() > 1e-3


def test_the_optimum_of_negative_sampling_is_log_p_over_q_less_log_k() -> None:
    optimum = P.log() - Q.log() - math.log(K)
    assert gradient_at(optimum, log_counts=None).abs().max() < 1e-15
    assert gradient_at(optimum + math.log(K), log_counts=None).abs().max() > 1e-2


def test_the_gradient_of_nce_tends_to_that_of_maximum_likelihood() -> None:
    # Gutmann & Hyvärinen 2010: with k to infinity the gradient is exp s - p, that of -log p for Z = 1
    scores = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64).log()
    gaps = []
    for k in (8, 800, 80_000):
        counts = math.log(k) + Q.log()
        table = scores.clone().requires_grad_()
        noise = functional.softplus(table - counts) * k * Q  # the k negatives in expectation
        positive = nce_loss(table[P_DRAWS], table[P_DRAWS].unsqueeze(1)[:, :0], counts[P_DRAWS], counts[:0])
        (gradient,) = torch.autograd.grad(positive + noise.sum(), table)
        gaps.append((gradient - (scores.exp() - P)).abs().max().item())
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2]
    assert gaps[2] < 1e-4


def test_nce_normalises_itself() -> None:
    p = zipf(200)
    scores = trained(NCELoss(Sampler.unigram(p), 1, negatives=5, per_target=True), p, batch=2048)
    assert scores.exp().sum().item() == pytest.approx(1, abs=0.01)
    assert (p * (scores - p.log()).abs()).sum() < 0.03


def test_negative_sampling_learns_the_shifted_ratio_and_undoes_it() -> None:
    p = zipf(200)
    layer = NegativeSamplingLoss(Sampler.unigram(p), 1, negatives=5, per_target=True)
    scores = trained(layer, p, batch=2048)
    optimum = p.log() - layer.sampler.log_q - math.log(5)
    assert (p * (scores - optimum).abs()).sum() < 0.03
    assert scores.exp().sum() > 20  # not normalised
    assert (p * (layer.log_prob(torch.ones(1)) - p.log()).abs()).sum() < 0.03


@pytest.mark.parametrize("negatives", [50, None], ids=["distinct", "in-batch"])
def test_sampled_softmax_learns_log_p_up_to_a_constant(negatives: int | None) -> None:
    p = zipf(200)
    alpha = 0.75 if negatives else 1.0
    layer = SampledSoftmaxLoss(Sampler.unigram(p, alpha=alpha), 1, negatives=negatives)
    trained(layer, p, batch=1024 if negatives else 128)
    # 0.06 in both, the bias of leaving hits out; without - log Q it is 0.66 and 1.63
    assert (p * (layer.log_prob(torch.ones(1)) - p.log()).abs()).sum() < 0.1


def test_sampled_softmax_over_every_class_is_the_full_softmax() -> None:
    layer = SampledSoftmaxLoss(Sampler.uniform(9), 4, negatives=9).double()
    hidden, targets = torch.randn(6, 4, dtype=torch.float64), torch.arange(6)
    full = functional.nll_loss(layer.log_prob(hidden), targets)
    assert layer(hidden, targets).item() == pytest.approx(full.item(), abs=1e-12)


def test_sampled_softmax_in_batch_is_cross_entropy_over_the_batch() -> None:
    layer = SampledSoftmaxLoss(Sampler.unigram(COUNTS, alpha=1), 4, negatives=None).double()
    hidden, targets = torch.randn(4, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 5])
    logits = layer.scores(hidden)[:, targets] - layer.sampler.log_q[targets]
    expected = functional.cross_entropy(logits, torch.arange(4))
    assert layer(hidden, targets).item() == pytest.approx(expected.item(), abs=1e-12)


def test_zero_scores_cost_one_log_2_a_decision() -> None:
    loss = negative_sampling_loss(torch.zeros(3), torch.zeros(3, 5))
    assert loss.item() == pytest.approx(6 * math.log(2), abs=1e-6)


def test_nce_is_negative_sampling_where_every_expected_count_is_1() -> None:
    sampler, targets = Sampler.uniform(7), torch.arange(7)
    drawn = sampler.draw(targets, 7, generator=torch.Generator().manual_seed(1))
    positive, negative = torch.randn(7), torch.randn(7, 7)
    nce = nce_loss(positive, negative, drawn.target_log_counts, drawn.log_counts, reduction="none")
    assert nce.equal(negative_sampling_loss(positive, negative, reduction="none"))


def test_a_shift_of_the_scores_is_a_shift_of_log_z() -> None:
    positive, negative = torch.randn(3, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    counts = torch.randn(3, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    shifted = nce_loss(positive + 2, negative + 2, *counts, log_z=2.0)
    assert shifted.item() == pytest.approx(nce_loss(positive, negative, *counts).item(), abs=1e-12)


def test_log_z_is_learned_or_fixed() -> None:
    sampler = Sampler.unigram(COUNTS)
    learned = NCELoss(sampler, 4, log_z=1.5, learn_log_z=True)
    learned(torch.randn(6, 4), torch.arange(6)).backward()
    assert isinstance(learned.log_z, nn.Parameter)
    assert learned.log_z.grad is not None
    assert learned.log_z.grad != 0
    assert "log_z" not in dict(NCELoss(sampler, 4, log_z=1.5).named_parameters())


def test_nce_starts_at_the_noise_and_normalised() -> None:
    layer = NCELoss(Sampler.unigram([*COUNTS, 0]), 4)
    assert layer.bias is not None
    assert layer.bias[:6].detach().equal(layer.sampler.log_q[:6].float())
    assert layer.bias[6] == layer.bias[5]  # never drawn: as the rarest


def test_accidental_hits_count_in_nce_alone() -> None:
    layers: list[Layer] = [
        NegativeSamplingLoss(Sampler.uniform(1), 2, negatives=3),
        NegativeSamplingLoss(Sampler.uniform(1), 2, negatives=3, skip_hits=True),
        NCELoss(Sampler.uniform(1), 2, negatives=3),
        SampledSoftmaxLoss(Sampler.uniform(1), 2, negatives=3, unique=False),
    ]
    # one class: every negative is a hit; scores 0, except for log(k q) = log 3 in NCE
    losses = [layer(torch.zeros(2, 2), torch.zeros(2, dtype=torch.long)).item() for layer in layers]
    nce = math.log1p(3) + 3 * math.log1p(1 / 3)
    assert losses == pytest.approx([4 * math.log(2), math.log(2), nce, 0], abs=1e-6)


def test_masked_scores_leave_loss_and_gradient_without_a_trace() -> None:
    positive = torch.randn(2, dtype=torch.float64)
    negative = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    excluded = torch.tensor([[False, True, False, False], [False, False, False, False]])
    counts = torch.zeros(2), torch.zeros(4)
    for loss in (
        negative_sampling_loss(positive, negative, excluded=excluded, reduction="none"),
        nce_loss(positive, negative, *counts, excluded=excluded, reduction="none"),
        sampled_softmax_loss(positive, negative, *counts, excluded=excluded, reduction="none"),
    ):
        (gradient,) = torch.autograd.grad(loss.sum(), negative, retain_graph=True)
        assert gradient[0, 1] == 0
        assert (gradient != 0).sum() == 7
    kept = negative[:1, [0, 2, 3]]
    assert loss[0].item() == pytest.approx(
        sampled_softmax_loss(positive[:1], kept, torch.zeros(1), torch.zeros(3)).item()
    )


def test_in_batch_nce_leaves_out_the_row_s_own_target_only() -> None:
    layer = NCELoss(Sampler.unigram(COUNTS, alpha=1), 4, negatives=None).double()
    hidden, targets = torch.randn(3, 4, dtype=torch.float64), torch.tensor([0, 1, 0])
    scores, counts = layer.scores(hidden)[:, targets], math.log(2) + layer.sampler.log_q[targets]
    others = torch.tensor([[1, 2], [0, 2], [0, 1]])
    expected = nce_loss(scores.diagonal(), scores.gather(1, others), counts, counts[others])
    assert layer(hidden, targets).item() == pytest.approx(expected.item(), abs=1e-12)


def test_negatives_are_shared_or_each_target_s_own() -> None:
    sampler, hidden, targets = Sampler.unigram(COUNTS), torch.randn(2, 3, 4), torch.arange(6).reshape(2, 3)
    for per_target in (False, True):
        layer = NegativeSamplingLoss(sampler, 4, negatives=3, per_target=per_target)
        loss = layer(hidden, targets, generator=torch.Generator().manual_seed(5))
        drawn = sampler.draw(
            targets.reshape(-1), 3, per_target=per_target, generator=torch.Generator().manual_seed(5)
        )
        scores = layer.scores(hidden).reshape(6, -1)
        negative = scores.gather(1, drawn.ids.expand(6, 3))
        expected = negative_sampling_loss(scores.gather(1, targets.reshape(6, 1))[:, 0], negative)
        assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_sparse_gradients_are_the_dense_ones() -> None:
    gradients = []
    for sparse in (False, True):
        torch.manual_seed(1)
        layer = NCELoss(Sampler.unigram(COUNTS), 4, negatives=3, sparse=sparse)
        layer(torch.ones(2, 4), torch.tensor([1, 5]), generator=torch.Generator().manual_seed(2)).backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad)
    assert gradients[1].is_sparse
    assert torch.allclose(gradients[1].to_dense(), gradients[0])


def test_a_layer_can_be_tied_to_an_embedding() -> None:
    embedding = nn.Embedding(6, 4)
    layer = NegativeSamplingLoss(Sampler.unigram(COUNTS), 4)
    layer.weight = embedding.weight
    layer(embedding(torch.tensor([0, 1])), torch.tensor([2, 3])).backward()
    assert embedding.weight.grad is not None
    assert (embedding.weight.grad[[0, 1, 2, 3]] != 0).any(dim=1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_compute_in_single_precision(dtype: torch.dtype) -> None:
    layer = SampledSoftmaxLoss(Sampler.unigram(COUNTS), 8, negatives=4)
    hidden, targets = 30 * torch.randn(6, 8).to(dtype), torch.arange(6)
    exact = layer(hidden.float(), targets, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = layer(hidden, targets, generator=torch.Generator().manual_seed(1))
        scores = layer.scores(hidden)
    assert mixed.dtype == scores.dtype == torch.float32
    assert mixed.item() == exact.item()
    assert layer.to(dtype)(hidden, targets).isfinite()


def test_huge_scores_stay_finite() -> None:
    positive = torch.tensor([-6e4, 6e4], dtype=torch.float16, requires_grad=True)
    negative = torch.tensor([[6e4], [-6e4]], dtype=torch.float16)
    counts = torch.tensor([-20.0, -20.0]), torch.tensor([-20.0])
    for loss in (
        negative_sampling_loss(positive, negative),
        nce_loss(positive, negative, *counts),
        sampled_softmax_loss(positive, negative, *counts),
    ):
        (gradient,) = torch.autograd.grad(loss, positive)
        assert loss.isfinite()
        assert gradient[0] == -0.5  # the wrong row pulls with its full weight


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_functions_pass_gradcheck(reduction: str) -> None:
    scores = (
        torch.randn(3, dtype=torch.float64, requires_grad=True),
        torch.randn(3, 4, dtype=torch.float64, requires_grad=True),
    )
    counts = torch.randn(3, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    excluded = torch.eye(3, 4, dtype=torch.bool)
    log_z = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    options = {"excluded": excluded, "reduction": reduction}
    assert torch.autograd.gradcheck(lambda p, n: negative_sampling_loss(p, n, **options), scores)
    assert torch.autograd.gradcheck(lambda p, n: sampled_softmax_loss(p, n, *counts, **options), scores)
    assert torch.autograd.gradcheck(
        lambda p, n, z: nce_loss(p, n, *counts, log_z=z, **options), (*scores, log_z)
    )


@pytest.mark.parametrize(
    ("positive", "negative", "options", "message"),
    [
        (torch.zeros(2), torch.zeros(3, 4), {}, "not 2 and 3 x 4"),
        (torch.zeros(2, 1), torch.zeros(2, 4), {}, "scores must be B and B x K"),
        (torch.zeros(2), torch.zeros(2, 4), {"excluded": torch.zeros(2) > 0}, "excluded must be"),
        (torch.zeros(0), torch.zeros(0, 4), {}, "the batch is empty"),
        (torch.zeros(2), torch.zeros(2, 4), {"reduction": "average"}, "not 'average'"),
        (torch.zeros(2, dtype=torch.long), torch.zeros(2, 4), {}, "floating-point scores"),
    ],
)
def test_wrong_scores_are_refused(
    positive: Tensor, negative: Tensor, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        negative_sampling_loss(positive, negative, **options)


def test_wrong_layers_and_inputs_are_refused() -> None:
    sampler = Sampler.uniform(4)
    with pytest.raises(UsageError, match="dim must be at least 1"):
        NCELoss(sampler, 0)
    with pytest.raises(UsageError, match="negatives must be at least 1, not 0"):
        NCELoss(sampler, 3, negatives=0)
    with pytest.raises(UsageError, match="leave out per_target"):
        NegativeSamplingLoss(sampler, 3, negatives=None, per_target=True)
    with pytest.raises(UsageError, match="hidden must be the targets' shape, 2, and 3 wide, not 2 x 5"):
        NCELoss(sampler, 3)(torch.zeros(2, 5), torch.tensor([0, 1]))
    with pytest.raises(UsageError, match="9 distinct negatives"):
        SampledSoftmaxLoss(sampler, 3, negatives=9)(torch.zeros(2, 3), torch.tensor([0, 1]))
