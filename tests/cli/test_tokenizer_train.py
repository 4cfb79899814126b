"""`nlpkit tokenizer train`: what it writes, what it prints, what it refuses."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nlpkit.tokenization import Tokenizer, WordVocabulary, load_vocabulary

Result = tuple[int, str, str]
Run = Callable[..., Result]


@pytest.fixture
def train(nlpkit: Run) -> Run:
    """Run `nlpkit tokenizer train …`."""
    return partial(nlpkit, "tokenizer", "train")


def test_trains_the_vocabulary_that_the_library_trains(train: Run, tmp_path: Path) -> None:
    text = "the cat sat on the mat, the cats sat on the mats\n" * 3
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8")
    code, out, err = train(file, "--vocab-size", "270", "--out", tmp_path / "v", "--json")
    assert (code, err) == (0, "")
    expected = Tokenizer.train([text], vocab_size=270)
    trained = load_vocabulary(tmp_path / "v")
    assert isinstance(trained, Tokenizer)
    assert trained.fingerprint == expected.fingerprint
    summary = json.loads(out)
    assert summary["vocab_size"] == 270
    assert summary["bytes_per_token"] == len(text) / len(expected.encode(text))


def test_pattern_and_special_tokens_are_kept(train: Run, tmp_path: Path) -> None:
    code, _, _ = train(
        *("-", "--vocab-size", 262, "--pattern", r"\w+|\W+", "--special-token", "<a>"),
        *("--special-token", "<b>", "--out", tmp_path / "v"),
        stdin="aaaa bbbb aaaa bbbb",
    )
    assert code == 0
    trained = load_vocabulary(tmp_path / "v")
    assert isinstance(trained, Tokenizer)
    assert trained.special_tokens_set == {"<a>", "<b>"}
    assert trained.encode("<b>", allowed_special="all") == [261]


@pytest.mark.parametrize(
    ("kind", "units"),
    [("words", {b"One", b"two,"}), ("pretokens", {b"One", b" two"}), ("characters", {b"O", b" "})],
)
def test_kind_chooses_the_unit(train: Run, tmp_path: Path, kind: str, units: set[bytes]) -> None:
    code, out, _ = train(
        "-", "--kind", kind, "--min-count", "1", "--out", tmp_path / "v", stdin="One two, two,"
    )
    assert code == 0
    trained = load_vocabulary(tmp_path / "v")
    assert isinstance(trained, WordVocabulary)
    assert units <= {trained.decode_single_token_bytes(i) for i in range(trained.n_vocab)}
    assert "next: nlpkit tokenizer encode" in out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--vocab-size", "256"], 2, "--vocab-size 256 is too small"),
        (["--vocab-size", "5000"], 1, "--vocab-size 259 at most"),
        (["--pattern", "cl100"], 2, "cl100k"),
        (["--pattern", "(a"], 2, "missing )"),
        (["--lowercase"], 2, "--lowercase"),
        (["--kind", "words", "--special-token", "<a>"], 2, "--special-token"),
        (["--kind", "words", "--min-count", "9"], 1, "9 times"),
    ],
)
def test_bad_requests_are_one_sentence_and_write_nothing(
    refuse: Callable[..., str], tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    command = ["tokenizer", "train", "-", "--out", tmp_path / "v", *arguments]
    assert sentence in refuse(code, *command, stdin="ab ab")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_corpus_is_refused(train: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = train(tmp_path / "empty", "--out", tmp_path / "v")
    assert code in (1, 2)
    assert "empty" in err
    assert not (tmp_path / "v").exists()
