"""Pieces past the short way's 128 bytes: ids equal tiktoken's, and time and memory are linear."""

import base64
import random
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.tokenization import Tokenizer, reference
from nlpkit.tokenization.patterns import PATTERNS

ANY_TEXT = r"(?s:.)+"
BYTES = [bytes([value]) for value in range(256)]


def hard_pieces(seed: int, length: int) -> Iterator[bytes]:
    """Bytes in which merges chain, overlap and compete, as one piece each."""
    generator = random.Random(seed)
    for alphabet in ("a", "ab", "abc", " ", " \n", " \t", "^", "=-", "etaoin", "中", "中文字", "0", "éa"):
        yield "".join(generator.choices(alphabet, k=length)).encode()
    words = ["the", " the", "ing", "er", " and", "tion", "aaaa", "    ", "abab"]
    yield "".join(generator.choices(words, k=length // 3)).encode()
    yield "".join(chr(generator.randrange(97, 123)) for _ in range(length)).encode()
    yield "".join(chr(generator.randrange(0x4E00, 0x9FA0)) for _ in range(length // 3)).encode()
    yield base64.b64encode(generator.randbytes(length))
    yield generator.randbytes(length)
    yield (generator.randbytes(generator.randrange(1, 9)) * length)[:length]


def same_ids(ours: Tokenizer, theirs: tiktoken.Encoding, piece: bytes) -> bool:
    return ours._encode_single_piece(piece) == theirs._encode_single_piece(piece)


@pytest.mark.parametrize("length", [129, 256, 1000, 20_000])
def test_ids_equal_tiktokens(length: int, tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    for piece in hard_pieces(length, length):
        assert same_ids(tokenizer, encoding, piece), piece[:80]


@pytest.mark.parametrize("name", ["r50k_base", "p50k_base", "cl100k_base", "o200k_base"])
def test_ids_equal_tiktokens_with_the_known_vocabularies(
    name: str, real_ranks: Callable[[str], dict[bytes, int]], real_texts: list[str]
) -> None:
    ranks = real_ranks(name)
    ours = Tokenizer(name, pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})
    theirs = tiktoken.Encoding(name, pat_str=PATTERNS["cl100k"], mergeable_ranks=ranks, special_tokens={})
    for seed, length in enumerate([129, 500, 3000, 30_000]):
        for piece in hard_pieces(seed, length):
            assert same_ids(ours, theirs, piece), piece[:80]
    for text in filter(None, real_texts):  # on nothing tiktoken panics
        assert same_ids(ours, theirs, text.encode()), text[:80]


@settings(max_examples=60, deadline=None)
@given(
    text=st.text("ab", min_size=2, max_size=60) | st.text("abc ", min_size=2, max_size=60),
    n_merges=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
def test_ids_equal_tiktokens_with_vocabularies_trained_on_small_alphabets(
    text: str, n_merges: int, seed: int
) -> None:
    tokens = reference.train({text: 1, text[::-1]: 1}, n_merges=n_merges)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    ours = Tokenizer("small", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
    theirs = tiktoken.Encoding("small", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
    assert ours._vocabulary.consistent
    generator = random.Random(seed)
    for length in (129, 300):
        assert same_ids(ours, theirs, "".join(generator.choices(text, k=length)).encode())
    assert same_ids(ours, theirs, (text * 129)[:300].encode())


@settings(max_examples=20, deadline=None)
@given(
    words=st.sets(st.text("abc", min_size=2, max_size=5), min_size=1, max_size=30), seed=st.integers(0, 99)
)
def test_ids_of_tables_that_no_training_made_follow_the_definition(words: set[str], seed: int) -> None:
    generator = random.Random(seed)
    tokens = BYTES + [word.encode() for word in sorted(words)]
    generator.shuffle(tokens)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    ours = Tokenizer("any", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
    text = "".join(generator.choices("abcd", k=200))
    assert ours.encode(text) == reference.encode(text, ranks, ANY_TEXT)


def test_a_byte_may_rank_after_the_tokens_it_is_part_of() -> None:
    tokens = [b"aa", b"aaa", b"ab", b"aab", *BYTES]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    ours = Tokenizer("late", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
    theirs = tiktoken.Encoding("late", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
    generator = random.Random(5)
    for length in (129, 200, 201, 500):
        assert same_ids(ours, theirs, "".join(generator.choices("aab", k=length)).encode())
        assert same_ids(ours, theirs, b"a" * length)


@pytest.mark.memory
def test_a_long_piece_takes_little_more_memory_than_its_ids() -> None:
    """Ten million letters in one piece: the ids, and a bit a letter."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process can be read and reset on Linux alone")
    program = """
from pathlib import Path
from nlpkit.tokenization import Tokenizer

def kilobytes(field):
    return int(Path("/proc/self/status").read_text().split(field + ":")[1].split()[0])

ranks = {bytes([i]): i for i in range(256)} | {b"a" * 2**i: 255 + i for i in range(1, 5)}
tokenizer = Tokenizer("a", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})
text = "a" * 10_000_000
tokenizer.encode_to_numpy("a" * 1000)
Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
before = kilobytes("VmHWM")
assert len(tokenizer.encode_to_numpy(text)) == 625_000
print(kilobytes("VmHWM") - before)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 2_500 < int(result.stdout) < 6_000  # kilobytes; the ids take 2,500, the bits 1,250


def test_ctrl_c_is_heard_within_one_long_piece(tokenizer: Tokenizer) -> None:
    """Ended early: at less than half the work, in processor time, of the piece to its end."""
    letters = "".join(random.Random(1).choices(string.ascii_lowercase, k=1_000_000))
    tokenizer.encode_to_numpy(letters)  # makes the tables
    begun = time.process_time()
    tokenizer.encode_to_numpy(letters * 4)
    work = time.process_time() - begun

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, stop)
    piece = letters * 40
    begun = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            tokenizer.encode_to_numpy(piece)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert time.process_time() - begun < 5 * work
    assert tokenizer.decode(tokenizer.encode(letters[:1000])) == letters[:1000]  # and goes on working


@pytest.mark.memory
@pytest.mark.parametrize(
    "length",
    [20_000_000, pytest.param(1_000_000_000, marks=pytest.mark.long)],  # the long one needs 12 GB of memory
)
def test_a_file_of_one_line(length: int, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Letters, spaces and prose: counted and encoded to a file, in memory that is a few times the line."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process can be read on Linux alone")
    unit = "a" * 1_000_000 + " " * 1_000_000 + "The river went on and the bread was warm. 中文 " * 40_000
    unit = unit[:4_000_000]
    with (tmp_path / "line.txt").open("w", encoding="utf-8") as file:
        for _ in range(length // len(unit)):
            file.write(unit)
    tokenizer.save(tmp_path / "vocabulary")
    program = """
import json, sys
from pathlib import Path
from nlpkit.text import Corpus
from nlpkit.tokenization import Tokenizer, count_corpus
tokenizer = Tokenizer.load(Path(sys.argv[1]))
counts = count_corpus(Corpus([sys.argv[2]]), tokenizer)
status = Path("/proc/self/status").read_text()
print(counts["total"].tokens, counts["total"].text_bytes, status.split("VmHWM:")[1].split()[0])
"""
    paths = [str(tmp_path / "vocabulary"), str(tmp_path / "line.txt")]
    command = [sys.executable, "-c", program, *paths]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    tokens, text_bytes, peak = map(int, result.stdout.split())
    assert text_bytes == len(unit.encode()) * (length // len(unit))
    once, twice = (tokenizer.count(unit * times) for times in (1, 2))
    assert tokens == once + (twice - once) * (length // len(unit) - 1)
    assert peak * 1024 < 100_000_000 + 12 * text_bytes
