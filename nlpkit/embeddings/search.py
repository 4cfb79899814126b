"""Exact nearest rows by cosine: every row is looked at, in compiled loops that need no index to be built.

One query is bound by reading the table from memory, on all threads. Many queries are blocks of one matrix
product, whose scores are sifted block by block, so that they are never all in memory.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit._core import TopRows, row_dots

Vector: TypeAlias = npt.NDArray[np.float32]
Table: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float16]
Rows: TypeAlias = npt.NDArray[np.int64]

ROWS_AT_ONCE = 2048
QUERIES_AT_ONCE = 1024
"""A block of scores is 8 MB: it stays in the last cache while it is sifted."""


def unit(vector: npt.NDArray[Any]) -> Vector:
    """The vector at length 1; a zero vector stays."""
    single: Vector = vector.astype(np.float32, copy=False)
    norm = np.float32(np.linalg.norm(single))
    return single / norm if norm > 0 else single


def unit_rows(vectors: npt.NDArray[Any]) -> Vector:
    """Each row at length 1; rows of zeros stay."""
    single: Vector = vectors.astype(np.float32, copy=False)
    norms = row_norms(single)
    norms[norms == 0] = 1
    return single / norms[:, None]


def row_norms(vectors: npt.NDArray[Any]) -> Vector:
    """The Euclidean norm of each row, float32, without a copy of the table."""
    norms = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = vectors[start : start + ROWS_AT_ONCE].astype(np.float32, copy=False)
        norms[start : start + ROWS_AT_ONCE] = np.sqrt(np.einsum("ij,ij->i", part, part))
    return norms


def cosines(vectors: Table, norms: Vector, query: npt.NDArray[Any]) -> Vector:
    """The cosine of a query with each row, (rows,); 0 with a row of zeros."""
    dots = row_dots(vectors, unit(query))
    return np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)


def best_scores(scores: Vector, most: int) -> tuple[Rows, Vector]:
    """The rows of the `most` highest scores, highest first and equal ones by row, and these scores."""
    found = TopRows(1, min(most, len(scores)))
    found.add(scores[None], np.ones_like(scores), 0)
    rows, best = found.best()
    return rows[0], best[0]


def nearest_rows(vectors: Table, norms: Vector, queries: npt.NDArray[Any], most: int) -> tuple[Rows, Vector]:
    """The rows nearest to each query by cosine, the nearest first and equal ones by row.

    Args:
        vectors: (rows, dim), float32 or float16.
        norms: (rows,), their Euclidean norms.
        queries: (queries, dim).
        most: how many for each query; no more than there are rows.

    Returns:
        Rows and cosines, each (queries, most).
    """
    most = min(most, len(vectors))
    units = unit_rows(queries)
    if len(units) == 1:
        found = TopRows(1, most)
        found.add(row_dots(vectors, units[0])[None], norms, 0)
        return found.best()
    rows, scores = np.empty((len(units), most), np.int64), np.empty((len(units), most), np.float32)
    for start in range(0, len(units), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        rows[part], scores[part] = _nearest_to_batch(vectors, norms, units[part], most)
    return rows, scores


def _nearest_to_batch(vectors: Table, norms: Vector, units: Vector, most: int) -> tuple[Rows, Vector]:
    found = TopRows(len(units), most)
    products = np.empty((len(units), min(ROWS_AT_ONCE, len(vectors))), np.float32)  # no new pages each time
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE].astype(np.float32, copy=False)
        if len(block) < products.shape[1]:
            products = np.empty((len(units), len(block)), np.float32)
        np.matmul(units, block.T, out=products)
        found.add(products, norms[start : start + len(block)], start)
    return found.best()
