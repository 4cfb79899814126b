"""The torch path's step: against the compiled trainer, against a loop over pairs, and its optimizer."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from nlpkit._core import Word2Vec
from nlpkit.embeddings.composition import Bags
from nlpkit.embeddings.options import SampledOptions, Word2VecOptions
from nlpkit.embeddings.reference import ReferenceWord2Vec, draws
from nlpkit.embeddings.sampled_model import RowTable, SampledModel
from nlpkit.errors import UsageError
from nlpkit.losses import NegativeSample

COUNTS = np.array([9, 7, 5, 4, 3, 2], np.uint64)
OBJECTIVES = ["negative-sampling", "nce", "sampled-softmax", "infonce"]


def gradients(
    model: SampledModel, centres: Any, contexts: Any, noise: NegativeSample
) -> tuple[float, Any, Any]:
    """The loss, and its gradient by both tables."""
    loss, taken = model.loss(centres, contexts, noise)
    loss.backward()
    found = []
    for one in taken:
        assert one.values.grad is not None
        dense = torch.zeros_like(one.table.weights)
        dense[one.rows] = one.values.grad
        found.append(dense.numpy())
    return float(loss.detach()), *found


@pytest.mark.parametrize("architecture", ["skipgram", "cbow", "cbow-sum"])
def test_negative_sampling_has_the_compiled_trainers_gradient(architecture: Any) -> None:
    # The trainer's steps see the negatives that the steps before changed: by little, at a small rate.
    lr = 1e-4
    documents = [[0, 1, 2], [2, 3, 1], [4, 5, 0]]
    settings: dict[str, Any] = {"dim": 19, "window": 2, "negative": 4, "sample": 0.0, "seed": 3}
    settings["epochs"] = 2**20  # so that the learning rate stays
    options = Word2VecOptions(lr=lr, min_count=1, **settings)
    kernel = Word2Vec(
        COUNTS,
        lr=lr,
        architecture=architecture,
        objective="negative-sampling",
        negatives="shared",
        **settings,
    )
    generator = np.random.default_rng(1)
    for matrix in (kernel.input, kernel.output):
        matrix[:] = generator.normal(size=matrix.shape)
    model = SampledModel(COUNTS, SampledOptions("negative-sampling", dim=19, architecture=architecture))
    model.input, model.output = (RowTable(torch.tensor(m)) for m in (kernel.input, kernel.output))
    ids, offsets = np.array(documents, np.uint32).ravel(), np.array([0, 3, 6, 9], np.uint64)
    twin = ReferenceWord2Vec(COUNTS, options)
    kept = twin.keep(ids.astype(np.int64), offsets.astype(np.int64), np.arange(6), 0)
    drawn = [
        (
            kept.rows[centre],
            np.pad(kept.rows[contexts], (0, 4 - len(contexts)), constant_values=-1),
            twin.noise(0, draws(key, np.arange(1, 5, dtype=np.uint64))),
        )
        for centre, contexts, key in twin.windows(kept, 0)
    ]
    centres, contexts, noise = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    sample = NegativeSample(noise, torch.zeros(noise.shape), torch.zeros(len(noise)))
    loss, by_input, by_output = gradients(model, centres, contexts, sample)

    before = kernel.input.copy(), kernel.output.copy()
    statistics = kernel.train([ids], offsets, np.arange(6, dtype=np.int32), epoch=0, begin=0, end=len(ids))
    assert statistics.loss == pytest.approx(loss, rel=0.01)
    np.testing.assert_allclose((before[0] - kernel.input) / lr, by_input, atol=0.02)
    np.testing.assert_allclose((before[1] - kernel.output) / lr, by_output, atol=0.02)


def loss_by_loops(model: SampledModel, centres: Any, contexts: Any, noise: NegativeSample) -> float:
    """The same loss, one pair at a time."""
    dim, objective = model.options.dim, model.options.objective
    total = 0.0
    for i, centre in enumerate(centres.tolist()):
        ids = noise.ids[i] if noise.ids.ndim == 2 else noise.ids
        near = model.input.weights[contexts[i][contexts[i] >= 0]]
        match model.options.architecture:
            case "cbow":
                near = near.mean(0, keepdim=True)
            case "cbow-sum":
                near = near.sum(0, keepdim=True)
        rows = model.output.weights[[centre, *ids.tolist()]]
        for x in near:
            if objective == "infonce":
                scores = functional.cosine_similarity(rows, x[None]) / model.options.divisor
                total += float(-scores.log_softmax(0)[0])
                continue
            scores = rows[:, :dim] @ x
            if objective != "negative-sampling":
                expected = torch.cat([noise.target_log_counts[i : i + 1], noise.log_counts])
                scores = (scores + rows[:, dim] - expected).float()
            hit = torch.cat([torch.tensor([False]), ids == centre])
            if objective == "sampled-softmax":
                total += float(-scores.masked_fill(hit, -torch.inf).log_softmax(0)[0])
                continue
            terms = functional.softplus(torch.cat([-scores[:1], scores[1:]]))
            total += float(terms[~hit].sum() if objective == "negative-sampling" else terms.sum())
    return total


@pytest.mark.parametrize("architecture", ["skipgram", "cbow", "cbow-sum"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loss_is_that_of_a_loop_over_predictions(objective: Any, architecture: Any) -> None:
    model = SampledModel(COUNTS, SampledOptions(objective, dim=7, negative=5, architecture=architecture))
    generator = torch.Generator().manual_seed(0)
    for table in (model.input, model.output):
        table.weights += torch.randn(table.weights.shape, generator=generator)
    centres = torch.tensor([0, 1, 1, 4])
    contexts = torch.tensor([[1, -1, 2], [0, 0, 5], [-1, 3, -1], [4, 4, -1]])
    noise = model.draw(centres)
    loss, _ = model.loss(centres, contexts, noise)
    assert loss.dtype == torch.float64
    assert float(loss.detach()) == pytest.approx(loss_by_loops(model, centres, contexts, noise), rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_steps_learn_who_is_near_whom(objective: Any) -> None:
    model = SampledModel(COUNTS, SampledOptions(objective, dim=8, negative=4))
    centres, contexts = torch.arange(6), torch.tensor([[1], [0], [3], [2], [5], [4]])
    losses = [float(model.step(centres, contexts, 0.1)) for _ in range(200)]
    assert np.mean(losses[-20:]) < 0.75 * np.mean(losses[:20])


def test_a_step_is_adagrads_by_row() -> None:
    table = RowTable(torch.ones(3, 2))
    rows, gradient = torch.tensor([2, 0]), torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    table.change(rows, gradient, 0.1)
    table.change(rows[:1], gradient[:1], 0.1)
    first, second = 0.1 / np.sqrt(12.5), 0.1 / np.sqrt(25)
    np.testing.assert_allclose(table.weights[2], 1 - (first + second) * np.array([3, 4]), rtol=1e-6)
    np.testing.assert_allclose(table.weights[0], [1, 1 - 0.1 * 2 / np.sqrt(2)], rtol=1e-6)
    assert table.weights[1].tolist() == [1, 1]


def test_words_made_of_pieces_share_their_rows() -> None:
    # Word i: its own row i, and the pieces 6 + i % 2 and 8.
    ids = np.stack([np.arange(6), 6 + np.arange(6) % 2, np.full(6, 8)], axis=1).ravel()
    model = SampledModel(COUNTS, SampledOptions("nce", dim=4, negative=3), 10, Bags(ids, np.arange(0, 19, 3)))
    weights = model.input.weights.clone()
    np.testing.assert_allclose(
        model.word_vectors(), weights[torch.from_numpy(ids)].reshape(6, 3, 4).mean(1), atol=1e-6
    )
    model.output.weights += 1
    centres, contexts = torch.tensor([1]), torch.tensor([[2, 2, -1]])
    _, by_input, _ = gradients(model, centres, contexts, model.draw(centres))
    own, shared, everywhere = by_input[2], by_input[6], by_input[8]
    np.testing.assert_allclose(own, shared, atol=1e-7)
    np.testing.assert_allclose(own, everywhere, atol=1e-7)
    assert np.abs(own).max() > 0
    assert not model.piece_vectors()[3].any()  # no word has it


def test_bad_options_are_refused() -> None:
    for options, message in (
        ({"objective": "softmax"}, "--objective must be negative-sampling or nce or"),
        ({"dim": 0}, "--dim must be at least 1"),
        ({"negative": 0}, "--negative must be at least 1"),
        ({"lr": float("nan")}, "--lr must be a number above 0"),
        ({"objective": "infonce", "temperature": 0.0}, "--temperature must be a number above 0"),
        ({"temperature": 0.1}, "--temperature is for --objective infonce: leave it out with nce"),
        ({"architecture": "glove"}, "--architecture must be skipgram or cbow"),
        ({"patience": -1}, "--patience must be at least 0"),
        ({"seed": -1}, "--seed must be at least 0"),
        ({"sample": -1.0}, "--sample must be 0"),
    ):
        with pytest.raises(UsageError, match=message):
            SampledOptions(**options)  # type: ignore[arg-type]
