"""InfoNCE: closed forms, explicit negatives, the queue, the learned temperature, the MI cap."""

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nlpkit.errors import UsageError
from nlpkit.losses import InfoNCELoss, MoCoQueue, info_nce_loss


def pairs(rows: int = 5, dim: int = 3) -> tuple[Tensor, Tensor]:
    first, second = torch.randn(2, rows, dim, dtype=torch.float64).requires_grad_().unbind()
    return first, second


def cosines(first: Tensor, second: Tensor) -> Tensor:
    return functional.normalize(first) @ functional.normalize(second).T


def test_all_equal_scores_cost_log_n() -> None:
    features = torch.ones(8, 3)
    assert info_nce_loss(features, features).item() == pytest.approx(math.log(8), abs=1e-6)
    with_negatives = info_nce_loss(features, features, torch.ones(4, 3))
    assert with_negatives.item() == pytest.approx(math.log(12), abs=1e-6)


def test_in_batch_and_symmetric_are_cross_entropy_over_rows_and_columns() -> None:
    anchors, positives = pairs()
    logits, labels = cosines(anchors, positives) / 0.2, torch.arange(5)
    rows = functional.cross_entropy(logits, labels).item()
    columns = functional.cross_entropy(logits.T, labels).item()
    assert info_nce_loss(anchors, positives, temperature=0.2).item() == pytest.approx(rows)
    both = info_nce_loss(anchors, positives, temperature=0.2, symmetric=True)
    assert both.item() == pytest.approx((rows + columns) / 2)
    assert rows != pytest.approx(columns, rel=1e-3)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "for-each-anchor"])
@pytest.mark.parametrize("in_batch", [False, True])
def test_explicit_negatives_join_the_denominator(own: bool, in_batch: bool) -> None:
    anchors, positives = pairs()
    negatives = torch.randn(5, 4, 3) if own else torch.randn(4, 3)  # another precision than the pairs
    loss = info_nce_loss(anchors, positives, negatives, in_batch=in_batch, temperature=0.2)
    expected = []
    for i in range(5):
        hard = negatives[i] if own else negatives
        others = [j for j in range(5) if in_batch and j != i]
        rivals = torch.cat([positives[i : i + 1], positives[others], functional.normalize(hard).double()])
        scores = cosines(anchors[i : i + 1], rivals)[0] / 0.2
        expected.append(scores.logsumexp(0) - scores[0])
    assert loss.item() == pytest.approx(torch.stack(expected).mean().item())


def test_the_module_is_the_function() -> None:
    anchors, positives = pairs()
    loss = InfoNCELoss(temperature=0.2, symmetric=True)(anchors, positives)
    expected = info_nce_loss(anchors, positives, temperature=0.2, symmetric=True)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("log_scale", "limit", "order", "pull"),
    [(7.0, 0.01, [1, 0, 3, 2], 1.0), (-3.0, 1.0, [0, 1, 2, 3], -1.0)],
    ids=["wrong-pairs-at-the-cold-end", "right-pairs-at-the-hot-end"],
)
def test_a_learned_temperature_stops_at_its_limits_and_can_come_back(
    log_scale: float, limit: float, order: list[int], pull: float
) -> None:
    criterion = InfoNCELoss(learn_temperature=True)
    assert isinstance(criterion.log_scale, nn.Parameter)
    criterion.log_scale.data.fill_(log_scale)  # as a step too long leaves it
    loss = criterion(torch.eye(4), torch.eye(4)[order])
    assert criterion.temperature == pytest.approx(limit)
    loss.backward()
    assert criterion.log_scale.grad is not None
    assert pull * criterion.log_scale.grad.item() > 0.1


def test_the_learned_temperature_has_the_exact_gradient() -> None:
    criterion = InfoNCELoss(temperature=0.5, learn_temperature=True).double()
    anchors, positives = pairs()
    criterion(anchors, positives).backward()
    assert isinstance(criterion.log_scale, nn.Parameter)
    assert criterion.log_scale.grad is not None
    step = 1e-6
    nearby = [info_nce_loss(anchors, positives, temperature=0.5 * math.exp(d)) for d in (-step, step)]
    slope = (nearby[0] - nearby[1]).item() / (2 * step)
    assert criterion.log_scale.grad.item() == pytest.approx(slope, rel=1e-5)


def test_mutual_information_is_log_n_less_the_loss() -> None:
    criterion = InfoNCELoss(temperature=0.5)
    anchors, positives = pairs()
    loss = criterion(anchors, positives, torch.randn(4, 3))
    assert criterion.mi_nats == pytest.approx(math.log(9) - loss.item(), abs=1e-6)


def test_mutual_information_warns_at_its_cap() -> None:
    criterion = InfoNCELoss()
    criterion(torch.eye(8), torch.eye(8))
    with pytest.warns(UserWarning, match=r"near its cap of log N = 2\.079"):
        assert criterion.mi_nats == pytest.approx(math.log(8), abs=1e-4)


def test_scores_of_any_critic_and_half_precision() -> None:
    criterion = InfoNCELoss()
    positive, negative = torch.randn(6), torch.randn(6, 3)
    loss = criterion.from_scores(positive, negative)
    table = torch.cat([negative, positive.unsqueeze(1)], dim=1)
    assert loss.item() == pytest.approx(functional.cross_entropy(table, torch.full((6,), 3)).item())
    assert criterion.mi_nats == pytest.approx(math.log(4) - loss.item(), abs=1e-6)
    huge = criterion.from_scores(torch.full((1,), -6e4).half(), torch.full((1, 2), 6e4).half())
    assert huge.item() == pytest.approx(1.2e5, rel=1e-2)


def test_the_queue_holds_the_latest_keys_as_unit_vectors() -> None:
    queue = MoCoQueue(2, size=5)
    keys = torch.arange(1.0, 15).reshape(7, 2).requires_grad_()
    assert queue.negatives().shape == (0, 2)
    queue.enqueue(keys[:3])
    assert len(queue) == 3
    assert torch.allclose(queue.negatives(), functional.normalize(keys[:3]))
    queue.enqueue(keys[3:])  # the batch does not divide the size: the oldest two make room
    assert not queue.negatives().requires_grad
    expected = functional.normalize(keys[[5, 6, 2, 3, 4]])
    assert torch.allclose(queue.negatives(), expected)
    queue.enqueue(torch.eye(2).repeat(6, 1))  # more than it holds
    assert len(queue) == 5
    assert queue.negatives().sum(dim=0).sort().values.tolist() == [2, 3]


def test_negatives_stay_what_they_were_when_the_queue_moves_on() -> None:
    queue = MoCoQueue(2, size=2)
    queue.enqueue(torch.eye(2))
    before = queue.negatives()
    queue.enqueue(-torch.eye(2))
    assert before.equal(torch.eye(2))


def test_a_reloaded_queue_goes_on_where_it_was() -> None:
    queue, fresh = MoCoQueue(2, size=5), MoCoQueue(2, size=5)
    queue.enqueue(torch.randn(7, 2))
    fresh.load_state_dict(deepcopy(queue.state_dict()))
    for one in (queue, fresh):
        one.enqueue(torch.ones(2, 2))
    assert fresh.negatives().equal(queue.negatives())
    assert len(fresh) == 5


def test_own_keys_are_not_among_the_negatives() -> None:
    anchors, positives, earlier = torch.randn(3, 4, 8)
    criterion = InfoNCELoss(in_batch=False, queue=MoCoQueue(8, size=16))
    assert criterion.queue is not None
    assert criterion(anchors, earlier).item() == 0  # nothing stored yet, nothing to tell apart
    loss = criterion(anchors, positives)
    assert loss.item() == pytest.approx(info_nce_loss(anchors, positives, earlier, in_batch=False).item())
    stored = functional.normalize(torch.cat([earlier, positives]))
    assert torch.allclose(criterion.queue.negatives(), stored)
    criterion.eval()(anchors, positives)
    assert len(criterion.queue) == 8


def test_the_function_passes_gradcheck() -> None:
    anchors, positives = pairs(3, 4)
    negatives = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    temperature = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, p, n, t: info_nce_loss(a, p, n, temperature=t, symmetric=True),
        (anchors, positives, negatives, temperature),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1}, "temperature must be a positive number, not -1"),
        ({"temperature": 2, "learn_temperature": True}, "starts between 0.01 and 1, not at 2"),
        ({"symmetric": True, "in_batch": False}, "symmetric swaps the pairs"),
        ({"queue": MoCoQueue(3, 4), "across_ranks": True}, "the same across_ranks"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        InfoNCELoss(**options)


def test_wrong_inputs_are_refused() -> None:
    pair = torch.zeros(2, 3), torch.zeros(2, 3)
    with pytest.raises(UsageError, match="nothing to contrast with"):
        info_nce_loss(*pair, in_batch=False)
    with pytest.raises(UsageError, match="symmetric swaps the pairs"):
        info_nce_loss(*pair, torch.zeros(4, 3), in_batch=False, symmetric=True)
    with pytest.raises(UsageError, match="must be M x 3 or 2 x M x 3, not 3 x 4 x 3"):
        info_nce_loss(*pair, torch.zeros(3, 4, 3))
    with pytest.raises(UsageError, match="both be B x D"):
        info_nce_loss(torch.zeros(2, 3), torch.zeros(4, 3))
    with pytest.raises(UsageError, match="floating-point"):
        info_nce_loss(torch.zeros(2, 3).long(), torch.zeros(2, 3).long())
    with pytest.raises(UsageError, match="explicit negatives or a queue"):
        InfoNCELoss(queue=MoCoQueue(3, 4))(*pair, torch.zeros(4, 3))
    with pytest.raises(UsageError, match="scores must be B and B x K"):
        InfoNCELoss().from_scores(torch.zeros(2), torch.zeros(3, 1))
    with pytest.raises(UsageError, match="compute a loss first"):
        _ = InfoNCELoss().mi_nats
    with pytest.raises(UsageError, match="dim and size must be at least 1, not 3 and 0"):
        MoCoQueue(3, 0)
    with pytest.raises(UsageError, match="keys must be B x 3, not 2 x 4"):
        MoCoQueue(3, 4).enqueue(torch.zeros(2, 4))
