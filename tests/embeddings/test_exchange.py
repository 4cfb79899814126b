"""word2vec's, GloVe's and fastText's files: there and back, with gensim, and malformed."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit._core import read_text_rows
from nlpkit.embeddings import KeyedVectors, exchange
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError

WORDS = ["the", "中文", "naïve", "a.b", "▁x"]


@pytest.fixture
def vectors() -> KeyedVectors:
    return KeyedVectors(WORDS, np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32))


@pytest.mark.parametrize("binary", [False, True])
def test_there_and_back(vectors: KeyedVectors, tmp_path: Path, binary: bool) -> None:
    path = tmp_path / ("v.bin" if binary else "v.txt")
    assert vectors.save_word2vec_format(path, binary=binary) == 0
    back = KeyedVectors.load_word2vec_format(path, binary=binary)
    assert back.index_to_key == WORDS
    np.testing.assert_array_equal(back.vectors, vectors.vectors)  # to the bit, in text too
    assert KeyedVectors.load(path).index_to_key == WORDS
    limited = KeyedVectors.load_word2vec_format(path, binary=binary, limit=2)
    assert limited.index_to_key == WORDS[:2]


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_and_writes_the_same(vectors: KeyedVectors, tmp_path: Path, binary: bool) -> None:
    models = pytest.importorskip("gensim.models", reason="gensim (the group bench) is not installed")
    vectors.save_word2vec_format(tmp_path / "ours", binary=binary)
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert theirs.index_to_key == WORDS
    np.testing.assert_array_equal(theirs.vectors, vectors.vectors)
    theirs.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    back = KeyedVectors.load_word2vec_format(tmp_path / "theirs", binary=binary)
    assert back.index_to_key == WORDS
    np.testing.assert_array_equal(back.vectors, vectors.vectors)


def test_tokens_that_the_format_cannot_hold(tmp_path: Path) -> None:
    tokens = [b" the", b"two words", b"new\nline", b"\xff", b"", "▁the".encode(), "a\u3000b".encode()]
    vectors = KeyedVectors(tokens, np.arange(14, dtype=np.float32).reshape(7, 2))
    assert vectors.save_word2vec_format(tmp_path / "v.txt") == 5
    back = KeyedVectors.load_word2vec_format(tmp_path / "v.txt")
    assert back.index_to_key == ["▁the", "two▁words"]
    assert back["two▁words"].tolist() == [2, 3]


def test_the_layout_of_the_c_code(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"2 3\n</s> 1 2 3 \nword -0.5 0 1e-3 \n")
    table = KeyedVectors.load_word2vec_format(tmp_path / "v.txt")
    assert table.index_to_key == ["</s>", "word"]
    np.testing.assert_array_equal(table["word"], np.array([-0.5, 0, 1e-3], np.float32))
    floats = np.array([1.5, -2.0], "<f4")
    (tmp_path / "v.bin").write_bytes(b"2 2\na " + floats.tobytes() + b"\nb " + (-floats).tobytes() + b"\n")
    table = KeyedVectors.load_word2vec_format(tmp_path / "v.bin", binary=True)
    assert (table.index_to_key, table["b"].tolist()) == (["a", "b"], [-1.5, 2.0])


def test_glove_has_no_header_and_words_with_spaces(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "glove.txt.gz", "wb") as file:
        file.write(b"the 0.1 0.2 0.3\n. . 1 2 3\nat name@domain.com 4 5 6\n")
    table = KeyedVectors.load(tmp_path / "glove.txt.gz")
    assert table.index_to_key == ["the", ". .", "at name@domain.com"]
    assert table[". ."].tolist() == [1, 2, 3]


def test_a_repeated_word_counts_once(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"3 1\na 1\nb 2\na 3\n")
    with pytest.warns(UserWarning, match="1 words come more than once"):
        table = KeyedVectors.load_word2vec_format(tmp_path / "v.txt")
    assert (table.index_to_key, table["a"].tolist()) == (["a", "b"], [1.0])


@pytest.mark.parametrize("binary", [False, True])
def test_blocks_may_end_anywhere(
    vectors: KeyedVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: bool
) -> None:
    path = tmp_path / "v"
    repeated = KeyedVectors([*WORDS, "new"], np.vstack([vectors.vectors, vectors.vectors[:1]]))
    repeated.save_word2vec_format(path, binary=binary)
    content = path.read_bytes().replace(b"new", WORDS[1].encode())
    path.write_bytes(content if binary else content.replace(b"\n", b"\r\n \n").replace(b" ", b"\t", 3))
    for size in (1, 2, 7, 50, 200):
        monkeypatch.setattr(exchange, "READ_AT_ONCE", size)
        with pytest.warns(UserWarning, match="1 words come more than once"):
            back = KeyedVectors.load_word2vec_format(path, binary=binary)
        assert back.index_to_key == WORDS
        np.testing.assert_array_equal(back.vectors, vectors.vectors)


NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e30, 1e30).map(repr),
    st.from_regex(r"[-+]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][-+]?[0-9]{1,2})?", fullmatch=True),
)


@given(st.lists(NUMBERS, min_size=1, max_size=9))
@settings(max_examples=80, deadline=None)
def test_numbers_are_pythons(numbers: list[str]) -> None:
    with np.errstate(over="ignore"):
        expected = np.array([float(number) for number in numbers]).astype(np.float32)
    line = f"a word {' '.join(numbers)}\n".encode()
    words, found, fault = read_text_rows(line, dim=len(numbers), most=1)
    if np.isfinite(expected).all():
        assert (words, fault) == ([b"a word"], None)
        np.testing.assert_array_equal(found[0], expected)
    else:
        assert fault == (0, "a number is not finite")


@pytest.mark.parametrize("field", ["", "x", "1x", "1e", "e5", ".", "-", "+-1", "1_0", "0x1", "1.2.3", "--1"])
def test_what_is_no_number(field: str) -> None:
    _, _, fault = read_text_rows(f"ok 1 2\n\nw 1 {field}\t2\n".encode(), dim=2, most=9)
    assert fault is not None
    assert fault[0] == 2
    assert fault[1] == f"'{field}' is no number; 2 must follow the word" or not field


MALFORMED = {
    "empty": (b"", "line 1: neither `rows dim` nor a word"),
    "words only": (b"hello\nworld\n", "line 1: neither"),
    "short line": (b"2 3\na 1 2 3\nb 1 2\n", "line 3: 2 numbers instead of 3"),
    "no number": (b"2 2\na 1 2\nb 1 x\n", "line 3: .x. is no number; 2 must follow the word"),
    "nan": (b"1 2\na 1 nan\n", "line 2: a number is not finite"),
    "missing rows": (b"3 1\na 1\nb 2\n", "ends after 2 of 3 words"),
    "more rows": (b"1 1\na 1\nb 2\n", "holds more than the 1 words that its first line tells"),
    "header only": (b"0 5\n", "holds no vectors"),
    "a number too large": (b"1 2\na 1 1e39\n", "line 2: a number is not finite"),
    "one line without end": (
        b"a 1" + bytes(2**25),
        r"has a line of more than 16,777,216 bytes: is it text\?",
    ),
    "glove, short line": (b"a 1 2\nb 1\n", "line 2: 1 numbers instead of 2"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_text_names_the_line(tmp_path: Path, name: str) -> None:
    content, message = MALFORMED[name]
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=message) as raised:
        KeyedVectors.load(path)
    assert str(path) in str(raised.value)


BINARY: dict[str, Any] = {
    "no header": (b"\x00\x01\x02", "line 1: no `rows dim`"),
    "cut": (b"2 2\na " + bytes(8) + b"\nb " + bytes(5), "ends after 1 of 2 words"),
    "no end": (b"9 2\n" + bytes(2**23), "ends after 0 of 9 words"),
    "nan": (b"1 1\na " + np.array([np.nan], "<f4").tobytes(), "word 1 of 1: a number is not finite"),
}


@pytest.mark.parametrize("name", BINARY)
def test_malformed_binary_names_the_word(tmp_path: Path, name: str) -> None:
    content, message = BINARY[name]
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=message):
        KeyedVectors.load(path)


def test_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        KeyedVectors.load(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"no config.json"):
        KeyedVectors.load(tmp_path)
    (tmp_path / "x.npy").write_bytes(b"")
    with pytest.raises(NlpkitError, match="no vector file that can be read"):
        KeyedVectors.load(tmp_path / "x.npy")
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"1 1\na 1\n")[:-4])
    with pytest.raises(CorruptFileError, match="truncated or damaged"):
        KeyedVectors.load(tmp_path / "cut.txt.gz")
