"""Bad input of training through the real commands: one sentence, the right exit code, nothing left behind."""

import gc
import hashlib
import random
import resource
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from nlpkit.tokenization import Tokenizer

Run = Callable[..., tuple[int, str, str]]
TEXT = "the cat sat on the mat, the cats sat on 12345 mats\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, for temporary files too."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(nlpkit: Run) -> Run:
    """Run `nlpkit tokenizer …`."""
    return partial(nlpkit, "tokenizer")


@pytest.fixture
def refuse(refuse: Callable[..., str]) -> Callable[..., str]:
    """Run a command of `nlpkit tokenizer` that must fail and leave nothing; returns its one sentence."""

    def call(code: int, *arguments: str | int) -> str:
        before = set(Path().rglob("*"))
        said = refuse(code, "tokenizer", *arguments)
        gc.collect()  # what a process does at its end
        assert set(Path().rglob("*")) == before
        return said

    return call


Refuse = Callable[..., str]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--vocab-size", 256], 2, "256 bytes and 1 special tokens need at least 257"),
        (["--vocab-size", 300, "--special-token", "<a>", "--reserve", 50], 2, "need at least 307"),
        (["--vocab-size", 10**24], 2, "too large: give at most 2097152"),
        (["--vocab-size", 400], 1, "after 17 merges: ask for --vocab-size 274 at most, or give more text"),
        (["--min-count", 3], 1, "pairs that occur 3 times after 3 merges: ask for --vocab-size 260 at most"),
        (["--prune-below", 9], 1, "pairs to merge (in pre-tokens that occur 9 times) after 0 merges"),
        (["--special-token", "<|reserved_0|>", "--reserve", 1], 2, "'<|reserved_0|>' is given twice"),
        (["--special-token", "\udcff"], 2, "'\\udcff' is not valid UTF-8"),
        (["--pattern", "[a-z]+|(b"], 2, "(missing )): mend it at position 9, at its end"),
        (["--pattern", r"\w+|[z-a]"], 2, "bad character range"),
        (["--pattern", ""], 1, "does not cover the text from character 0 on ('the cat sat on the m')"),
        (["--pattern", r"\w+"], 1, "from character 3 on (' cat sat on the mat,')"),
        (["--max-memory", "7MB"], 2, "--max-memory 7000000 is too small to work in: give at least 16MB"),
        (["--weight", f"text.txt={10**30}"], 2, "give a whole number from 1 to 1,000,000"),
        (["--min-count", 10**30], 2, "--min-count 1000000000000000000000000000000 is too large"),
        (["--max-token-bytes", 10**30], 2, "--max-token-bytes 1000000000000000000000000000000 is too large"),
        (["--sample", 1e-9], 1, "no document is left to count with --sample 1e-09"),
    ],
)
def test_bad_options(refuse: Refuse, options: list[str | int], code: int, sentence: str) -> None:
    size = [] if "--vocab-size" in options else ["--vocab-size", 400]
    assert sentence in refuse(code, "train", "text.txt", "--out", "v", *size, *options)


def test_the_largest_vocabulary_that_a_refusal_names_can_be_trained(run: Run) -> None:
    assert run("train", "text.txt", "--out", "v", "--vocab-size", 274)[0] == 0
    assert Tokenizer.load(Path("v")).n_vocab == 274


def test_one_special_token_may_begin_another(run: Run) -> None:
    specials = ["--special-token", "<a>", "--special-token", "<a>b"]
    assert run("train", "text.txt", "--out", "v", "--vocab-size", 270, *specials)[0] == 0
    assert Tokenizer.load(Path("v")).encode("<a>b<a>", allowed_special="all") == [269, 268]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--add", 0], 2, "--add 0 is too small"),
        (["--add", 10**30], 2, "is too large: give at most 20968"),
        (["--add", 400], 1, "after 14 merges: ask for --add 14 at most"),
    ],
)
def test_bad_extensions(run: Run, refuse: Refuse, options: list[str | int], code: int, sentence: str) -> None:
    assert run("train", "text.txt", "--out", "v", "--vocab-size", 260)[0] == 0
    assert sentence in refuse(code, "extend", "text.txt", "--vocabulary", "v", "--out", "w", *options)


def test_the_place_to_write_is_checked_before_the_work(run: Run, refuse: Refuse) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear", encoding="utf-8")
    assert run("train", "text.txt", "--out", "v", "--vocab-size", 260)[0] == 0
    commands = {
        "train": ["train", "text.txt", "--vocab-size", 10**6],
        "extend": ["extend", "text.txt", "--vocabulary", "v", "--add", 10**6],
    }
    for command in commands.values():
        assert "text.txt is a file: choose a folder" in refuse(2, *command, "--out", "text.txt")
        assert "mine holds files that nlpkit did not write" in refuse(2, *command, "--out", "mine")
    latin = Path("latin.txt")
    latin.write_bytes(b"caf\xe9")  # would be told once it is read
    assert "mine is a folder: choose a file" in refuse(2, "pretokenize", "latin.txt", "--out", "mine")


@pytest.mark.parametrize("command", [["train"], ["pretokenize"]])
def test_a_corpus_that_cannot_be_read(refuse: Refuse, command: list[str]) -> None:
    """/proc/self/mem opens, and reading its first bytes fails: what a broken disk does, also to root."""
    memory = Path("/proc/self/mem")
    if not memory.exists():
        pytest.skip("this system has no /proc/self/mem")
    Path("broken.txt").symlink_to(memory)
    assert "broken.txt" in refuse(1, *command, "broken.txt", "--out", "out")


def with_checksum(content: bytes) -> bytes:
    """A counts file whose checksum fits what somebody put in it."""
    return content[:-32] + hashlib.sha256(content[:-32]).digest()


def damaged(content: bytes, kind: str) -> bytes:
    header, json_size = 32, struct.unpack_from("<I", content, 12)[0]
    begin = header + json_size
    match kind:
        case "magic":
            return b"nlpkitXX" + content[8:]
        case "version":
            return content[:8] + struct.pack("<I", 2) + content[12:]
        case "header cut off":
            return content[:20]
        case "truncated":
            return content[:-40]
        case "checksum":
            return content[:-1] + bytes([content[-1] ^ 1])
        case "a changed count":
            return content[: begin + 1] + b"\x7f" + content[begin + 2 :]
        case "description":
            return with_checksum(content[:header] + b"[" * json_size + content[begin:])
        case "size of the description":
            return with_checksum(content[:12] + b"\xff\xff\xff\xff" + content[16:])
        case "order":
            return with_checksum(content[:begin] + b"\x01\x01b\x01\x01a" + content[-32:])
        case "a record cut off":
            return with_checksum(content[:begin] + b"\x01\x01b\x09\x01a" + content[-32:])
        case _:
            return with_checksum(content[:begin] + b"\x01\xff" + content[-32:])


@pytest.mark.parametrize("limit", [[], ["--max-memory", "16MB"]], ids=["", "bounded"])
@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("magic", "x.counts is no counts file"),
        ("version", "x.counts has format version 2, this nlpkit reads 1"),
        ("header cut off", "x.counts is no counts file"),
        ("truncated", "x.counts does not match its checksum"),
        ("checksum", "x.counts does not match its checksum"),
        ("a changed count", "x.counts does not match its checksum"),
        ("description", "x.counts has a damaged description"),
        ("size of the description", "x.counts has a damaged description"),
        ("order", "x.counts has damaged records"),
        ("a record cut off", "x.counts has damaged records"),
        ("a number without end", "x.counts has damaged records"),
    ],
)
def test_damaged_counts_files(run: Run, refuse: Refuse, kind: str, sentence: str, limit: list[str]) -> None:
    assert run("pretokenize", "text.txt", "--out", "x.counts")[0] == 0
    Path("x.counts").write_bytes(damaged(Path("x.counts").read_bytes(), kind))
    assert sentence in refuse(1, "train", "--counts", "x.counts", "--vocab-size", 270, "--out", "v", *limit)
    assert run("pretokenize", "text.txt", "--out", "y.counts")[0] == 0
    both = refuse(1, "train", "--counts", "y.counts", "x.counts", "--vocab-size", 270, "--out", "v", *limit)
    assert sentence in both


def test_counts_of_different_rules(run: Run, refuse: Refuse) -> None:
    for name, pattern in (("a", "gpt2"), ("b", "cl100k")):
        assert run("pretokenize", "text.txt", "--pattern", pattern, "--out", f"{name}.counts")[0] == 0
    train = ["train", "--vocab-size", 270, "--out", "v", "--counts"]
    assert "were counted with different split patterns" in refuse(1, *train, "a.counts", "b.counts")
    assert "counted with another split pattern" in refuse(1, *train, "a.counts", "--pattern", "o200k")
    assert "special tokens <|endoftext|>" in refuse(1, *train, "a.counts", "--special-token", "<s>")
    Path("c.counts").mkdir()
    assert "c.counts is a folder: name the counts files in it" in refuse(2, *train, "c.counts")


@pytest.fixture
def many_words(folder: Path) -> Path:
    """A text with too many unique pre-tokens for the least memory."""
    random_bytes = random.Random(1).randbytes(4_000_000).hex()
    letters = random_bytes.translate(str.maketrans("0123456789", "ghijklmnop"))
    path = folder / "words.txt"
    path.write_text(" ".join(letters[at : at + 8] for at in range(0, len(letters), 8)), encoding="utf-8")
    return Path(path.name)


def test_too_little_memory_names_what_is_enough(run: Run, refuse: Refuse, many_words: Path) -> None:
    train = ["train", str(many_words), "--vocab-size", 290, "--out", "v", "--max-memory"]
    told = refuse(1, *train, "16MB")
    assert "does not fit into --max-memory 16,000,000: give it at least " in told
    enough = told.partition("give it at least ")[2].split("MB")[0] + "MB"
    assert run(*train, enough)[0] == 0
    assert run("train", str(many_words), "--vocab-size", 290, "--out", "w")[0] == 0
    ranks = [(Path(name) / "vocabulary.tiktoken").read_bytes() for name in "vw"]
    assert ranks[0] == ranks[1]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to let any file grow past `size`, as it does where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_for_what_memory_does_not_hold(refuse: Refuse, many_words: Path) -> None:
    with files_of_at_most(100_000):
        told = refuse(1, "train", str(many_words), "--out", "v", "--max-memory", "16MB")
    assert "the counts that do not fit into --max-memory could not be written to" in told
    assert "(File too large): make room there, or set TMPDIR to a folder that has some" in told


def test_no_room_for_the_result(refuse: Refuse, many_words: Path) -> None:
    with files_of_at_most(2_000):
        told = refuse(1, "train", "text.txt", "--vocab-size", 270, "--out", "v")
        assert "File too large" in told
        told = refuse(1, "pretokenize", str(many_words), "--out", "x.counts")
        assert "File too large" in told
