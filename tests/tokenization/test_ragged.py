"""The ids of several texts as one array, and as a matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import UsageError
from nlpkit.tokenization import RaggedIds, Tokenizer

SIDES = st.sampled_from(["left", "right"])


def ragged_of(rows: list[list[int]]) -> RaggedIds:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.uint64)
    return RaggedIds(np.array([token for row in rows for token in row], dtype=np.uint32), offsets)


def test_documents_are_views_by_number_and_in_turn() -> None:
    ragged = ragged_of([[1, 2], [], [3]])
    assert len(ragged) == 3
    assert [ids.tolist() for ids in ragged] == [[1, 2], [], [3]]
    assert ragged[-1].tolist() == [3]
    assert ragged[0].base is not None
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"document {index} of 3"):
            ragged[index]


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=5),
    max_length=st.none() | st.integers(0, 7),
    pad=SIDES,
    truncate=SIDES,
)
def test_a_matrix_holds_each_row_cut_and_padded(
    rows: list[list[int]], max_length: int | None, pad: str, truncate: str
) -> None:
    kept = [row if max_length is None else row[:max_length] for row in rows]
    if truncate == "left" and max_length is not None:
        kept = [row[max(0, len(row) - max_length) :] for row in rows]
    width = max(map(len, kept), default=0)
    fill = [[99] * (width - len(row)) for row in kept]
    expected = [row + f if pad == "right" else f + row for row, f in zip(kept, fill, strict=True)]
    matrix = ragged_of(rows).to_matrix(99, max_length=max_length, pad=pad, truncate=truncate)  # type: ignore[arg-type]
    assert matrix.ids.shape == matrix.mask.shape == (len(rows), width)
    assert matrix.ids.tolist() == expected
    assert matrix.lengths.tolist() == list(map(len, kept))
    assert matrix.mask.tolist() == [[token != 99 for token in row] for row in expected]


def test_texts_become_a_matrix(tokenizer: Tokenizer) -> None:
    texts = ["hello world, hello", "hello", ""]
    matrix = tokenizer.encode_to_matrix(texts, pad_id=7, document_end=True)
    rows = [[*tokenizer.encode(text), tokenizer.eot_token] for text in texts]
    assert [row[:n].tolist() for row, n in zip(matrix.ids, matrix.lengths, strict=True)] == rows
    assert matrix.ids[1, len(rows[1]) :].tolist() == [7] * (matrix.ids.shape[1] - len(rows[1]))
    short = tokenizer.encode_to_matrix(texts, pad_id=7, max_length=2, pad="left", threads=2)
    assert short.ids.shape == (3, 2)
    assert short.ids[0].tolist() == rows[0][:2]
    assert tokenizer.encode_to_matrix([], pad_id=0).ids.shape == (0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad_id": -1}, "pad_id -1 is no id"),
        ({"pad_id": 0, "max_length": -1}, "max_length -1 is negative"),
        ({"pad_id": 0, "pad": "middle"}, "pad='middle' does not exist"),
        ({"pad_id": 0, "truncate": "both"}, "truncate='both' does not exist"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(
    options: dict[str, object], message: str, tokenizer: Tokenizer
) -> None:
    with pytest.raises(UsageError, match=message):
        tokenizer.encode_to_matrix(["a"], **options)  # type: ignore[arg-type]
