"""`nlpkit tokenizer encode|decode|count|show`."""

import io
import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.text import TokenShards
from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.id_files import read_ids, write_ids

SAMPLE = Path(__file__).parents[2] / "corpora" / "sample"
Result = tuple[int, str, str]
Run = Callable[..., Result]


@pytest.fixture
def run(nlpkit: Run) -> Run:
    """Run `nlpkit tokenizer …`."""
    return partial(nlpkit, "tokenizer")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [path.read_text(encoding="utf-8") for path in SAMPLE.glob("*.txt")]
    return Tokenizer.train(texts, vocab_size=1000)


@pytest.fixture(scope="module")
def vocabulary(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary") / "bpe"
    tokenizer.save(folder)
    return folder


def test_text_goes_through_ids_and_back(run: Run, vocabulary: Path, tokenizer: Tokenizer) -> None:
    text = "Hello, world!\n中文\n"
    code, ids, _ = run("encode", "-v", vocabulary, stdin=text)
    assert code == 0
    assert ids == " ".join(map(str, tokenizer.encode(text))) + "\n"
    assert run("decode", "-v", vocabulary, stdin=ids) == (0, text, "")
    _, as_json, _ = run("encode", "-v", vocabulary, "--json", stdin=text)
    assert json.loads(as_json) == tokenizer.encode(text)
    assert run("decode", "-v", vocabulary, stdin=as_json) == (0, text, "")


def test_ids_go_through_a_numpy_file_and_back(
    run: Run, vocabulary: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    text = "Hello, world!\n中文\n"
    path = tmp_path / "ids.npy"
    assert run("encode", "-v", vocabulary, "--numpy", path, stdin=text) == (0, "", "")
    ids = np.load(path)
    assert (ids.dtype, ids.tolist()) == (np.uint16, tokenizer.encode(text))
    assert run("decode", "-v", vocabulary, "--numpy", path) == (0, text, "")
    run("encode", "-v", vocabulary, "--lines", "--numpy", path, stdin=text)  # two documents, end to end
    assert np.load(path).tolist() == tokenizer.encode("Hello, world!") + tokenizer.encode("中文")


def test_numpy_arrays_go_through_pipes(vocabulary: Path, tokenizer: Tokenizer, program: list[str]) -> None:
    text = "some text 中文\n".encode()
    options = ["-v", str(vocabulary), "--numpy", "-"]
    encode, decode = ([*program, "tokenizer", command, *options] for command in ("encode", "decode"))
    written = subprocess.run(encode, input=text, capture_output=True, check=True).stdout
    assert np.load(io.BytesIO(written)).tolist() == tokenizer.encode(text.decode())
    assert subprocess.run(decode, input=written, capture_output=True, check=True).stdout == text


def npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no .npy file"),
        (b"31373 995", "is no .npy file"),
        (b"\x93NUMPY\x09\x00v\x00{'descr': 1}", "is no .npy file"),
        (b"\x93NUMPY\x01\x00\x03\x00{'a", "is no .npy file"),
        (npy(np.array([1, 2, 3]))[:-1], "is damaged: 3 ids of 8 bytes are announced, 23 bytes follow"),
        (npy(np.array([1, 2, 3])) + b"x", "is damaged"),
        (npy(np.array([[1, 2]])), "of shape (1, 2): token ids are integers in one dimension"),
        (npy(np.array([1.5])), "holds no token ids"),
        (npy(np.array([-1])), "token id -1 does not fit 32 bits"),
        (npy(np.array([2**40])), "does not fit 32 bits"),
        (npy(np.array([{}], dtype=object)), "holds an array of object"),
        (npy(np.array([999_999])), "has an id that"),
    ],
)
def test_numpy_files_that_hold_no_ids(
    content: bytes, message: str, run: Run, vocabulary: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ids.npy"
    path.write_bytes(content)
    code, printed, error = run("decode", "-v", vocabulary, "--numpy", path)
    assert (code, printed) == (1, "")
    assert message in error
    assert "ids.npy" in error
    assert error.count("\n") == 1


def test_numpy_files_that_cannot_be_there(run: Run, vocabulary: Path, tmp_path: Path) -> None:
    code, _, error = run("decode", "-v", vocabulary, "--numpy", tmp_path / "none.npy")
    assert (code, "none.npy cannot be read" in error) == (2, True)
    code, _, error = run("encode", "-v", vocabulary, "--numpy", tmp_path, stdin="a")
    assert (code, "is a folder" in error) == (2, True)
    arguments = ["encode", "-v", vocabulary, "--numpy", tmp_path / "a", "--out", tmp_path / "b"]
    code, _, error = run(*arguments, stdin="a")
    assert (code, "choose one" in error) == (2, True)


def test_large_vocabularies_give_arrays_of_four_bytes() -> None:
    stream = io.BytesIO()
    write_ids(np.array([70_000], np.uint32), 100_000, stream)
    assert np.load(io.BytesIO(stream.getvalue())).dtype == np.uint32
    assert read_ids(stream.getvalue(), "x").tolist() == [70_000]
    big_endian = npy(np.array([1, 258], dtype=">u2"))
    assert read_ids(big_endian, "x").tolist() == [1, 258]


def test_encode_writes_shards_and_says_what(
    run: Run, vocabulary: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    out = tmp_path / "shards"
    code, printed, _ = run(
        "encode", SAMPLE, "--vocabulary", vocabulary, "--out", out, "--split", "tail", "--json"
    )
    assert code == 0
    figures = json.loads(printed)
    shards = TokenShards(out / "validation", fingerprint=tokenizer.fingerprint)
    assert figures["validation"]["tokens"] == len(shards)
    assert figures["train"]["bytes_per_token"] > 1
    code, printed, _ = run(
        "encode", SAMPLE, "-v", vocabulary, "-o", out, "--validation", "0", "--threads", "2"
    )
    assert code == 0
    assert "bytes per token" in printed
    assert f"wrote {out}" in printed
    assert not (out / "validation").exists()


def test_encode_varies_the_merges(run: Run, vocabulary: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    text = "the same words again and again"
    _, one, _ = run("encode", "-v", vocabulary, "--dropout", "0.5", "--seed", "3", stdin=text)
    assert one == " ".join(map(str, tokenizer.encode(text, dropout=0.5, seed=3))) + "\n"
    _, other, _ = run("encode", "-v", vocabulary, "--dropout", "0.5", "--seed", "4", stdin=text)
    assert one != other
    out = tmp_path / "shards"
    options = ("--validation", "0", "--dropout", "0.5", "--bos", "<|endoftext|>", "--no-eos")
    code, _, _ = run("encode", SAMPLE, "-v", vocabulary, "-o", out, *options)
    assert code == 0
    assert TokenShards(out / "train").read(0, 1).tolist() == [tokenizer.eot_token]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dropout", "1.5"), "dropout 1.5 is no probability"),
        (("--no-eos",), "--no-eos are for shards"),
        (("--bos", "<|bos|>", "--out", "o"), "--bos <|bos|> is no special token"),
    ],
)
def test_encode_options_that_cannot_be_end_with_2(
    options: tuple[str, ...],
    message: str,
    run: Run,
    vocabulary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, errors = run("encode", "-v", vocabulary, *options, stdin="text")
    assert code == 2
    assert message in errors
    assert not any(tmp_path.iterdir())


def test_lines_are_documents(run: Run, vocabulary: Path) -> None:
    _, printed, _ = run("encode", "-v", vocabulary, "--lines", stdin="one\ntwo\n")
    assert len(printed.splitlines()) == 2


def test_count_lists_each_file_and_the_total(
    run: Run, vocabulary: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("hello world")
    (tmp_path / "b.jsonl").write_text('{"text": "中文"}\n{"text": "x"}\n')
    code, printed, _ = run("count", tmp_path / "a.txt", tmp_path / "b.jsonl", "-v", vocabulary, "--json")
    assert code == 0
    rows = json.loads(printed)
    assert [row["tokens"] for row in rows] == [
        len(tokenizer.encode("hello world")),
        len(tokenizer.encode("中文")) + 1,
        len(tokenizer.encode("hello world")) + len(tokenizer.encode("中文")) + 1,
    ]
    assert [row["documents"] for row in rows] == [1, 2, 3]
    assert rows[1]["source"].endswith("b.jsonl")
    assert rows[2]["source"] == "total"
    _, printed, _ = run("count", tmp_path / "a.txt", "-v", vocabulary)
    assert "bytes per token" in printed


def test_show_sets_tokens_apart(run: Run, vocabulary: Path, tokenizer: Tokenizer) -> None:
    code, printed, _ = run("show", "ab  c\n", "-v", vocabulary, "--ids")
    assert code == 0
    first, header, *rows = printed.splitlines()
    assert first.replace("|", "") == "ab··c⏎"
    assert header.split() == ["id", "bytes"]
    assert [int(row.split()[0].replace(",", "")) for row in rows] == tokenizer.encode("ab  c\n")
    _, printed, _ = run("show", "-v", vocabulary, stdin="\x00\U0001f9ff")
    assert "\\x00" in printed


def test_show_writes_a_page(run: Run, vocabulary: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, printed, _ = run("show", "ab <b> <|endoftext|>", "-v", vocabulary, "--html", page, "--special")
    assert code == 0
    assert printed == f"wrote {page}\n"
    content = page.read_text(encoding="utf-8")
    assert content.startswith("<!DOCTYPE html>")
    assert '<span class="special"' in content
    code, printed, _ = run("show", "a<|endoftext|>", "-v", vocabulary)
    assert "<|endoftext|>" not in printed  # ordinary text


def test_show_colours_tokens_in_a_terminal(run: Run, vocabulary: Path) -> None:
    _, printed, _ = run("show", "a b", "-v", vocabulary, terminal=True)
    assert printed.count("\x1b[0m") == 2
    assert "·b" in printed


def test_word_vocabularies_work_too(run: Run, tmp_path: Path) -> None:
    WordVocabulary.train(["the cat the dog"], min_count=1).save(tmp_path / "v")
    assert run("encode", "-v", tmp_path / "v", stdin="the bird") == (0, "2 0\n", "")
    assert run("decode", "-v", tmp_path / "v", stdin="2 0\n") == (0, "the <unk>", "")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (["encode", "-v", "none"], "a", 2, "none is no vocabulary folder (it has no nlpkit.json)"),
        (["encode", "-v", "VOCABULARY", "missing.txt"], "", 2, "missing.txt"),
        (
            ["encode", "-v", "VOCABULARY", "-o", "OUT", "--validation", "2"],
            "a",
            2,
            "--validation 2.0 is not a share",
        ),
        (["encode", "-v", "VOCABULARY", "-o", "OUT", "--split", "random"], "a", 2, "use documents or tail"),
        (["encode", "-v", "VOCABULARY", "-o", "OUT"], "a", 1, "use --split tail"),
        (["encode", "-v", "VOCABULARY", "-o", "OUT"], "", 1, "no text"),
        (["encode", "-v", "VOCABULARY", "-o", "VOCABULARY/nlpkit.json"], "ab", 2, "is a file"),
        (["encode", "-v", "VOCABULARY", "--errors", "guess"], "ab", 2, "guess"),
        (["decode", "-v", "VOCABULARY"], "5\n99999\n", 1, "line 2 of standard input has an id that .* 99999"),
        (["decode", "-v", "VOCABULARY"], b"5\n\xff", 1, "line 2 of standard input is not UTF-8 at byte 0"),
        (["show", "-v", "VOCABULARY"], b"a\n\0\xe4b", 1, "line 2 of standard input is not UTF-8 at byte 1"),
        (["decode", "-v", "VOCABULARY"], "five", 1, "line 1 of standard input is not a line of token ids"),
        (["decode", "-v", "VOCABULARY"], "-5", 1, "line 1 of standard input is not a line of token ids"),
        (["count", "-v", "VOCABULARY", "missing.txt"], "", 2, "missing.txt"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(
    arguments: list[str], stdin: str, code: int, said: str, run: Run, vocabulary: Path, tmp_path: Path
) -> None:
    import re

    places = {"VOCABULARY": vocabulary, "OUT": tmp_path / "out"}
    filled = [
        re.sub("VOCABULARY|OUT", lambda match: str(places[match[0]]), argument) for argument in arguments
    ]
    ended, printed, error = run(*filled, stdin=stdin)
    assert ended == code
    assert re.search(said if ".*" in said else re.escape(said), error)
    assert error.startswith("nlpkit: ")
    assert len(error.splitlines()) == 1
    assert not printed or arguments[0] == "decode"
    assert not (tmp_path / "out").exists()


def test_a_damaged_vocabulary_is_named(run: Run, tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "v")
    path = tmp_path / "v" / "vocabulary.tiktoken"
    path.write_bytes(path.read_bytes()[:1000])
    code, _, error = run("encode", "-v", tmp_path / "v", stdin="a")
    assert code == 1
    assert "vocabulary.tiktoken does not match its checksum" in error
