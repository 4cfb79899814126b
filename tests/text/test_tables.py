"""`.csv`, `.tsv` and `.parquet`: the text column, odd cells, and tables that are broken."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.text import Corpus, Document

Write = Callable[[str, bytes | str], Path]
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def texts(path: Path, **options: Any) -> list[str]:
    return [document.text for document in Corpus([path], **options)]


def test_a_csv_document_is_a_cell_and_its_source_the_line_where_its_row_starts(write: Write) -> None:
    path = write("a.csv", '\ufeffid,text\r\n1,plain\r\n\r\n2,"two\r\nlines, ""quoted"""\r\n3,\r\n4,last')
    assert list(Corpus([path])) == [
        Document("plain", f"{path}:2"),
        Document('two\r\nlines, "quoted"', f"{path}:4"),
        Document("last", f"{path}:7"),
    ]


def test_tabs_separate_a_tsv(write: Write) -> None:
    assert texts(write("a.tsv", "text\tid\na, b\t1\n\tx\n")) == ["a, b"]


@settings(max_examples=40, deadline=None)
@given(cells=st.lists(CELLS, min_size=1), suffix=st.sampled_from([".csv", ".tsv"]))
def test_what_the_csv_module_writes_is_read_back(
    cells: list[str], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / f"a{suffix}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="," if suffix == ".csv" else "\t")
        writer.writerows([["id", "text"], ["0", "first"], *([str(i), cell] for i, cell in enumerate(cells))])
    assert texts(path) == ["first", *filter(None, cells)]


def test_a_cell_may_be_large(write: Write) -> None:
    large = "word " * 100_000
    assert texts(write("a.csv", f"id,text\n1,{large}\n")) == [large]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text\n1,a\n2,b,c\n", ":3 has 3 columns instead of 2: quote texts that hold ','"),
        ("id,text\n1\n", ":2 has 1 columns instead of 2"),
        ('id,text\n1,"a"b\n', ":2 is not a valid row"),
        ('id,text\n1,"never closed\nand on\n', ":3 is not a valid row (unexpected end of data)"),
        ("id,text\n1,a\rb\n", ":2 is not a valid row"),
    ],
)
def test_a_broken_row_is_named(write: Write, content: str, message: str) -> None:
    path = write("a.csv", content)
    with pytest.raises(CorruptFileError) as caught:
        texts(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_invalid_bytes_in_a_csv_follow_the_rule(write: Write) -> None:
    path = write("a.csv", b"id,text\n1,a\xff\n\xff,b\n3,c\n")
    with pytest.raises(CorruptFileError, match="not UTF-8 at byte 11"):
        texts(path)
    assert texts(path, errors="replace") == ["a\ufffd", "b", "c"]
    assert texts(path, errors="skip") == ["b", "c"]


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_a_parquet_document_is_a_row_of_any_text_column(write: Write, kind: pa.DataType) -> None:
    column = pa.array(["one", "", None, "四\r\n"]).cast(kind)
    path = write("a.parquet", parquet_bytes(pa.table({"id": [1, 2, 3, 4], "text": column})))
    assert list(Corpus([path])) == [Document("one", f"{path}:1"), Document("四\r\n", f"{path}:4")]


def test_parquet_rows_are_numbered_through_batches_and_row_groups(write: Write) -> None:
    table = pa.table({"text": [f"row {i}" for i in range(1, 5001)]})
    path = write("a.parquet", parquet_bytes(table, row_group_size=1500))
    documents = list(Corpus([path]))
    assert [document.text for document in documents] == table["text"].to_pylist()
    assert documents[-1].source == f"{path}:5000"


def test_a_compressed_parquet_file_is_unpacked_first(write: Write) -> None:
    data = parquet_bytes(pa.table({"text": ["one", "two"]}))
    assert texts(write("a.parquet.gz", gzip.compress(data))) == ["one", "two"]
    with pytest.raises(CorruptFileError, match=r"a\.parquet\.gz is truncated or damaged"):
        texts(write("a.parquet.gz", gzip.compress(data)[:-20]))


def test_invalid_bytes_in_parquet_follow_the_rule(write: Write) -> None:
    column = pa.array([b"ok", b"a\xff"]).view(pa.string())
    path = write("a.parquet", parquet_bytes(pa.table({"text": column})))
    with pytest.raises(CorruptFileError, match=r":2, column 'text', is not UTF-8 at byte 1 \(0xff\)"):
        texts(path)
    assert texts(path, errors="replace") == ["ok", "a\ufffd"]
    corpus = Corpus([path], errors="skip")
    assert [document.text for document in corpus] == ["ok"]
    assert corpus.skipped == 1


def test_a_column_of_numbers_is_no_text(write: Write) -> None:
    path = write("a.parquet", parquet_bytes(pa.table({"text": [1, 2]})))
    with pytest.raises(CorruptFileError, match="column 'text' holds int64, not text: choose another --field"):
        texts(path)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1 not really PAR1", parquet_bytes(pa.table({"text": ["x"]}))[:-3]]
)
def test_a_damaged_parquet_file_is_named(write: Write, content: bytes) -> None:
    with pytest.raises(CorruptFileError, match=r"a\.parquet is no valid Parquet file"):
        texts(write("a.parquet", content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,body\n1,a\n"),
        ("a.tsv", b"id\tbody\n1\ta\n"),
        ("a.parquet", parquet_bytes(pa.table({"id": [1], "body": ["a"]}))),
    ],
)
def test_a_wrong_field_names_the_columns(write: Write, name: str, content: bytes) -> None:
    path = write(name, content)
    with pytest.raises(UsageError) as caught:
        texts(path)
    assert str(caught.value) == f"{path} has no field 'text': choose --field among 'id', 'body'."
    assert texts(path, field="body") == ["a"]
