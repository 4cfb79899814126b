"""The compiled core against its numpy twin, and the twin against autograd."""

import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from nlpkit._core import Word2Vec
from nlpkit.embeddings.reference import AliasTable, ReferenceWord2Vec, draws, stream
from nlpkit.embeddings.word2vec import Word2VecOptions

OPTIONS = Word2VecOptions(dim=13, window=3, negative=4, epochs=2, lr=0.2, sample=1e-2, min_count=1, seed=3)


def core(counts: Any, options: Word2VecOptions) -> Word2Vec:
    fields = {**asdict(options), "lr": options.first_lr}
    del fields["min_count"]
    return Word2Vec(counts, **fields)


def train(
    corpus: Any, options: Word2VecOptions, *, threads: int = 1, hogwild: bool = False
) -> tuple[Word2Vec, Any]:
    model = core(corpus.counts, options)
    for epoch in range(options.epochs):
        statistics = model.train_epoch(
            [corpus.ids], corpus.offsets, corpus.rows, epoch=epoch, threads=threads, hogwild=hogwild
        )
    return model, statistics


def train_reference(corpus: Any, options: Word2VecOptions, *, hogwild: bool) -> tuple[ReferenceWord2Vec, Any]:
    model = ReferenceWord2Vec(corpus.counts, options)
    ids, offsets = corpus.ids.astype(np.int64), corpus.offsets.astype(np.int64)
    for epoch in range(options.epochs):
        result = model.train_epoch(ids, offsets, corpus.rows.astype(np.int64), epoch=epoch, hogwild=hogwild)
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


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_a_step_follows_the_gradient(architecture: str) -> None:
    import torch

    counts = np.array([3, 3, 2], np.uint64)
    options = Word2VecOptions(
        dim=5, window=1, negative=2, epochs=1, lr=1e-3, sample=0, architecture=architecture
    )
    model = core(counts, options)
    generator = np.random.default_rng(0)
    for matrix in (model.input, model.output):
        matrix[:] = generator.normal(size=matrix.shape)
    before = {"input": model.input.copy(), "output": model.output.copy()}
    ids = np.array([0, 1], np.uint32)  # one pair each way
    model.train_epoch([ids], np.array([0, 2], np.uint64), np.arange(3, dtype=np.int32), epoch=0, hogwild=True)

    tables = {
        name: torch.tensor(table, dtype=torch.float64, requires_grad=True) for name, table in before.items()
    }
    twin = ReferenceWord2Vec(counts, options)
    kept = twin.keep(np.array([0, 1]), np.array([0, 2]), np.arange(3), 0)
    loss = torch.zeros((), dtype=torch.float64)
    for centre, contexts, key in twin.windows(kept, 0):
        target = int(kept.rows[centre])
        x = tables["input"][kept.rows[contexts]].mean(0)
        loss = loss - torch.nn.functional.logsigmoid(x @ tables["output"][target])
        for negative in twin.noise(draws(key, np.arange(1, 3, dtype=np.uint64))).tolist():
            if negative != target:
                loss = loss - torch.nn.functional.logsigmoid(-x @ tables["output"][negative])
    loss.backward()  # type: ignore[no-untyped-call]
    for name, table in tables.items():
        assert table.grad is not None
        change = getattr(model, name) - before[name]
        np.testing.assert_allclose(change, -options.first_lr * table.grad.numpy(), atol=2e-5)


@pytest.mark.parametrize("changes", [{}, {"negatives": "exact"}, {"architecture": "cbow"}], ids=str)
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
    statistics = model.train_epoch(parts, corpus.offsets, corpus.rows, epoch=0)
    assert statistics.predictions == expected
    assert statistics.kept == np.count_nonzero(kept.rows >= 0)


def test_documents_bound_windows() -> None:
    counts, rows = np.full(4, 1, np.uint64), np.arange(4, dtype=np.int32)
    ids = np.arange(4, dtype=np.uint32)
    model = core(counts, replace(OPTIONS, window=5, sample=0.0))
    alone = model.train_epoch([ids], np.array([0, 1, 1, 2, 3, 4], np.uint64), rows, epoch=0)
    assert alone.predictions == 0
    pairs = model.train_epoch([ids], np.array([0, 2, 4], np.uint64), rows, epoch=0)
    assert pairs.predictions == 4


def test_uint16_and_uint32_shards_train_alike(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(400)
    wide, narrow = core(corpus.counts, OPTIONS), core(corpus.counts, OPTIONS)
    wide.train_epoch([corpus.ids], corpus.offsets, corpus.rows, epoch=0)
    narrow.train_epoch([corpus.ids.astype(np.uint16)], corpus.offsets, corpus.rows, epoch=0)
    assert wide.input.tobytes() == narrow.input.tobytes()


# ----- the random choices -----


def test_noise_is_the_power_of_the_counts() -> None:
    counts = np.array([1000, 300, 100, 30, 10, 3, 1])
    weights = counts**0.75
    drawn = AliasTable(weights)(draws(stream(1, 2, 0), np.arange(200_000, dtype=np.uint64)))
    expected = weights / weights.sum() * 200_000
    chi_square = ((np.bincount(drawn, minlength=7) - expected) ** 2 / expected).sum()
    assert chi_square < 22.46  # 6 degrees of freedom, p = 0.001


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
        model.train_epoch(
            [np.arange(4, dtype=np.uint32)],
            np.array(offsets, np.uint64),
            np.arange(4, dtype=np.int32),
            epoch=0,
        )


def test_ids_and_rows_must_exist() -> None:
    model = core(np.full(4, 1, np.uint64), OPTIONS)
    offsets = np.array([0, 4], np.uint64)
    with pytest.raises(IndexError, match="id 9 at position 1"):
        model.train_epoch([np.array([0, 9, 1, 2], np.uint32)], offsets, np.arange(4, dtype=np.int32), epoch=0)
    with pytest.raises(ValueError, match="row that does not exist"):
        model.train_epoch([np.arange(4, dtype=np.uint32)], offsets, np.arange(1, 5, dtype=np.int32), epoch=0)


def test_progress_counts_tokens_of_all_epochs_and_may_stop(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(200_000)
    model = core(corpus.counts, replace(OPTIONS, epochs=50, dim=300))

    def stop(done: int, total: int) -> None:
        assert total == 50 * len(corpus.ids)
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model.train_epoch([corpus.ids], corpus.offsets, corpus.rows, epoch=0, threads=2, progress=stop)


def test_interrupt_stops_training(make_corpus: Callable[..., Any]) -> None:
    corpus = make_corpus(2_000_000)
    model = core(corpus.counts, replace(OPTIONS, dim=1000, window=10, epochs=1, sample=0.0, lr=0.01))
    timer = threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.train_epoch([corpus.ids], corpus.offsets, corpus.rows, epoch=0, threads=2)
    timer.join()
