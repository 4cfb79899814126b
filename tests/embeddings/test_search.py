"""Exact search: the kernels against NumPy, for any shape, precision, order and number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit._core import TopRows, row_dots
from nlpkit.embeddings import search
from nlpkit.embeddings.search import best_scores, nearest_rows, row_norms


@pytest.mark.parametrize("dim", [1, 3, 7, 8, 15, 16, 17, 63, 64, 65, 100, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_dots_are_numpys(dim: int, dtype: type) -> None:
    generator = np.random.default_rng(dim)
    table, query = generator.normal(size=(37, dim)).astype(dtype), generator.normal(size=dim)
    dots = row_dots(table, query.astype(np.float32))
    np.testing.assert_allclose(dots, table.astype(np.float64) @ query, atol=1e-4)


def test_every_finite_half_is_read_right() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)][:, None]
    np.testing.assert_array_equal(row_dots(halves, np.ones(1, np.float32)), halves[:, 0].astype(np.float32))


def test_rows_may_be_padded_and_threads_change_nothing() -> None:
    wide = np.random.default_rng(0).normal(size=(40_000, 32)).astype(np.float32)
    query = wide[5, :20].copy()
    one = row_dots(wide[:, :20], query, threads=1)
    np.testing.assert_array_equal(one, row_dots(wide[:, :20].copy(), query, threads=2))
    with pytest.raises(ValueError, match="must be contiguous"):
        row_dots(wide[:, ::2], query[:16])
    with pytest.raises(ValueError, match="as long as the rows"):
        row_dots(wide, query)
    with pytest.raises(TypeError, match="float32 or float16"):
        row_dots(wide.astype(np.float64), query)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 300),
    st.integers(0, 40),
    st.integers(1, 130),
    st.integers(0, 2**32 - 1),
)
def test_the_best_rows_are_those_of_a_stable_sort(
    queries: int, rows: int, most: int, block: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(-3, 4, (queries, rows)).astype(np.float32)  # many ties
    norms = generator.integers(0, 3, rows).astype(np.float32)
    cosines = np.divide(scores, norms, out=np.zeros_like(scores), where=norms > 0)
    found = TopRows(queries, most)
    for start in range(0, rows, block):
        part = slice(start, start + block)
        found.add(np.ascontiguousarray(scores[:, part]), norms[part], start)
    best, values = found.best()
    expected = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
    kept = expected.shape[1]
    np.testing.assert_array_equal(best[:, :kept], expected)
    np.testing.assert_allclose(values[:, :kept], np.take_along_axis(cosines, expected, 1), rtol=1e-6)
    assert (best[:, kept:] == -1).all()


def test_numbers_that_are_none_are_never_best() -> None:
    scores = np.array([np.nan, 1, np.nan, 3], np.float32)
    rows, best = best_scores(scores, 4)
    assert rows.tolist() == [3, 1, -1, -1]
    assert best.tolist() == [3, 1, 0, 0]


def test_batches_and_blocks_agree_with_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(1).normal(size=(500, 12)).astype(np.float32)
    norms, queries = row_norms(table), table[::10] + 0.1
    monkeypatch.setattr(search, "ROWS_AT_ONCE", 64)
    monkeypatch.setattr(search, "QUERIES_AT_ONCE", 7)
    rows, scores = nearest_rows(table, norms, queries, 6)
    for query, found, cosines in zip(queries, rows, scores, strict=True):
        alone, alone_cosines = nearest_rows(table, norms, query[None], 6)
        np.testing.assert_array_equal(found, alone[0])
        np.testing.assert_allclose(cosines, alone_cosines[0], atol=1e-6)
    assert nearest_rows(table[:3], norms[:3], queries[:2], 10)[0].shape == (2, 3)


def test_faiss_finds_the_same() -> None:
    faiss = pytest.importorskip("faiss", reason="faiss-cpu (the group bench) is not installed")
    table = np.random.default_rng(2).normal(size=(2000, 20)).astype(np.float32)
    table /= row_norms(table)[:, None]
    index = faiss.IndexFlatIP(20)
    index.add(table)
    scores, rows = index.search(table[:50], 8)
    ours, cosines = nearest_rows(table, row_norms(table), table[:50], 8)
    np.testing.assert_array_equal(ours, rows)
    np.testing.assert_allclose(cosines, scores, atol=1e-5)
