"""The compiled core against its numpy twin, and the twin against autograd."""

import math
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nlpkit._core import Word2Vec
from nlpkit.embeddings.options import Word2VecOptions
from nlpkit.embeddings.reference import AliasTable, Noise, ReferenceWord2Vec, draws, huffman_paths, stream

OPTIONS = Word2VecOptions(dim=13, window=3, negative=4, epochs=2, lr=0.2, sample=1e-2, min_count=1, seed=3)

TREE: dict[str, Any] = {"objective": "hierarchical-softmax", "negative": None}


def core(counts: np.ndarray[Any, Any], options: Word2VecOptions, *, hogwild: bool = False) -> Word2Vec:
    fields = asdict(options.resolved())
    for name in ("min_count", "patience"):
        del fields[name]
    return Word2Vec(counts, **fields, hogwild=hogwild)


def train_epoch(
    model: Word2Vec, shards: list[Any], offsets: Any, rows: Any, *, epoch: int = 0, **options: Any
) -> Any:
    size = sum(map(len, shards))
    return model.train(shards, np.array(offsets, np.uint64), rows, epoch=epoch, begin=0, end=size, **options)


def train(
    corpus: Any, options: Word2VecOptions, *, threads: int = 1, hogwild: bool = False
) -> tuple[Word2Vec, Any]:
    model = core(corpus.counts, options, hogwild=hogwild)
    for epoch in range(options.epochs):
        statistics = train_epoch(
            model, [corpus.ids], corpus.offsets, corpus.rows, epoch=epoch, threads=threads
        )
    return model, statistics


def train_reference(corpus: Any, options: Word2VecOptions, *, hogwild: bool) -> tuple[ReferenceWord2Vec, Any]:
    model = ReferenceWord2Vec(corpus.counts, options, hogwild=hogwild)
    ids, offsets = corpus.ids.astype(np.int64), corpus.offsets.astype(np.int64)
    for epoch in range(options.epochs):
        result = model.train_epoch(ids, offsets, corpus.rows.astype(np.int64), epoch=epoch)
    return model, result


@pytest.mark.parametrize("hogwild", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"negatives": "exact"},
        {"architecture": "cbow"},
        {"dim": 1},
        {"dim": 32, "window": 1},
        {"dim": 100, "window": 10, "lr": 0.05},
        {"negative": 1},
        {"negative": 5},
        {"negative": 6},
        {"negative": 17, "negatives": "exact", "lr": 0.05},
        {"negative": 12, "architecture": "cbow"},
        {"sample": 0.0, "lr": 0.01},
        {"architecture": "cbow-sum", "lr": 0.05},
        {**TREE},
        {**TREE, "negatives": "exact", "lr": 0.05},
        {**TREE, "architecture": "cbow"},
        {**TREE, "architecture": "cbow-sum", "lr": 0.05},
    ],
    ids=str,
)
def test_core_equals_the_twin(
    make_corpus: Callable[..., Any], changes: dict[str, Any], hogwild: bool
) -> None:
    corpus = make_corpus(1500)
    options = replace(OPTIONS, **changes)
    model, statistics = train(corpus, options, hogwild=hogwild)
    twin, (loss, predictions) = train_reference(corpus, options, hogwild=hogwild)
    assert statistics.predictions == predictions
    assert statistics.loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(model.input, twin.input, atol=3e-5)
    np.testing.assert_allclose(model.output, twin.output, atol=3e-5)
    assert np.abs(twin.output).max() > 0.01  # something was learnt


def test_duplicate_rows_count_twice(make_corpus: Callable[..., Any]) -> None:
    # Five words in windows of 8 with 9 negatives: most rows of an example come more than once.
    corpus = make_corpus(800, n_vocab=5, removed=0)
    options = replace(OPTIONS, window=8, negative=9, lr=0.01, sample=0.0)
    for negatives in ("shared", "exact"):
        chosen = replace(options, negatives=negatives)
        model, _ = train(corpus, chosen)
        twin, _ = train_reference(corpus, chosen, hogwild=False)
        np.testing.assert_allclose(model.input, twin.input, atol=1e-4)


@pytest.mark.parametrize("hogwild", [False, True])
@pytest.mark.parametrize("changes", [{}, {"negatives": "exact"}, {"architecture": "cbow"}], ids=str)
def test_core_equals_the_twin_with_noise_in_slices(
    make_corpus: Callable[..., Any], changes: dict[str, Any], hogwild: bool
) -> None:
    corpus = make_corpus(3000, n_vocab=700)
    options = replace(OPTIONS, lr=0.05, sample=1e-3, epochs=1, **changes)
    model, statistics = train(corpus, options, threads=3 if not hogwild else 1, hogwild=hogwild)
    twin, (loss, _) = train_reference(corpus, options, hogwild=hogwild)
    assert (len(twin.noise.rows) > 2) != hogwild
    assert statistics.loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(model.input, twin.input, atol=3e-5)
    np.testing.assert_allclose(model.output, twin.output, atol=3e-5)


@pytest.mark.parametrize("architecture", ["skipgram", "cbow", "cbow-sum"])
@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
def test_a_step_follows_the_gradient(architecture: str, objective: str) -> None:
    import torch

    counts = np.array([3, 3, 2, 1, 1], np.uint64)
    options = Word2VecOptions(
        dim=5,
        window=1,
        negative=2 if objective == "negative-sampling" else None,
        epochs=1,
        lr=1e-3,
        sample=0,
        architecture=architecture,  # type: ignore[arg-type]
        objective=objective,  # type: ignore[arg-type]
    )
    model = core(counts, options, hogwild=True)
    generator = np.random.default_rng(0)
    for matrix in (model.input, model.output):
        matrix[:] = generator.normal(size=matrix.shape)
    before = {"input": model.input.copy(), "output": model.output.copy()}
    train_epoch(
        model, [np.array([0, 1], np.uint32)], [0, 2], np.arange(5, dtype=np.int32)
    )  # one pair each way

    tables = {
        name: torch.tensor(table, dtype=torch.float64, requires_grad=True) for name, table in before.items()
    }
    twin = ReferenceWord2Vec(counts, options, hogwild=True)
    kept = twin.keep(np.array([0, 1]), np.array([0, 2]), np.arange(5), 0)
    loss = torch.zeros((), dtype=torch.float64)
    for centre, contexts, key in twin.windows(kept, 0):
        target = int(kept.rows[centre])
        x = tables["input"][kept.rows[contexts]].sum(0)  # of one context, so also the mean
        negatives = np.empty(0, np.int64)
        if not twin.hierarchical:
            negatives = twin.noise(0, draws(key, np.arange(1, 3, dtype=np.uint64)))
        rows, label, weights = twin.outputs_of(target, negatives)
        for row, one, weight in zip(rows.tolist(), label.tolist(), weights.tolist(), strict=True):
            score = x @ tables["output"][row]
            loss = loss - weight * torch.nn.functional.logsigmoid(score if one else -score)
    loss.backward()  # type: ignore[no-untyped-call]
    for name, table in tables.items():
        assert table.grad is not None
        change = getattr(model, name) - before[name]
        np.testing.assert_allclose(change, -options.first_lr * table.grad.numpy(), atol=2e-5)


def test_finite_differences_of_the_loss_are_the_step() -> None:
    """The change of every number is -lr times the slope of the loss that the core itself tells."""
    counts, rows = np.array([9, 7, 5, 3, 2, 1], np.uint64), np.arange(6, dtype=np.int32)
    options = replace(OPTIONS, dim=3, window=1, lr=1e-2, sample=0.0, architecture="cbow-sum", epochs=1)
    ids, offsets = np.array([0, 4], np.uint32), [0, 2]
    for changes in ({}, TREE):
        model = core(counts, replace(options, **changes), hogwild=True)
        generator = np.random.default_rng(1)
        start = {name: generator.normal(size=getattr(model, name).shape) for name in ("input", "output")}

        def loss(model: Word2Vec, start: dict[str, Any], name: str, at: tuple[int, int], by: float) -> float:
            model.input[:], model.output[:] = start["input"], start["output"]
            getattr(model, name)[at] += by
            value: float = train_epoch(model, [ids], offsets, rows).loss
            return value

        loss(model, start, "input", (0, 0), 0.0)
        changed = {"input": model.input.copy(), "output": model.output.copy()}
        # Input 4 predicts word 0; what input 0 then loses depends on that step by no more than lr.
        for k in range(3):
            slope = (
                loss(model, start, "input", (4, k), 1e-2) - loss(model, start, "input", (4, k), -1e-2)
            ) / 2e-2
            change = changed["input"][4, k] - np.float32(start["input"][4, k])
            assert change == pytest.approx(-1e-2 * slope, rel=0.05, abs=2e-5)


# ----- hierarchical softmax -----


def test_the_tree_is_a_distribution() -> None:
    """The probabilities of all words sum to 1, whatever the vectors are; frequent words have short paths."""
    counts = np.array([50, 20, 20, 9, 5, 5, 5, 1, 1], np.uint64)
    paths = huffman_paths(counts.astype(float))
    generator = np.random.default_rng(2)
    x, nodes = generator.normal(size=4), generator.normal(size=(8, 4))
    probability = [
        math.prod(1 / (1 + math.exp((2 * right - 1) * float(nodes[node] @ x))) for node, right in path)
        for path in paths
    ]
    assert sum(probability) == pytest.approx(1, abs=1e-12)
    lengths = [len(path) for path in paths]
    assert lengths == sorted(lengths)
    mean_length = float(counts @ np.array(lengths)) / counts.sum()
    share = counts / counts.sum()
    entropy = -(share * np.log2(share)).sum()
    assert entropy <= mean_length < entropy + 1  # the bounds of any Huffman code


def test_losses_of_the_tree_are_its_log_probabilities() -> None:
    """With all vectors 0 every turn costs log 2, so the loss is the length of the path."""
    counts, rows = np.array([50, 20, 9, 5, 1], np.uint64), np.arange(5, dtype=np.int32)
    options = replace(OPTIONS, window=1, sample=0.0, **TREE)
    model = core(counts, options)
    model.input[:] = 0
    lengths = [len(path) for path in huffman_paths(counts.astype(float))]
    held_out = model.evaluate([np.array([4, 0], np.uint32)], np.array([0, 2], np.uint64), rows)
    assert held_out.predictions == 2
    assert held_out.loss == pytest.approx((lengths[0] + lengths[4]) * math.log(2), rel=1e-6)


def test_rows_need_not_be_in_order_of_their_counts(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(1500)
    order = np.random.default_rng(0).permutation(len(corpus.counts))
    shuffled = replace(corpus, counts=corpus.counts[order], rows=np.full_like(corpus.rows, -1))
    kept = corpus.rows >= 0
    shuffled.rows[kept] = np.argsort(order)[corpus.rows[kept]]
    options = replace(OPTIONS, **TREE)
    model, _ = train(shuffled, options)
    twin, _ = train_reference(shuffled, options, hogwild=False)
    np.testing.assert_allclose(model.input, twin.input, atol=3e-5)


# ----- threads, stretches, held-out loss -----


@pytest.mark.parametrize(
    "changes",
    [{}, {"negatives": "exact"}, {"architecture": "cbow"}, {**TREE}],
    ids=str,
)
def test_threads_do_not_change_a_byte(make_corpus: Callable[..., Any], changes: dict[str, Any]) -> None:
    corpus = make_corpus(5000, n_vocab=400)
    options = replace(OPTIONS, lr=0.05, **changes)
    first, statistics = train(corpus, options, threads=1)
    for threads in (2, 4, 11):
        again, same = train(corpus, options, threads=threads)
        assert again.input.tobytes() == first.input.tobytes()
        assert again.output.tobytes() == first.output.tobytes()
        assert (same.loss, same.predictions, same.kept) == (
            statistics.loss,
            statistics.predictions,
            statistics.kept,
        )


def test_seeds_differ(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(500)
    first, _ = train(corpus, OPTIONS)
    other, _ = train(corpus, replace(OPTIONS, seed=4))
    assert not np.allclose(first.input, other.input)


def test_hogwild_with_threads_learns_as_well(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(60_000, n_vocab=400)
    _, one = train(corpus, replace(OPTIONS, lr=0.05), hogwild=True)
    _, two = train(corpus, replace(OPTIONS, lr=0.05), threads=2, hogwild=True)
    assert two.predictions == one.predictions
    assert two.loss == pytest.approx(one.loss, rel=0.02)


def test_windows_reach_across_chunks_and_shards(make_corpus: Callable[..., Any]) -> None:
    """A document longer than a chunk (2^18 tokens) is not cut, wherever its files end."""
    corpus = make_corpus(600_000, documents=1, removed=1)
    options = replace(OPTIONS, dim=1, negative=1, epochs=1, window=4, sample=1e-3)
    twin = ReferenceWord2Vec(corpus.counts, options)
    kept = twin.keep(
        corpus.ids.astype(np.int64), corpus.offsets.astype(np.int64), corpus.rows.astype(np.int64), 0
    )
    expected = sum(len(contexts) for _, contexts, _ in twin.windows(kept, 0))
    parts = [corpus.ids[:7], corpus.ids[7:7], corpus.ids[7:262_145], corpus.ids[262_145:]]
    model = core(corpus.counts, options)
    statistics = train_epoch(model, parts, corpus.offsets, corpus.rows)
    assert statistics.predictions == expected
    assert statistics.kept == np.count_nonzero(kept.rows >= 0)


def test_an_epoch_in_stretches_is_the_same_epoch(make_corpus: Callable[..., Any]) -> None:
    """Training may stop at any chunk and go on, also where a chunk keeps too few tokens for a window."""
    chunk = Word2Vec.chunk_tokens
    corpus = make_corpus(2 * chunk + 1000, n_vocab=400, removed=0)
    rare = replace(corpus, rows=np.where(np.arange(400) < 390, -1, corpus.rows).astype(np.int32))
    for one in (corpus, rare):
        options = replace(OPTIONS, dim=2, negative=1, epochs=1, window=30, sample=1e-3, lr=0.01)
        whole, parts = core(corpus.counts, options), core(corpus.counts, options)
        expected = train_epoch(whole, [one.ids], one.offsets, one.rows)
        cuts = [0, chunk, 2 * chunk, len(one.ids)]
        found = [
            parts.train([one.ids], one.offsets, one.rows, epoch=0, begin=begin, end=end, threads=2)
            for begin, end in pairwise(cuts)
        ]
        assert parts.input.tobytes() == whole.input.tobytes()
        assert parts.output.tobytes() == whole.output.tobytes()
        for name in ("predictions", "words", "kept"):
            assert sum(getattr(statistics, name) for statistics in found) == getattr(expected, name)
        assert sum(statistics.loss for statistics in found) == pytest.approx(expected.loss, rel=1e-12)


def test_stretches_end_with_chunks(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(100)
    model = core(corpus.counts, OPTIONS)
    for begin, end in ((1, 100), (0, 99), (100, 0), (0, 101)):
        with pytest.raises(ValueError, match="multiples of chunk_tokens"):
            model.train([corpus.ids], corpus.offsets, corpus.rows, epoch=0, begin=begin, end=end)


@pytest.mark.parametrize("hogwild", [False, True])
def test_evaluating_changes_nothing_and_is_repeatable(make_corpus: Callable[..., Any], hogwild: bool) -> None:
    corpus = make_corpus(20_000, n_vocab=300)
    model = core(corpus.counts, replace(OPTIONS, lr=0.05), hogwild=hogwild)
    last = math.inf
    for epoch in range(2):
        train_epoch(model, [corpus.ids], corpus.offsets, corpus.rows, epoch=epoch)
        before = model.input.tobytes(), model.output.tobytes()
        found = [model.evaluate([corpus.ids], corpus.offsets, corpus.rows, threads=n) for n in (1, 3)]
        assert found[0].loss == found[1].loss
        assert found[0].predictions == found[1].predictions
        assert found[0].loss < last
        last = found[0].loss
        assert (model.input.tobytes(), model.output.tobytes()) == before


def test_documents_bound_windows() -> None:
    counts, rows = np.full(4, 1, np.uint64), np.arange(4, dtype=np.int32)
    ids = np.arange(4, dtype=np.uint32)
    model = core(counts, replace(OPTIONS, window=5, sample=0.0))
    alone = train_epoch(model, [ids], [0, 1, 1, 2, 3, 4], rows)
    assert alone.predictions == 0
    pairs = train_epoch(model, [ids], [0, 2, 4], rows)
    assert pairs.predictions == 4


def test_uint16_and_uint32_shards_train_alike(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(400)
    wide, narrow = core(corpus.counts, OPTIONS), core(corpus.counts, OPTIONS)
    train_epoch(wide, [corpus.ids], corpus.offsets, corpus.rows)
    train_epoch(narrow, [corpus.ids.astype(np.uint16)], corpus.offsets, corpus.rows)
    assert wide.input.tobytes() == narrow.input.tobytes()


# ----- the random choices -----


def test_noise_is_the_power_of_the_counts() -> None:
    counts = np.array([1000, 300, 100, 30, 10, 3, 1])
    weights = counts**0.75
    drawn = AliasTable(weights)(draws(stream(1, 2, 0), np.arange(200_000, dtype=np.uint64)))
    expected = weights / weights.sum() * 200_000
    chi_square = ((np.bincount(drawn, minlength=7) - expected) ** 2 / expected).sum()
    assert chi_square < 22.46  # 6 degrees of freedom, p = 0.001


def test_noise_in_slices_is_the_same_noise() -> None:
    """Slices are disjoint, cover all rows, and are of equal probability."""
    counts = 1e6 / np.arange(1, 2001)
    noise = Noise(counts, 8)
    assert sorted(row for rows in noise.rows for row in rows) == list(range(2000))
    masses = np.array([(counts[rows] ** 0.75).sum() for rows in noise.rows])
    assert len(masses) == 8
    assert masses.max() < 1.01 * masses.min()
    numbers = draws(stream(1, 2, 0), np.arange(100_000, dtype=np.uint64))
    drawn = np.concatenate([noise(i, numbers) for i in range(8)])
    expected = counts**0.75 / (counts**0.75).sum() * len(drawn)
    found = np.bincount(drawn, minlength=2000)
    chi_square = ((found - expected) ** 2 / expected).sum()
    assert chi_square < 2200  # 1999 degrees of freedom: 3 standard deviations above


def test_small_vocabularies_have_fewer_slices() -> None:
    assert len(Noise(np.ones(200), 8).rows) == 1
    assert len(Noise(np.ones(400), 8).rows) == 3  # of 134, 133 and 133 rows, which is even enough
    assert len(Noise(np.array([1e9, *np.ones(999)]), 8).rows) == 1


def test_subsampling_keeps_the_share_of_the_c_code(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(200_000, removed=0)
    for sample in (1e-2, 1e-3, 0.0):
        _, statistics = train(corpus, replace(OPTIONS, dim=1, negative=1, epochs=1, sample=sample))
        f = corpus.counts / corpus.counts.sum()
        keep = np.minimum(1, np.sqrt(sample / f) + sample / f) if sample else np.ones(len(f))
        expected, variance = (corpus.counts * keep).sum(), (corpus.counts * keep * (1 - keep)).sum()
        assert statistics.words == len(corpus.ids)
        assert abs(statistics.kept - expected) <= 4 * np.sqrt(variance)


def test_windows_are_uniform() -> None:
    twin = ReferenceWord2Vec(np.full(2, 5, np.uint64), replace(OPTIONS, window=5, sample=0.0))
    ids = np.zeros(20_000, np.int64)
    kept = twin.keep(ids, np.array([0, len(ids)]), np.arange(2), 0)
    sizes = [len(contexts) for centre, contexts, _ in twin.windows(kept, 0) if 6 <= centre <= 19_990]
    found = np.bincount(sizes, minlength=11)[2::2]  # 2 to 10 contexts
    expected = len(sizes) / 5
    assert ((found - expected) ** 2 / expected).sum() < 18.47  # 4 degrees of freedom, p = 0.001


def test_learning_rate_falls_to_its_floor() -> None:
    model = core(np.full(3, 5, np.uint64), replace(OPTIONS, lr=0.5, epochs=4))
    assert model.learning_rate(0, 0, 100) == pytest.approx(0.5)
    assert model.learning_rate(1, 50, 100) == pytest.approx(0.5 * (1 - 1.5 / 4))
    assert model.learning_rate(3, 99, 100) == pytest.approx(0.5 * 0.01 / 4)
    assert model.learning_rate(3, 100, 100) == pytest.approx(0.5e-4)


def test_initial_rows() -> None:
    model = core(np.full(2000, 5, np.uint64), replace(OPTIONS, dim=10))
    assert np.abs(model.input).max() <= 0.05
    assert model.input.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.02)
    assert not model.output.any()


# ----- errors, progress, Ctrl-C -----


@pytest.mark.parametrize(
    "offsets", [[0, 3], [0, 5], [1, 4], [0, 3, 2, 4], []], ids=["short", "long", "late", "falling", "none"]
)
def test_offsets_must_fit(offsets: list[int]) -> None:
    model = core(np.full(4, 1, np.uint64), OPTIONS)
    with pytest.raises(ValueError, match="document offsets"):
        model.train(
            [np.arange(4, dtype=np.uint32)],
            np.array(offsets, np.uint64),
            np.arange(4, dtype=np.int32),
            epoch=0,
            begin=0,
            end=4,
        )


def test_ids_and_rows_must_exist() -> None:
    model = core(np.full(4, 1, np.uint64), OPTIONS)
    offsets = np.array([0, 4], np.uint64)
    with pytest.raises(IndexError, match="id 9 at position 1"):
        train_epoch(model, [np.array([0, 9, 1, 2], np.uint32)], offsets, np.arange(4, dtype=np.int32))
    with pytest.raises(ValueError, match="row that does not exist"):
        train_epoch(model, [np.arange(4, dtype=np.uint32)], offsets, np.arange(1, 5, dtype=np.int32))


def test_progress_counts_tokens_of_all_epochs_and_may_stop(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(200_000)
    model = core(corpus.counts, replace(OPTIONS, epochs=50, dim=1000, window=10, sample=0.0, lr=0.01))

    def stop(done: int, total: int) -> None:
        assert total == 50 * len(corpus.ids)
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train_epoch(model, [corpus.ids], corpus.offsets, corpus.rows, threads=2, progress=stop)


def test_interrupt_stops_training(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(2_000_000)
    model = core(corpus.counts, replace(OPTIONS, dim=1000, window=10, epochs=1, sample=0.0, lr=0.01))
    timer = threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train_epoch(model, [corpus.ids], corpus.offsets, corpus.rows, threads=2)
    timer.join()
