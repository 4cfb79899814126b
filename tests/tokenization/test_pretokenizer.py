"""The scanners of the core against tiktoken's own regex engine."""

import base64
import gzip
import itertools
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit import _core
from nlpkit.tokenization import PretokenCounts, Tokenizer
from nlpkit.tokenization.patterns import PATTERNS

SCHEMES = ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "nanochat"]

# One character a class, every character that a pattern names, and those that could be mistaken for another.
ASCII = ["a", "B", "1", "!", "/", "'", " ", "\t", "\r", "\n", "s", "d", "m", "t", "l", "v", "e", "r"]
BEYOND_ASCII = ["中", "ǅ", "ʰ", "\u0301", "²", "\u00a0", "ſ"]
ALPHABET = ASCII + BEYOND_ASCII
LOOKALIKES = [
    *'SLVERDMT0"-_\x00\x1c\x7f',
    "é",
    "É",
    "٣",
    "’",
    "\u3000",
    "\u2028",
    "\u200b",
    "\u180e",
    "\u0345",
]
LOOKALIKES += ["🎉", "𝔸", "𝟘", "\U000e0100", "\u0085", "K", "ı", "İ", "ß", "ﬀ", "\ufeff", "\U0010ffff"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SNIPPETS = [
    "'s",
    "'LL",
    "a'lL",
    "a'vE",
    "'ſ",
    "\r\n",
    "  ",
    "word",
    " The",
    "1234567",
    "x = y;\n\n    ",
    "ÀÀ中AB",
    "Слово",
    "한국어",
]
TAIL = " and words to follow"  # behind it, a string is long enough to be scanned by blocks
SEPARATOR = "<|text ends|>"
BYTES = {bytes([value]): value for value in range(256)}
CODE_POINTS = np.array([c for c in range(0x110000) if not 0xD800 <= c < 0xE000], np.uint32)


def class_edges() -> list[str]:
    """The first and the last character of every range of code points that have the same classes."""
    change = np.flatnonzero(np.diff(_core.class_bits(CODE_POINTS)))
    return [chr(c) for c in CODE_POINTS[np.union1d(change, change + 1)]]


EDGES = class_edges()


def pieces_of(scheme: str, text: str) -> list[bytes]:
    data = text.encode()
    ends = _core.pretokenize(scheme, text).tolist()
    return [data[start:end] for start, end in itertools.pairwise([0, *ends])]


def one_by_one(scheme: str, text: str, capacity: int) -> list[int]:
    """The ends, in calls with so little room; below 64, the scanner goes piece by piece, not by blocks."""
    found = [0]
    buffer = np.zeros(capacity, np.uint64)
    while count := _core.pretokenize_into(scheme, text, found[-1], buffer):
        found += buffer[:count].tolist()
    return found[1:]


@cache
def last_characters(pat_str: str) -> tiktoken.Encoding:
    """Gives the bytes of the last character of each piece: \\K drops what stands before it."""
    return tiktoken.Encoding(
        "last",
        pat_str=rf"(?>{pat_str})(?<=\K(?s:.))",
        mergeable_ranks=BYTES,
        special_tokens={SEPARATOR: 256},
    )


def splits_are_equal(scheme: str, pat_str: str, texts: Sequence[str]) -> bool:
    """Whether tiktoken splits all texts by `pat_str` as we do by the scheme.

    tiktoken shows ids, not pieces, so it gets a vocabulary made for the question: the bytes, and each of our
    pieces. All texts are encoded in one call, with a special token between them: there a text ends.

    Where our ids and tiktoken's are equal, none of tiktoken's pieces ends inside one of ours, which has one
    id: its pieces are ours or several of ours joined. Where both have as many pieces, none is joined.
    """
    counts = PretokenCounts(scheme, special_tokens=())
    counts.add(texts, threads=1)
    counted = counts.items()
    ranks = BYTES | {piece: 256 + place for place, piece in enumerate(p for p, _ in counted if len(p) > 1)}
    special_tokens = {SEPARATOR: len(ranks)}
    ours = Tokenizer("", pat_str=scheme, mergeable_ranks=ranks, special_tokens=special_tokens)
    theirs = tiktoken.Encoding("", pat_str=pat_str, mergeable_ranks=ranks, special_tokens=special_tokens)
    joined = SEPARATOR.join(texts)
    ids = ours.encode_to_numpy(joined, allowed_special="all")
    assert len(ids) == len(texts) - 1 + sum(times for _, times in counted), "a piece has several ids"
    if not np.array_equal(ids, theirs.encode_to_numpy(joined, allowed_special="all")):
        return False
    last = last_characters(pat_str).encode_to_numpy(joined, allowed_special="all")
    return len(ids) == np.count_nonzero((last < 0x80) | (last >= 0xC0))  # without continuation bytes


def first_difference(scheme: str, texts: Sequence[str]) -> tuple[str, list[bytes]] | None:
    """The first text that tiktoken splits otherwise, with our pieces of it; None when there is none."""
    if splits_are_equal(scheme, PATTERNS[scheme], texts):
        return None
    if len(texts) == 1:
        return texts[0], pieces_of(scheme, texts[0])
    half = len(texts) // 2
    return first_difference(scheme, texts[:half]) or first_difference(scheme, texts[half:])


def strings_up_to(length: int, alphabet: Sequence[str]) -> Iterator[str]:
    for n in range(1, length + 1):
        for characters in itertools.product(alphabet, repeat=n):
            yield "".join(characters)


def random_part(rng: random.Random) -> str:
    """A run of one character, or a snippet, mostly from the interesting alphabet."""
    if rng.random() < 0.15:
        return rng.choice(SNIPPETS)
    alphabet = rng.choice((ASCII, ASCII, ASCII, ALPHABET, ALPHABET, LOOKALIKES, LETTERS, EDGES))
    return rng.choice(alphabet) * rng.choice((1, 1, 1, 2, 3, 4, 9))


def random_strings(seed: str, count: int) -> list[str]:
    rng = random.Random(seed)
    parts = [random_part(rng) for _ in range(min(count, 50_000))]
    strings = []
    for _ in range(count):
        strings.append("".join(rng.choices(parts, k=rng.choice((1, 2, 3, 4, 6, 10, 20)))))
    return strings


def batches(strings: Iterator[str], size: int = 200_000) -> Iterator[list[str]]:
    while batch := list(itertools.islice(strings, size)):
        yield batch


def sequence_with_every_string(alphabet: Sequence[str], length: int) -> str:
    """A de Bruijn sequence: every string of that length occurs in it (by Lyndon words, Fredricksen 1977)."""
    word = [-1]
    result = []
    while word:
        word[-1] += 1
        if length % len(word) == 0:
            result.extend(word)
        word = (word * (length // len(word) + 1))[:length]
        while word and word[-1] == len(alphabet) - 1:
            word.pop()
    return "".join(alphabet[i] for i in result)


@pytest.mark.parametrize(("scheme", "other"), list(itertools.pairwise([*SCHEMES, "cl100k", "llama3"])))
def test_the_comparison_finds_every_difference(scheme: str, other: str) -> None:
    """Two patterns differ on the texts that our scanners of both split differently, and on no other."""
    texts = [text + "\n  " for text in random_strings("differences", 50)]
    differ = [text for text in texts if pieces_of(scheme, text) != pieces_of(other, text)]
    assert differ
    for text in texts:
        assert splits_are_equal(scheme, PATTERNS[other], [text]) == (text not in differ)


def test_class_bits_equal_tiktoken_on_every_code_point() -> None:
    text = CODE_POINTS.astype("<u4").tobytes().decode("utf-32-le")
    bits = _core.class_bits(CODE_POINTS)
    sums = {
        r"\p{Lu}+": "uppercase",
        r"\p{Lt}+": "titlecase",
        r"\p{Lm}+": "modifier",
        r"\p{Lo}+": "other_letter",
        r"\p{Ll}+": "lowercase",
        r"\p{M}+": "mark",
        r"\p{N}+": "number",
        r"\s+": "whitespace",
    }
    for pattern, name in sums.items():
        # tiktoken drops what a pattern does not cover: what is left are the members of the class.
        encoding = tiktoken.Encoding(
            name, pat_str=pattern, mergeable_ranks={bytes([b]): b for b in range(256)}, special_tokens={}
        )
        members = np.frombuffer(
            encoding.encode_to_numpy(text).astype(np.uint8).tobytes().decode().encode("utf-32-le"), "<u4"
        )
        ours = CODE_POINTS[(bits & _core.unicode_classes()[name]) != 0]
        assert np.array_equal(members, ours), name


@pytest.mark.parametrize("tail", ["", TAIL])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_short_strings_split_as_in_tiktoken(scheme: str, tail: str) -> None:
    assert first_difference(scheme, [text + tail for text in strings_up_to(3, ALPHABET)]) is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_generated_strings_split_as_in_tiktoken(scheme: str) -> None:
    assert first_difference(scheme, random_strings("short", 10_000)) is None


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_string_up_to_length_5_splits_as_in_tiktoken(scheme: str) -> None:
    for batch in batches(strings_up_to(5, ALPHABET)):
        assert first_difference(scheme, batch) is None


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_string_up_to_length_5_splits_the_same_by_blocks(scheme: str) -> None:
    for batch in batches(strings_up_to(5, ALPHABET)):
        text = TAIL.join(batch)
        assert np.array_equal(_core.pretokenize(scheme, text), one_by_one(scheme, text, 63))


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("million", range(1, 11))
def test_ten_million_generated_strings_split_as_in_tiktoken(scheme: str, million: int) -> None:
    assert first_difference(scheme, random_strings(f"{scheme} {million}", 1_000_000)) is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_long_texts_split_as_in_tiktoken(scheme: str) -> None:
    texts = [sequence_with_every_string(ASCII, 3), sequence_with_every_string(ALPHABET, 3)]
    assert first_difference(scheme, texts) is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_ends_of_every_range_of_a_class_split_as_in_tiktoken(scheme: str) -> None:
    assert first_difference(scheme, [glue.join(EDGES) for glue in ("", " ", "a", "A")]) is None


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.one_of(st.sampled_from(ALPHABET + LOOKALIKES), st.characters(codec="utf-8"))))
def test_any_text_splits_as_in_tiktoken(scheme: str, text: str) -> None:
    assert first_difference(scheme, [text]) is None


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("capacity", [1, 2, 7, 100])
def test_continuing_gives_the_same_ends_as_one_call(scheme: str, capacity: int) -> None:
    text = sequence_with_every_string(ASCII, 3) + sequence_with_every_string(ALPHABET, 2)
    assert one_by_one(scheme, text, capacity) == _core.pretokenize(scheme, text).tolist()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_empty_text_has_no_pieces(scheme: str) -> None:
    assert _core.pretokenize(scheme, "").tolist() == []
    assert _core.pretokenize_into(scheme, "", 0, np.zeros(1, np.uint64)) == 0
    assert _core.pretokenize_into(scheme, "word", 4, np.zeros(1, np.uint64)) == 0
    assert _core.pretokenize_into(scheme, "word", 0, np.zeros(0, np.uint64)) == 0


def test_bytes_and_str_give_the_same_ends() -> None:
    text = "don't 中文  1234\n"
    assert np.array_equal(_core.pretokenize("cl100k", text), _core.pretokenize("cl100k", text.encode()))


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        _core.pretokenize("cl100k", b"abc\xe4\xb8")
    with pytest.raises(UnicodeEncodeError):
        _core.pretokenize("cl100k", "abc\ud800")


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="begin is past the end"):
        _core.pretokenize_into("gpt2", "word", 5, np.zeros(1, np.uint64))
    with pytest.raises(ValueError, match="no scanner is named gpt3"):
        _core.pretokenize("gpt3", "word")
    with pytest.raises(ValueError, match="at most 0x10FFFF"):
        _core.class_bits(np.array([0x110000], np.uint32))


@pytest.mark.parametrize(
    ("scheme", "text", "pieces"),
    [
        ("cl100k", "x\n  ", ["x", "\n  "]),  # \s++$ comes first in tiktoken's spelling
        ("llama3", "x\n  ", ["x", "\n", "  "]),
        ("gpt2", "\n\n\nx", ["\n\n", "\n", "x"]),
        ("cl100k", "\n\n\nx", ["\n\n\n", "x"]),
        ("cl100k", "x'ſ 'ſx", ["x", "'ſ", " '", "ſx"]),
        ("gpt2", "x'ſ I'LL", ["x", "'", "ſ", " I", "'", "LL"]),
        ("o200k", "camelCase's HTTPServer", ["camel", "Case's", " HTTPServer"]),
        ("o200k", "a's't's!\n//x", ["a's", "'t's", "!\n//", "x"]),
        ("o200k", "ÀÀ中AB", ["ÀÀ中", "AB"]),
        ("cl100k", "a\u0301b", ["a", "\u0301b"]),
        ("cl100k", "٣٣٣٣12", ["٣٣٣", "٣12"]),
        ("qwen2", "123", ["1", "2", "3"]),
        ("nanochat", "12345", ["12", "34", "5"]),
    ],
)
def test_pieces_of_telling_examples(scheme: str, text: str, pieces: list[str]) -> None:
    assert [piece.decode() for piece in pieces_of(scheme, text)] == pieces


DATA = os.environ.get("NLPKIT_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="NLPKIT_DATA names no folder of real data")


CORPORA = ["english-large", "code", "chinese", "multilingual", "udhr", "wiki-en"]


def documents(name: str, characters: int = sys.maxsize) -> Iterator[str]:
    """The documents of a corpus of the shared data, up to that many characters in all."""
    with gzip.open(Path(DATA or "") / "text" / "dev" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"][:characters]
            yield text
            characters -= len(text)
            if characters <= 0:
                return


def torture_texts() -> Iterator[str]:
    folder = Path(DATA or "") / "text" / "torture"
    for name in ("blns.txt", "UTF-8-demo.txt"):
        yield (folder / name).read_bytes().decode()
    yield gzip.decompress((folder / "all-assigned-codepoints.txt.gz").read_bytes()).decode()
    for line in gzip.decompress((folder / "edge-cases.jsonl.gz").read_bytes()).splitlines():
        yield base64.b64decode(json.loads(line)["b64"]).decode(errors="replace")


@needs_data
@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_real_text_splits_as_in_tiktoken(scheme: str, corpus: str) -> None:
    assert first_difference(scheme, list(documents(corpus, 200_000))) is None


@needs_data
@pytest.mark.parametrize("scheme", SCHEMES)
def test_torture_texts_split_as_in_tiktoken(scheme: str) -> None:
    assert first_difference(scheme, list(torture_texts())) is None


@needs_data
@pytest.mark.long
@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_real_text_splits_as_in_tiktoken(scheme: str, corpus: str) -> None:
    for batch in batches(documents(corpus), size=100):
        assert first_difference(scheme, batch) is None


@needs_data
@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_other_file_of_the_real_data_splits_as_in_tiktoken(scheme: str) -> None:
    folder = Path(DATA or "") / "text"
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and ".jsonl" not in path.name):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert first_difference(scheme, [data.decode(errors="replace")]) is None, path
