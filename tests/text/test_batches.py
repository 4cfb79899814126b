"""`Corpus.batches` gives the documents, and the errors, that iterating gives."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nlpkit._core import TextBatch
from nlpkit.errors import NlpkitError
from nlpkit.text import Corpus
from nlpkit.text.batches import gather

Write = Callable[[str, bytes | str], Path]
RULES = ["strict", "replace", "skip"]


@pytest.mark.parametrize(
    ("items", "batches"),
    [
        ([], []),
        (["ab"], [["ab"]]),
        (["abc", "d"], [["abc"], ["d"]]),  # full at once
        (["a", "b", "", "cdef", "g"], [["a", "b", "", "cdef"], ["g"]]),  # the item that fills it is in it
        (["", ""], [["", ""]]),
    ],
)
def test_items_are_gathered_until_they_are_enough(items: list[str], batches: list[list[str]]) -> None:
    assert list(gather(items, len, enough=3)) == batches


def batched(corpus: Corpus, nbytes: int = 2**20) -> list[bytes]:
    return [batch.document(i) for batch in corpus.batches(nbytes) for i in range(len(batch))]


def outcome(read: Callable[[], list[bytes]]) -> list[bytes] | str:
    try:
        return read()
    except NlpkitError as error:
        return f"{type(error).__name__}: {error}"


def assert_same(path: Path, *, nbytes: int = 2**20, **options: object) -> None:
    for errors in RULES:
        one = Corpus([path], errors=errors, **options)  # type: ignore[arg-type]
        other = Corpus([path], errors=errors, **options)  # type: ignore[arg-type]
        expected = outcome(lambda one=one: [document.text.encode() for document in one])  # type: ignore[misc]
        found = outcome(lambda other=other: batched(other, nbytes))  # type: ignore[misc]
        if isinstance(expected, str) and path.read_bytes().count(b"\n") > 1:
            assert isinstance(found, str)  # of two wrong lines the one or the other is named
        else:
            assert found == expected
            assert one.skipped == other.skipped


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=4), values, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.sampled_from(["text", "id", "tëxt", 'a"b']), VALUES, max_size=4)
LINES = st.builds(
    lambda record, escapes, text: json.dumps(
        record | ({} if text is None else {"text": text}), ensure_ascii=escapes
    ).encode("utf-8", "surrogatepass"),
    RECORDS,
    st.booleans(),
    st.none() | st.text(st.characters(), max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(LINES, min_size=1, max_size=4),
    end=st.sampled_from([b"\n", b"\r\n", b" \n\n", b"\r \n"]),
    at=st.floats(0, 1),
    change=st.none()
    | st.binary(min_size=1, max_size=2)
    | st.sampled_from([b'"', b"\\", b"{", b"\\ud800", b"e9"]),
)
@example(lines=[b'{"text": "a", "text": "b"}', b'{"text": "a", "text": null}'], end=b"\n", at=0, change=None)
@example(
    lines=[b'{"text": "x", "n": -0.5e+07}', b'{"text": "\\ud83d\\udc4d\\/"}'], end=b"\n", at=0, change=None
)
@example(lines=[b'{"text": "x", "n": 01}', b'{"text": "ok"}'], end=b"\n", at=0, change=None)
@example(lines=[b'{"text": "x", "n": NaN}', b'{"te\\u0078t": "y"}'], end=b"\n", at=0, change=None)
def test_jsonl_lines_whole_and_mangled(
    lines: list[bytes], end: bytes, at: float, change: bytes | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = end.join(lines)
    if change is not None:
        place = int(at * len(content))
        content = content[:place] + change + content[place + 1 :]
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_bytes(content)
    assert_same(path)
    assert_same(path, nbytes=1)


@settings(max_examples=100, deadline=None)
@given(
    content=st.lists(
        st.sampled_from([b"a", b"\n", b"\r", b"\xe4\xb8\xad", b"\xff", b" ", b"\xe4"]), max_size=20
    )
)
def test_lines_of_text(content: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes(b"".join(content))
    assert_same(path, lines=True)
    assert_same(path, lines=True, nbytes=2)
    assert_same(path)


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl"])
def test_a_byte_order_mark_is_no_text(name: str, write: Write) -> None:
    path = write(name, b'\xef\xbb\xbf{"text": "x"}\ntext\nyes\n')
    assert_same(path, field="text")
    assert_same(path, field="text", lines=True)


def test_batches_end_with_the_document_that_fills_them(write: Write) -> None:
    paths = [
        write("a.jsonl", '{"text": "abc"}\n{"text": "de"}\n'),
        write("b.txt", "fgh"),
        write("c.csv", "text\ni\nj\n"),
    ]
    sizes = [[len(batch.document(i)) for i in range(len(batch))] for batch in Corpus(paths).batches(4)]
    assert sizes == [[3, 2], [3, 1], [1]]
    assert [batch.nbytes for batch in Corpus(paths).batches(4)] == [5, 4, 1]


def test_an_odd_line_far_into_a_file_is_named_by_its_number(write: Write) -> None:
    path = write("a.jsonl", '{"text": "x"}\n' * 5000 + '{"body": "y"}\n')
    with pytest.raises(NlpkitError, match=r"a\.jsonl:5001 has no field 'text'"):
        batched(Corpus([path]), nbytes=100)


def test_a_file_longer_than_a_block_loses_nothing(write: Write) -> None:
    records = [{"id": i, "text": "some text, " * (i % 50)} for i in range(9000)]
    path = write("a.jsonl", "\n".join(map(json.dumps, records)))
    assert path.stat().st_size > 2**21
    assert_same(path, nbytes=2**16)


@pytest.mark.parametrize("text", ["a\ud83d\udc4db", "lone \ud800 surrogate", ""])
def test_any_string_can_be_appended(text: str) -> None:
    batch = TextBatch()
    batch.append(text)
    assert batch.document(0) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    with pytest.raises(IndexError):
        batch.document(1)


def test_the_json_test_suite_reads_alike(tmp_path: Path) -> None:
    """Every file of nst/JSONTestSuite as the value beside the text."""
    data = os.environ.get("NLPKIT_DATA")
    if not data:
        pytest.skip("NLPKIT_DATA is not set: no JSONTestSuite")
    for line in (Path(data) / "text" / "structured" / "JSONTestSuite.jsonl").read_text().splitlines():
        value = base64.b64decode(json.loads(line)["b64"]).replace(b"\n", b" ")
        path = tmp_path / "a.jsonl"
        for record in (b'{"value": %b, "text": "x"}', b'{"text": %b}', b"%b"):
            path.write_bytes(record % value)
            assert_same(path)
