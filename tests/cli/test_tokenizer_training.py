"""`nlpkit tokenizer train|pretokenize|extend`: what they print, and what they say about bad input."""

import importlib
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nlpkit.errors import UsageError
from nlpkit.tokenization import Tokenizer

options = importlib.import_module("nlpkit.cli.tokenizer.training_options")

SAMPLE = Path(__file__).parents[2] / "corpora" / "sample"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(nlpkit: Run) -> Run:
    """Run `nlpkit tokenizer …`."""
    return partial(nlpkit, "tokenizer")


def test_train_prints_a_summary_with_the_next_command(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "v"
    code, printed, _ = run("train", SAMPLE, "--vocab-size", 800, "--out", out)
    assert code == 0
    assert "800 ids, 543 of them learnt" in printed
    assert "(training text)" in printed
    assert "peak memory" in printed
    assert f"next: nlpkit tokenizer encode {SAMPLE} --vocabulary {out} --out shards" in printed
    assert Tokenizer.load(out).n_vocab == 800


def test_train_takes_its_options(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "v"
    code, printed, _ = run(
        "train", SAMPLE, "--vocab-size", 500, "-o", out, "--pattern", "gpt2", "--special-token", "<a>",
        "--special-token", "<b>", "--reserve", 1, "--min-count", 2, "--max-token-bytes", 5, "--weight",
        f"{SAMPLE}=2", "--sample", 0.9, "--seed", 3, "--held-out", 0.3, "--max-memory", "1GB", "--threads", 1,
        "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(printed)["measured_on"] == "held-out text"
    tokenizer = Tokenizer.load(out)
    assert tokenizer.special_tokens_set == {"<a>", "<b>", "<|reserved_0|>"}
    assert max(map(len, tokenizer.token_byte_values())) == 5


def test_train_and_extend_measure_on_other_text(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("some other text", encoding="utf-8")
    measure = ["--measure-on", tmp_path / "other.txt", "--json"]
    for command in (
        ["train", SAMPLE, "--vocab-size", 500, "--out", tmp_path / "v"],
        ["extend", SAMPLE, "--vocabulary", tmp_path / "v", "--add", 9, "--out", tmp_path / "w"],
    ):
        code, printed, _ = run(*command, *measure)
        assert code == 0
        summary = json.loads(printed)
        tokens = len(Tokenizer.load(Path(summary["vocabulary"])).encode("some other text"))
        assert (summary["bytes_per_token"], summary["measured_on"]) == (15 / tokens, "held-out text")


def test_train_reads_standard_input(run: Run, tmp_path: Path) -> None:
    code, _, _ = run("train", "-", "--vocab-size", 258, "--out", tmp_path / "v", stdin="aa aa")
    assert code == 0
    assert Tokenizer.load(tmp_path / "v").encode("aa") == [256]


def test_pretokenized_parts_train_to_the_vocabulary_of_the_whole(run: Run, tmp_path: Path) -> None:
    texts = sorted(SAMPLE.glob("*.txt"))
    assert run("pretokenize", *texts[:5], "--out", tmp_path / "a.counts")[0] == 0
    code, printed, _ = run("pretokenize", *texts[5:], "--out", tmp_path / "b.counts", "--json")
    assert code == 0
    assert json.loads(printed)["documents"] == len(texts) - 5
    parts = [tmp_path / "b.counts", tmp_path / "a.counts"]
    assert run("train", "--counts", *parts, "--vocab-size", 900, "--out", tmp_path / "counts")[0] == 0
    assert run("train", *texts, "--vocab-size", 900, "--out", tmp_path / "texts")[0] == 0
    ranks = [(tmp_path / name / "vocabulary.tiktoken").read_bytes() for name in ("counts", "texts")]
    assert ranks[0] == ranks[1]


def test_extend_adds_tokens(run: Run, tmp_path: Path) -> None:
    Tokenizer.train(["aa"], vocab_size=258).save(tmp_path / "v")
    code, printed, _ = run("extend", SAMPLE, "--vocabulary", tmp_path / "v", "--add", 9, "-o", tmp_path / "w")
    assert code == 0
    assert "267 ids, 9 of them learnt" in printed
    assert Tokenizer.load(tmp_path / "w").eot_token == 257


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([SAMPLE, "--vocab-size", "100"], 2, "--vocab-size 100 is too small"),
        ([SAMPLE, "--vocab-size", "1000000"], 1, "at most"),
        ([SAMPLE, "--pattern", "nosuch"], 2, "no split pattern is named 'nosuch'"),
        ([SAMPLE, "--pattern", "(a"], 2, "not a valid regex"),
        ([SAMPLE, "--pattern", "[a-z]+"], 1, "does not cover the text"),
        ([SAMPLE, "--special-token", ""], 2, "special token is empty"),
        ([SAMPLE, "--special-token", "a", "--special-token", "a"], 2, "'a' is given twice"),
        ([SAMPLE, "--max-memory", "1KB"], 2, "at least 16MB"),
        ([SAMPLE, "--max-memory", "much"], 2, "--max-memory much is no size"),
        ([SAMPLE, "--weight", "3"], 2, "--weight 3 is not INPUT=N"),
        ([SAMPLE, "--counts", "--sample", "0.5"], 2, "give them to `nlpkit tokenizer pretokenize`"),
        ([SAMPLE, "--min-count", "0"], 2, "--min-count 0 is too small"),
        ([SAMPLE, "--kind", "words", "--sample", "0.5"], 2, "--sample is for --kind bpe"),
        (["no/such/file.txt"], 2, "no/such/file.txt"),
        (["no.counts", "--counts"], 2, "no.counts does not exist"),
        ([SAMPLE, "--vocab-size", "500", "--measure-on", sys.executable], 1, "is a binary file"),
        ([SAMPLE / "README.md", "--counts"], 1, "is no counts file"),
    ],
)
def test_bad_input_is_one_sentence(
    refuse: Callable[..., str], tmp_path: Path, arguments: list[str | Path], code: int, message: str
) -> None:
    assert message in refuse(code, "tokenizer", "train", *arguments, "--out", tmp_path / "v")
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [("5000", 5000), ("8MB", 8_000_000), ("1.5GB", 1_500_000_000), ("2 GiB", 2**31), ("64kb", 64_000)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert options.parse_memory(text) == size


def test_no_size_is_no_limit() -> None:
    assert options.parse_memory(None) is None
    with pytest.raises(UsageError, match="5XB is no size"):
        options.parse_memory("5XB")
