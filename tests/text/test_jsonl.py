"""`.jsonl`: the field, the lines that are wrong, and JSON's lone surrogates."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.text import Corpus, Document

Write = Callable[[str, bytes | str], Path]


def test_each_line_is_a_document(write: Write) -> None:
    path = write(
        "a.jsonl", '{"text": "a\\r\\n\\u00e9"}\r\n\n{"id": 3, "text": " b\u2028"}\n  \n{"text": "c"}'
    )
    assert list(Corpus([path])) == [
        Document("a\r\né", f"{path}:1"),
        Document(" b\u2028", f"{path}:3"),
        Document("c", f"{path}:5"),
    ]


def test_empty_and_null_texts_are_no_documents(write: Write) -> None:
    path = write("a.jsonl", '{"text": ""}\n{"text": null}\n{"text": "x"}\n')
    assert [document.source for document in Corpus([path])] == [f"{path}:3"]


def test_another_field_can_be_chosen(write: Write) -> None:
    path = write("a.jsonl", '{"text": 1, "body": "here"}')
    assert [document.text for document in Corpus([path], field="body")] == ["here"]


def test_a_wrong_field_names_those_there_are(write: Write) -> None:
    path = write("a.jsonl", '{"text": "x"}\n{"id": 1, "body": "y"}\n')
    with pytest.raises(UsageError) as caught:
        list(Corpus([path]))
    assert str(caught.value) == f"{path}:2 has no field 'text': choose --field among 'id', 'body'."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'text': 'x'}", "is not valid JSON (Expecting property name"),
        ('{"text": "x"', "is not valid JSON (Expecting ',' delimiter"),
        ('{"text": "x"} {}', "is not valid JSON (Extra data"),
        ('["text"]', "is no JSON object"),
        ('"text"', "is no JSON object"),
        ("12", "is no JSON object"),
        ('{"text": ["x"]}', ": field 'text' is not a string but ['x']."),
        ('{"text": 5}', ": field 'text' is not a string but 5."),
        ("[" * 100_000, "nests JSON too deeply"),
        ('{"text": "\\ud800x"}', "holds the lone surrogate \\ud800"),
    ],
)
def test_a_bad_line_is_named(write: Write, line: str, message: str) -> None:
    path = write("a.jsonl", '{"text": "fine"}\n' + line + "\n")
    with pytest.raises(CorruptFileError) as caught:
        list(Corpus([path]))
    assert str(caught.value).startswith(f"{path}:2")
    assert message in str(caught.value)


def test_lone_surrogates_follow_the_rule_for_invalid_text(write: Write) -> None:
    path = write("a.jsonl", '{"text": "a\\ud800b"}\n{"text": "\\ud83d\\ude00"}\n')
    assert [document.text for document in Corpus([path], errors="replace")] == ["a\ufffdb", "😀"]
    assert [document.text for document in Corpus([path], errors="skip")] == ["😀"]


def test_invalid_bytes_are_met_line_by_line(write: Write) -> None:
    path = write("a.jsonl", b'{"text": "a"}\n{"text": "b\xff"}\n{"text": "c", "id": "\xff"}\n')
    with pytest.raises(CorruptFileError, match="is not UTF-8 at byte 25 "):
        list(Corpus([path]))
    assert [document.text for document in Corpus([path], errors="replace")] == ["a", "b\ufffd", "c"]
    assert [document.text for document in Corpus([path], errors="skip")] == ["a", "c"]


def test_a_file_of_blank_lines_is_an_empty_corpus(write: Write) -> None:
    with pytest.raises(NlpkitError, match="holds no text"):
        list(Corpus([write("a.jsonl", "\n\n")]))
