"""`Corpus` on plain text: what is one document, what is kept, what stops it."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.text import Corpus, Document
from nlpkit.text.utf8 import BLOCK_BYTES

Write = Callable[[str, bytes | str], Path]


def texts(corpus: Corpus) -> list[str]:
    return [document.text for document in corpus]


def test_a_text_file_is_one_document_kept_to_the_last_line_end(write: Write) -> None:
    path = write("a.txt", b"one\r\ntwo\rthree\n\n")
    assert list(Corpus([path])) == [Document("one\r\ntwo\rthree\n\n", str(path))]


def test_lines_are_documents_without_their_ends_and_empty_ones_are_none(write: Write) -> None:
    path = write("a.txt", "one\r\r\n\n two \u2028still two\x0c\n \nlast".encode())
    assert list(Corpus([path], lines=True)) == [
        Document("one\r", f"{path}:1"),
        Document(" two \u2028still two\x0c", f"{path}:3"),
        Document(" ", f"{path}:4"),
        Document("last", f"{path}:5"),
    ]


def test_a_byte_order_mark_is_dropped_at_the_start_of_a_file_only(write: Write) -> None:
    path = write("a.txt", b"\xef\xbb\xbfone\n\xef\xbb\xbftwo")
    assert texts(Corpus([path])) == ["one\n\ufefftwo"]
    assert texts(Corpus([path], lines=True)) == ["one", "\ufefftwo"]


@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")), min_size=1)
)
def test_lines_come_back_whatever_they_hold(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes("\n".join(["first", *lines]).encode())
    assert texts(Corpus([path], lines=True)) == ["first", *filter(None, lines)]


def test_lines_that_cross_blocks_keep_their_text_and_number(write: Write) -> None:
    lines = ["é" * (BLOCK_BYTES // 3), "short", "漢" * BLOCK_BYTES, "x" * (BLOCK_BYTES - 7), "", "end"]
    path = write("a.txt", "\n".join(lines))
    documents = list(Corpus([path], lines=True))
    assert [document.text for document in documents] == list(filter(None, lines))
    assert [document.source.rsplit(":")[-1] for document in documents] == ["1", "2", "3", "4", "6"]


def test_a_corpus_can_be_read_again(write: Write) -> None:
    corpus = Corpus([write("a.txt", "one\ntwo")], lines=True)
    assert texts(corpus) == texts(corpus) == ["one", "two"]


@pytest.mark.parametrize("lines", [False, True])
def test_an_invalid_byte_stops_with_file_and_offset(write: Write, lines: bool) -> None:
    path = write("a.txt", b"\xef\xbb\xbf" + (b"x" * 1023 + b"\n") * 2048 + b"y" * 10 + b"\xff\n")
    with pytest.raises(CorruptFileError) as caught:
        list(Corpus([path], lines=lines))
    assert str(caught.value).startswith(f"{path} is not UTF-8 at byte {3 + 2048 * 1024 + 10} (0xff)")
    assert caught.value.exit_code == 1


def test_replace_puts_the_replacement_character(write: Write) -> None:
    path = write("a.txt", b"ab\xffcd\ne\xe4\xb8f\n")
    assert texts(Corpus([path], lines=True, errors="replace")) == ["ab\ufffdcd", "e\ufffdf"]


def test_skip_leaves_out_the_documents_that_hold_invalid_bytes_and_counts_them(write: Write) -> None:
    path = write("a.txt", b"ab\xffcd\nfine\nalso \xc3\xa9\n\x80\n")
    corpus = Corpus([path], lines=True, errors="skip")
    assert texts(corpus) == ["fine", "also é"]
    assert corpus.skipped == 2
    assert texts(corpus) == ["fine", "also é"]
    assert corpus.skipped == 2


def test_skip_leaves_out_a_whole_file_document(write: Write) -> None:
    corpus = Corpus(
        [write("a.txt", b"ab\xff"), write("b.txt", b"b"), write("c.txt", b"PNG\0\0")], errors="skip"
    )
    assert texts(corpus) == ["b"]
    assert corpus.skipped == 2


def test_an_unknown_rule_for_invalid_bytes_is_refused(write: Write) -> None:
    with pytest.raises(UsageError, match="choose strict, replace or skip"):
        Corpus([write("a.txt", "a")], errors="ignore")


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize("lines", [False, True])
def test_a_binary_file_is_refused(write: Write, errors: str, lines: bool) -> None:
    path = write("a.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(CorruptFileError, match=r"a\.txt is a binary file \(NUL at byte 8\)"):
        list(Corpus([path], errors=errors, lines=lines))


def test_utf16_is_refused_by_its_name(write: Write) -> None:
    with pytest.raises(CorruptFileError, match="is UTF-16 text: convert it to UTF-8"):
        list(Corpus([write("a.txt", "text".encode("utf-16"))]))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_corpus_is_an_error(write: Write, content: bytes) -> None:
    path = write("a.txt", content)
    with pytest.raises(NlpkitError, match=r"a\.txt holds no text: give at least one document") as caught:
        list(Corpus([path], lines=True))
    assert caught.value.exit_code == 1


def test_a_corpus_that_is_empty_because_all_was_skipped_says_so(write: Write) -> None:
    with pytest.raises(NlpkitError, match=r"holds no text \(--errors skip left out 1\)"):
        list(Corpus([write("a.txt", b"\xff")], errors="skip"))


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input_is_text_that_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    standard_input(monkeypatch, b"one\ntwo\n")
    corpus = Corpus(["-"], lines=True)
    assert corpus.total_bytes == 8
    assert list(corpus) == [Document("one", "standard input:1"), Document("two", "standard input:2")]
    assert texts(corpus) == ["one", "two"]
    fingerprint = corpus.fingerprint()
    standard_input(monkeypatch, b"one\ntwo\n")
    assert Corpus(["-"], lines=True).fingerprint() == fingerprint


def test_the_copy_of_standard_input_goes_with_its_corpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    standard_input(monkeypatch, b"text")
    corpus = Corpus(["-"])
    assert texts(corpus) == ["text"]
    assert len(list(tmp_path.iterdir())) == 1
    del corpus
    assert list(tmp_path.iterdir()) == []


def test_bytes_read_goes_from_nothing_to_the_total(write: Write) -> None:
    corpus = Corpus([write("a.txt", "one"), write("b.txt", "three"), write("c.txt", "seven77")])
    assert (corpus.total_bytes, corpus.bytes_read) == (15, 0)
    assert [corpus.bytes_read for _ in corpus] == [3, 8, 15]
    assert corpus.bytes_read == 15


def test_bytes_read_survives_an_iteration_that_was_dropped(write: Write) -> None:
    corpus = Corpus([write("a.txt", "one\ntwo")], lines=True)
    documents = iter(corpus)
    next(documents)
    documents.close()  # type: ignore[attr-defined]
    assert corpus.bytes_read == 0


def test_the_fingerprint_follows_content_and_options_not_names(write: Write) -> None:
    def fingerprint(files: dict[str, str], **options: Any) -> str:
        return Corpus([write(name, text) for name, text in files.items()], **options).fingerprint()

    one = fingerprint({"a.txt": "one", "b.txt": "two"})
    assert len(one) == 64
    assert fingerprint({"moved/x.txt": "one", "moved/y.txt": "two"}) == one
    different = [
        fingerprint({"b.txt": "two", "a.txt": "one"}),
        fingerprint({"a.txt": "one", "b.txt": "Two"}),
        fingerprint({"a.txt": "onetwo"}),
        fingerprint({"a.txt": "one", "b.txt": "two"}, lines=True),
        fingerprint({"a.txt": "one", "b.txt": "two"}, errors="skip"),
        fingerprint({"a.txt": "one", "b.txt": "two"}, field="body"),
        fingerprint({"a.jsonl": "one", "b.txt": "two"}),
    ]
    assert len({one, *different}) == 8


def test_documents_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Document("text", "source").text = "other"  # type: ignore[misc]
