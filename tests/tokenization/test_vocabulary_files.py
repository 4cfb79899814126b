"""Vocabularies on disk: what is written comes back, and what is damaged is named."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit._core import BpeVocabulary
from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.tokenization import Tokenizer, WordVocabulary, load_vocabulary
from nlpkit.tokenization.vocabulary_files import read_tiktoken

BYTES = {bytes([value]): value for value in range(256)}


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    tokenizer.save(tmp_path / "vocabulary")
    return tmp_path / "vocabulary"


def write_ranks(path: Path, extra_lines: bytes) -> Path:
    path.write_bytes(BpeVocabulary(BYTES).tiktoken() + extra_lines)
    return path


def change_description(folder: Path, **fields: object) -> None:
    path = folder / "nlpkit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_saved_vocabulary_loads_the_same(folder: Path, tokenizer: Tokenizer) -> None:
    for loaded in (Tokenizer.load(folder), load_vocabulary(folder)):
        assert isinstance(loaded, Tokenizer)
        assert loaded.fingerprint == tokenizer.fingerprint
        assert loaded.name == tokenizer.name
        text = "Tokenization 中文<|endoftext|>"
        assert loaded.encode(text, allowed_special="all") == tokenizer.encode(text, allowed_special="all")


def test_the_description_says_whether_merging_rebuilds_every_token(folder: Path, tmp_path: Path) -> None:
    joined = {**BYTES, b"bc": 256, b"ab": 257, b"cd": 258, b"abcd": 259}
    Tokenizer("joined", pat_str="cl100k", mergeable_ranks=joined, special_tokens={}).save(tmp_path / "joined")
    said = [
        json.loads((path / "nlpkit.json").read_text())["consistent"] for path in (folder, tmp_path / "joined")
    ]
    assert said == [True, False]


def test_the_rank_file_is_tiktokens(folder: Path, tokenizer: Tokenizer) -> None:
    from tiktoken.load import load_tiktoken_bpe

    path = folder / "vocabulary.tiktoken"
    assert load_tiktoken_bpe(str(path)) == tokenizer._mergeable_ranks
    loaded = Tokenizer.load(path, pattern="cl100k")
    assert loaded.encode("Tokenization") == tokenizer.encode("Tokenization")
    assert loaded.document_end is None


def test_blank_lines_and_gaps_are_legal(tmp_path: Path) -> None:
    path = write_ranks(tmp_path / "x.tiktoken", b"\n  \r\nYWI= 1000\r\n")
    assert read_tiktoken(path).ranks() == BYTES | {b"ab": 1000}


@settings(max_examples=50, deadline=None)
@given(
    tokens=st.dictionaries(st.binary(min_size=2, max_size=20), st.integers(256, 2**32 - 2)),
    blank=st.sampled_from([b"", b"\n", b" \t\r\n"]),
)
def test_reading_and_writing_agree_with_the_standard_library(tokens: dict[bytes, int], blank: bytes) -> None:
    ranks = BYTES | {token: rank for rank, token in {rank: token for token, rank in tokens.items()}.items()}
    lines = [b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in ranks.items()]
    read = BpeVocabulary.parse(blank.join(lines))
    assert read.ranks() == ranks
    assert list(read.ranks().values()) == sorted(ranks.values())
    assert read.tiktoken() == b"".join(sorted(lines, key=lambda line: int(line.split()[1])))
    assert len(read) == len(ranks)
    assert read.max_rank == max(ranks.values())
    assert all(read.find(token) == rank for token, rank in ranks.items())
    assert read.find(b"\xff\xff" * 20) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"!!!! 256\n", "line 257 is damaged"),
        (b"YWI 256\n", "line 257 is damaged"),
        (b"YWI= x\n", "line 257 is damaged: it is not a base64 token, a space and a rank"),
        (b"YWI= -1\n", "line 257 is damaged"),
        (b"YWI=\n", "line 257 is damaged"),
        (b"YWI= 1 2\n", "line 257 is damaged"),
        (b"YWI= 4294967296\n", "line 257 is damaged: rank 4294967296 does not fit 32 bits"),
        (b"YWI= 256\n\nYWI= 257\n", "line 259: token b'ab' comes a second time"),
        (b"YWI= 255\n", "line 257: rank 255 comes a second time"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = write_ranks(tmp_path / "x.tiktoken", line)
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_tiktoken(path)
    assert str(path) in str(caught.value)


def test_a_file_that_lacks_a_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    for content in (b"", BpeVocabulary(BYTES).tiktoken()[:-9], base64.b64encode(b"a") + b" 0\n"):
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match="no token for the byte"):
            Tokenizer.load(path, pattern="gpt2")


def test_paths_that_do_not_fit_are_usage_errors(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Tokenizer.load(tmp_path / "none")
    with pytest.raises(UsageError, match="which pattern"):
        Tokenizer.load(folder / "vocabulary.tiktoken")
    with pytest.raises(UsageError, match="says its own pattern"):
        Tokenizer.load(folder, pattern="gpt2")
    with pytest.raises(UsageError, match="no split pattern is named 'cl101k'"):
        Tokenizer.load(folder / "vocabulary.tiktoken", pattern="cl101k")
    with pytest.raises(UsageError, match=r"has no nlpkit\.json"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-20], lambda content: content.replace(b"A", b"B", 1)]
)
def test_a_changed_rank_file_does_not_match_its_checksum(
    folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = folder / "vocabulary.tiktoken"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptFileError, match=r"vocabulary\.tiktoken does not match its checksum"):
        load_vocabulary(folder)


def test_a_missing_rank_file_is_named(folder: Path) -> None:
    (folder / "vocabulary.tiktoken").unlink()
    with pytest.raises(UsageError, match=r"vocabulary\.tiktoken does not exist"):
        load_vocabulary(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pat_str": "[a-z]+"}, "fingerprint does not fit"),
        ({"special_tokens": {"<a>": 9}}, "fingerprint does not fit"),
        ({"special_tokens": ["<a>"]}, "is damaged"),
        ({"name": 3}, "name is not a text"),
        ({"format": "other"}, "does not describe a vocabulary"),
        ({"version": 99}, "format version 99, this nlpkit reads 1"),
        ({"kind": "unigram"}, "does not know, 'unigram'"),
    ],
)
def test_a_changed_description_is_refused(folder: Path, fields: dict[str, object], message: str) -> None:
    change_description(folder, **fields)
    with pytest.raises(CorruptFileError, match=message):
        load_vocabulary(folder)


def test_a_truncated_description_is_refused(folder: Path) -> None:
    path = folder / "nlpkit.json"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(CorruptFileError, match="not valid JSON"):
        load_vocabulary(folder)


def test_the_other_kind_of_vocabulary_is_a_usage_error(folder: Path) -> None:
    with pytest.raises(UsageError, match="kind 'bpe', not 'words'"):
        WordVocabulary.load(folder)
