"""Samplers: the exact log q, draws that follow it, expected counts with and without replacement."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlpkit.errors import UsageError
from nlpkit.losses import NCELoss, Sampler

COUNTS = [50, 0, 7, 1, 20, 3, 0, 11]


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frequencies(ids: Tensor, size: int) -> Tensor:
    return ids.reshape(-1).bincount(minlength=size).double()


def chi_square_per_degree(sampler: Sampler, draws: int) -> float:
    seen = frequencies(sampler.sample((draws,), generator=seeded()), len(sampler.log_q))
    expected = draws * sampler.log_q.exp()
    possible = expected > 0
    assert seen[~possible].sum() == 0
    terms = (seen - expected)[possible] ** 2 / expected[possible]
    return float(terms.sum() / (int(possible.sum()) - 1))


def test_log_q_is_the_closed_form() -> None:
    weights = torch.tensor(COUNTS, dtype=torch.float64) ** 0.75
    assert torch.allclose(Sampler.unigram(COUNTS).log_q.exp(), weights / weights.sum(), rtol=1e-14)
    ranks = torch.arange(9, dtype=torch.float64)
    zipf = ((ranks + 2).log() - (ranks + 1).log()) / math.log(10)
    assert torch.allclose(Sampler.log_uniform(9).log_q.exp(), zipf, rtol=1e-13)
    assert torch.allclose(Sampler.uniform(9).log_q.exp(), torch.full((9,), 1 / 9, dtype=torch.float64))


def test_an_alpha_of_zero_is_uniform_over_the_ids_that_occur() -> None:
    log_q = Sampler.unigram(COUNTS, alpha=0).log_q
    assert log_q[0].item() == pytest.approx(-math.log(6))
    assert log_q[1].item() == -math.inf


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(any))
@settings(max_examples=60, deadline=None)
def test_the_alias_table_holds_exactly_q(counts: list[float]) -> None:
    sampler = Sampler.unigram(counts, alpha=1)
    columns = sampler.threshold.clone().index_add_(0, sampler.alias, 1 - sampler.threshold)
    assert torch.allclose(columns / len(counts), sampler.log_q.exp(), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "sampler",
    [Sampler.unigram(COUNTS), Sampler.log_uniform(30), Sampler.uniform(30)],
    ids=["unigram", "log-uniform", "uniform"],
)
def test_draws_follow_q(sampler: Sampler) -> None:
    assert 0.2 < chi_square_per_degree(sampler, 200_000) < 2.5


def test_a_seed_fixes_the_draws() -> None:
    sampler = Sampler.log_uniform(1000)
    first, again, other = (sampler.sample((50,), generator=seeded(seed)) for seed in (3, 3, 4))
    assert first.equal(again)
    assert not first.equal(other)
    unique = [sampler.sample_unique(50, generator=seeded(seed))[0] for seed in (3, 3, 4)]
    assert unique[0].equal(unique[1])
    assert not unique[0].equal(unique[2])


def test_expected_counts_with_replacement_are_what_comes() -> None:
    sampler = Sampler.unigram(COUNTS)
    drawn = frequencies(sampler.sample((20_000, 6), generator=seeded()), len(COUNTS)) / 20_000
    expected = sampler.log_expected_counts(torch.arange(len(COUNTS)), 6).exp()
    assert torch.allclose(drawn, expected, atol=0.02)


def test_distinct_draws_follow_the_law_of_drawing_one_by_one() -> None:
    # two ids of q: i is among them with q_i + sum_{j != i} q_j q_i / (1 - q_j), and it takes
    # 1 + sum_j q_j / (1 - q_j) draws to find both
    sampler, generator = Sampler.unigram([8, 4, 2, 1, 1], alpha=1), seeded()
    q = sampler.log_q.exp()
    odds = q / (1 - q)
    included, draws = torch.zeros_like(q), 0.0
    rounds = 6000
    for _ in range(rounds):
        ids, taken = sampler.sample_unique(2, generator=generator)
        assert ids[0] != ids[1]
        included += frequencies(ids, 5)
        draws += taken.item()
    assert torch.allclose(included / rounds, q * (1 + odds.sum() - odds), atol=0.025)
    assert draws / rounds == pytest.approx(1 + odds.sum().item(), rel=0.03)


def test_finding_every_id_takes_as_long_as_collecting_coupons() -> None:
    sampler, generator = Sampler.uniform(12), seeded()
    found = [sampler.sample_unique(12, generator=generator) for _ in range(1500)]
    assert all(ids.sort().values.equal(torch.arange(12)) for ids, _ in found)
    mean = sum(draws.item() for _, draws in found) / len(found)
    assert mean == pytest.approx(12 * sum(1 / n for n in range(1, 13)), rel=0.03)


def test_expected_counts_without_replacement_are_what_comes() -> None:
    sampler, generator = Sampler.log_uniform(40), seeded()
    everything = torch.arange(40)
    included, expected = torch.zeros(40, dtype=torch.float64), torch.zeros(40, dtype=torch.float64)
    for _ in range(2000):
        ids, draws = sampler.sample_unique(10, generator=generator)
        included += frequencies(ids, 40)
        expected += sampler.log_expected_unique(everything, draws).exp()
    assert torch.allclose(included / 2000, expected / 2000, atol=0.04)
    assert expected.sum().item() / 2000 == pytest.approx(10, abs=0.15)


def test_expected_counts_keep_their_digits_for_rare_ids() -> None:
    sampler = Sampler(torch.tensor([0.0, -50.0], dtype=torch.float64))  # q of the second: 1.9e-22
    log_count = sampler.log_expected_unique(torch.tensor([1]), torch.tensor(1000.0, dtype=torch.float64))
    assert log_count.item() == pytest.approx(math.log(1000) - 50, abs=1e-9)


def test_a_draw_comes_with_its_counts() -> None:
    sampler, targets = Sampler.unigram(COUNTS), torch.tensor([0, 2, 0])
    shared = sampler.draw(targets, 5, generator=seeded())
    own = sampler.draw(targets, 5, per_target=True, generator=seeded())
    unique = sampler.draw(targets, 5, unique=True, generator=seeded())
    assert (shared.ids.shape, own.ids.shape, unique.ids.shape) == ((5,), (3, 5), (5,))
    for drawn in (shared, own):
        assert drawn.log_counts.equal(math.log(5) + sampler.log_q[drawn.ids])
        assert drawn.target_log_counts.equal(math.log(5) + sampler.log_q[targets])
    assert len(unique.ids.unique()) == 5
    assert (unique.log_counts < 0).all()
    assert unique.own is None


def test_a_batch_gives_its_other_targets() -> None:
    sampler, targets = Sampler.unigram(COUNTS, alpha=1), torch.tensor([0, 2, 0, 7])
    drawn = sampler.draw_in_batch(targets)
    assert drawn.ids.equal(targets)
    assert drawn.log_counts.equal(math.log(3) + sampler.log_q[targets])
    assert drawn.own is not None
    assert drawn.own.equal(torch.eye(4, dtype=torch.bool))


def test_casting_the_model_leaves_the_tables_alone() -> None:
    loss = NCELoss(Sampler.log_uniform(500), 4)
    before = loss.sampler.log_q.clone()
    loss.half()
    assert loss.weight.dtype == torch.float16
    assert loss.sampler.log_q.equal(before)
    assert loss.sampler.threshold.dtype == torch.float64


def test_tables_are_not_saved() -> None:
    assert not Sampler.uniform(5).state_dict()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_draws_follow_q_on_a_gpu() -> None:
    sampler = Sampler.unigram(COUNTS).cuda()
    ids = sampler.sample((200_000,), generator=torch.Generator("cuda").manual_seed(1))
    seen = frequencies(ids.cpu(), len(COUNTS)) / 200_000
    assert torch.allclose(seen, sampler.log_q.exp().cpu(), atol=0.01)
    unique, draws = sampler.sample_unique(6)
    assert sorted(unique.tolist()) == [0, 2, 3, 4, 5, 7]
    assert draws >= 6


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.empty(0), "needs a list of one weight or more"),
        (torch.zeros(2, 2), "needs a list of one weight or more"),
        (torch.tensor([0.0, math.nan]), "must be numbers, not NaN"),
        (torch.tensor([0.0, math.inf]), "must be numbers, not NaN"),
        (torch.tensor([-math.inf, -math.inf]), "at least one id with a weight above zero"),
    ],
)
def test_weights_that_are_no_distribution_are_refused(weights: Tensor, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampler(weights)


def test_wrong_counts_and_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="counts must not be negative"):
        Sampler.unigram([3, -1])
    with pytest.raises(UsageError, match="alpha must be a number"):
        Sampler.unigram([3, 1], alpha=math.nan)
    with pytest.raises(UsageError, match="at least one id, not 0"):
        Sampler.uniform(0)
    with pytest.raises(UsageError, match="at least one id, not -2"):
        Sampler.log_uniform(-2)


@pytest.mark.parametrize(
    ("targets", "negatives", "options", "message"),
    [
        ([0], 0, {}, "negatives must be at least 1, not 0"),
        ([0], 7, {"unique": True}, "7 distinct negatives were asked for, but 6 ids can be drawn"),
        ([0], 2, {"unique": True, "per_target": True}, "leave out per_target"),
        ([8], 2, {}, "target 8 is not an id of the sampler's 8"),
        ([-1], 2, {}, "target -1 is not an id"),
        ([1], 2, {}, "a target has no weight in the sampler"),
        ([0.5], 2, {}, "tensor of integer ids"),
        ([[0]], 2, {}, "one-dimensional tensor"),
    ],
)
def test_wrong_draws_are_refused(
    targets: list[int], negatives: int, options: dict[str, bool], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Sampler.unigram(COUNTS).draw(torch.tensor(targets), negatives, **options)


def test_a_batch_of_one_has_no_others() -> None:
    with pytest.raises(UsageError, match="at least two targets"):
        Sampler.uniform(4).draw_in_batch(torch.tensor([1]))


def test_a_generator_of_another_device_is_refused() -> None:
    sampler = Sampler.uniform(4).to("meta")
    with pytest.raises(UsageError, match="the generator is on cpu and the sampler on meta"):
        sampler.sample((2,), generator=seeded())
