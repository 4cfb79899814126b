"""`Tokenizer`: every id is tiktoken's, every error an ordinary exception."""

import copy
import pickle
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import PATTERNS

BYTES = {bytes([value]): value for value in range(256)}
ANY_TEXT = r"(?s:.)+"


def byte_tokenizer(
    merges: dict[bytes, int] | None = None,
    special_tokens: dict[str, int] | None = None,
    pat_str: str = ANY_TEXT,
) -> Tokenizer:
    return Tokenizer(
        "test", pat_str=pat_str, mergeable_ranks=BYTES | (merges or {}), special_tokens=special_tokens or {}
    )


def test_ids_equal_tiktokens_on_the_sample_texts(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding, sample_texts: list[str]
) -> None:
    for text in sample_texts:
        assert tokenizer.encode_ordinary(text) == encoding.encode_ordinary(text)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_ids_equal_tiktokens_on_any_text(
    text: str, tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    assert tokenizer.encode_ordinary(text) == encoding.encode_ordinary(text)


def test_ids_equal_tiktokens_on_mixed_fragments(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding, random_text: Callable[[random.Random], str]
) -> None:
    generator = random.Random(1)
    for _ in range(3000):
        text = random_text(generator)
        expected = encoding.encode(text, allowed_special="all")
        assert tokenizer.encode(text, allowed_special="all") == expected
        assert tokenizer.encode_to_numpy(text, allowed_special="all").tolist() == expected


def test_decoding_gives_the_text_back(
    tokenizer: Tokenizer, random_text: Callable[[random.Random], str]
) -> None:
    generator = random.Random(2)
    for _ in range(300):
        text = random_text(generator)
        ids = tokenizer.encode(text, allowed_special="all")
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode(np.array(ids, dtype=np.int64)) == text
        assert b"".join(tokenizer.decode_tokens_bytes(ids)) == text.encode()


@pytest.mark.parametrize("length", [5, 40, 129, 700])
def test_ids_equal_tiktokens_on_rank_tables_that_no_training_made(length: int) -> None:
    """Merging goes by the concatenated bytes, whatever the table; short and long pieces take two ways."""
    generator = random.Random(length)
    for _ in range(20):
        words = {bytes(generator.choices(b"abc", k=generator.randrange(1, 6))) for _ in range(40)}
        tokens = list({bytes([value]) for value in range(256)} | words)
        generator.shuffle(tokens)
        ranks = {token: 3 * rank + generator.randrange(3) for rank, token in enumerate(tokens)}
        ours = Tokenizer("random", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
        theirs = tiktoken.Encoding("random", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens={})
        for _ in range(10):
            text = "".join(generator.choices("abcd", k=length))
            assert ours.encode(text) == theirs.encode(text)


def test_a_trained_vocabulary_is_known_as_consistent(tokenizer: Tokenizer) -> None:
    assert tokenizer._vocabulary.consistent
    assert not byte_tokenizer({b"abc": 256})._vocabulary.consistent  # no two tokens make it


def test_a_whole_piece_that_is_a_token_is_not_merged() -> None:
    assert byte_tokenizer({b"abc": 256}).encode("abc") == [256]
    assert byte_tokenizer({b"abc": 256}).encode("abcd") == [97, 98, 99, 100]


@pytest.mark.parametrize("run", ["a", " ", "^", "中", "\n", "ab"])
def test_long_runs_equal_tiktokens(run: str, tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    for length in (99, 100, 128, 129, 5000):
        assert tokenizer.encode(run * length) == encoding.encode(run * length)


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
def test_patterns_equal_tiktokens(
    pattern: str, sample_texts: list[str], random_text: Callable[..., str]
) -> None:
    ours = Tokenizer.train(sample_texts, vocab_size=600, pattern=pattern)
    theirs = tiktoken.Encoding(
        "x", pat_str=PATTERNS[pattern], mergeable_ranks=ours._mergeable_ranks, special_tokens={}
    )
    generator = random.Random(3)
    for text in [random_text(generator) for _ in range(500)]:
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_any_regex_splits_as_in_tiktoken(sample_texts: list[str]) -> None:
    pat_str = r"[aeiou]+|\p{Han}|[^aeiou\p{Han}]{1,4}"
    ranks = BYTES | {b"ou": 256, b"th": 257, b"he": 258}
    ours = byte_tokenizer({b"ou": 256, b"th": 257, b"he": 258}, pat_str=pat_str)
    theirs = tiktoken.Encoding("x", pat_str=pat_str, mergeable_ranks=ranks, special_tokens={})
    for text in sample_texts:
        assert ours.encode(text) == theirs.encode(text)
        assert ours.encode_to_numpy(text).tolist() == theirs.encode(text)


def test_a_pattern_that_leaves_text_uncovered_raises() -> None:
    with pytest.raises(NlpkitError, match="does not cover"):
        byte_tokenizer(pat_str=r"[a-z]+").encode("a1b2")


# ====================
# Batches and threads
# ====================


def test_batches_equal_single_texts(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    texts = [*sample_texts, "", "a\ud800b"]
    expected = [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_ordinary_batch(texts) == expected
    assert tokenizer.encode_batch(texts, num_threads=3) == expected
    ragged = tokenizer.encode_documents(texts, threads=2)
    assert [ids.tolist() for ids in ragged] == expected


def test_batches_know_special_tokens(tokenizer: Tokenizer) -> None:
    texts = ["a", "b<|endoftext|>c"]
    expected = [tokenizer.encode(text, allowed_special="all") for text in texts]
    assert tokenizer.encode_batch(texts, allowed_special="all") == expected
    with pytest.raises(ValueError, match="disallowed special token"):
        tokenizer.encode_batch(texts)


@pytest.mark.parametrize("pat_str", ["cl100k", ANY_TEXT])
def test_documents_end_with_the_end_of_text_id(pat_str: str) -> None:
    tokenizer = byte_tokenizer(special_tokens={"<|endoftext|>": 300}, pat_str=pat_str)
    ragged = tokenizer.encode_documents(["ab", "", "c"], document_end=True)
    assert [ids.tolist() for ids in ragged] == [[97, 98, 300], [300], [99, 300]]
    assert ragged.ids.dtype == np.uint32
    with pytest.raises(KeyError, match="endoftext"):
        byte_tokenizer(pat_str=pat_str).encode_documents(["ab"], document_end=True)


def test_ids_do_not_depend_on_threads(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    texts = sample_texts * 40  # several runs for the threads to share
    one = tokenizer.encode_documents(texts, threads=1)
    for threads in (2, 4):
        many = tokenizer.encode_documents(texts, threads=threads)
        assert np.array_equal(one.ids, many.ids)
        assert np.array_equal(one.offsets, many.offsets)


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
def test_a_long_document_is_cut_for_threads_without_a_trace(
    pattern: str, sample_texts: list[str], random_text: Callable[[random.Random], str]
) -> None:
    """Runs of white space, digits and letters lie across the cuts, some longer than a chunk."""
    tokenizer = Tokenizer.train(sample_texts, vocab_size=500, pattern=pattern)
    generator = random.Random(5)
    parts: list[str] = []
    while sum(map(len, parts)) < 3_000_000:
        parts += [random_text(generator) for _ in range(2000)]
        parts.append(generator.choice([" ", "7", "\n", "!", "a", "中", " \n"]) * generator.randrange(600_000))
    texts = ["".join(parts), "short", "x" * 1_300_000, "".join(parts[:-1])]
    one = tokenizer.encode_documents(texts, document_end=True, threads=1)
    for threads in (2, 4):
        many = tokenizer.encode_documents(texts, document_end=True, threads=threads)
        assert np.array_equal(one.offsets, many.offsets)
        assert np.array_equal(one.ids, many.ids)


def test_one_tokenizer_serves_many_threads(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    expected = [tokenizer.encode(text) for text in sample_texts]
    wrong: list[int] = []

    def encode_all() -> None:
        for _ in range(5):
            wrong.extend(
                tokenizer.encode(text) != ids for text, ids in zip(sample_texts, expected, strict=True)
            )

    threads = [threading.Thread(target=encode_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(wrong)
    assert len(wrong) == 4 * 5 * len(sample_texts)


def test_the_cache_of_pieces_changes_no_ids(tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    """More different pieces of every length than the cache can hold, and each met again."""
    generator = random.Random(4)
    words = [
        "".join(generator.choices("abcdefghij中文字", k=generator.randrange(1, 50))) for _ in range(60_000)
    ]
    text = " ".join(words + words[::-7])
    assert tokenizer.encode_to_numpy(text).tolist() == encoding.encode(text)


# ====================
# Special tokens
# ====================


def test_special_text_is_refused_by_default_and_the_message_says_how_to_allow_it(
    tokenizer: Tokenizer,
) -> None:
    for encode in (tokenizer.encode, tokenizer.encode_to_numpy):
        with pytest.raises(
            ValueError, match=r"allowed_special=\{'<\|endoftext\|>'\}.*disallowed_special=\(\)"
        ):
            encode("a <|endoftext|> b")


def test_special_text_is_ordinary_text_when_nothing_is_disallowed(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    text = "a <|endoftext|> b"
    assert tokenizer.encode(text, disallowed_special=()) == encoding.encode(text, disallowed_special=())
    assert tokenizer.eot_token not in tokenizer.encode(text, disallowed_special=())


def test_disallowed_wins_over_allowed_and_may_be_any_text(tokenizer: Tokenizer) -> None:
    eot = "<|endoftext|>"
    with pytest.raises(ValueError, match="endoftext"):
        tokenizer.encode(eot, allowed_special="all", disallowed_special={eot})
    with pytest.raises(ValueError, match="'ell'"):
        tokenizer.encode("hello", disallowed_special={"ell"})
    assert tokenizer.encode("hello", allowed_special={"hello"}) == tokenizer.encode("hello")


def test_text_beside_a_special_token_is_split_on_its_own(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    text = "a  <|endoftext|>  b"
    assert tokenizer.encode(text, allowed_special="all") == encoding.encode(text, allowed_special="all")


def test_the_longest_of_overlapping_special_tokens_wins() -> None:
    tokenizer = byte_tokenizer(special_tokens={"<a>": 300, "<a>bc": 301, "<a>b": 302})
    assert tokenizer.encode("<a>bc<a>b<a>", allowed_special="all") == [301, 302, 300]
    assert tokenizer.encode("<a>bc", allowed_special={"<a>"}, disallowed_special=()) == [300, 98, 99]


def test_special_tokens_are_tokens_of_the_vocabulary(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    eot = tokenizer.eot_token
    assert tokenizer.document_end == eot == encoding.eot_token == 1999
    assert tokenizer.encode_single_token("<|endoftext|>") == eot
    assert tokenizer.decode([eot]) == "<|endoftext|>"
    assert tokenizer.special_tokens_set == {"<|endoftext|>"}
    assert tokenizer.is_special_token(eot)
    assert not tokenizer.is_special_token(0)
    assert byte_tokenizer().document_end is None
    with pytest.raises(KeyError):
        _ = byte_tokenizer().eot_token


# ====================
# Surrogates and odd input
# ====================


def test_surrogate_pairs_are_joined_and_lone_ones_replaced(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    for text in ("👍", "\ud83d\udc4d", "a\ud83db", "\ufeff\ud800", "中\udfff"):
        expected = encoding.encode(text)
        assert tokenizer.encode(text) == expected
        assert tokenizer.encode_to_numpy(text).tolist() == expected
    assert byte_tokenizer().encode("\ud83d") == list("\ufffd".encode())


def test_text_must_be_a_string(tokenizer: Tokenizer) -> None:
    with pytest.raises(TypeError, match="expected str"):
        tokenizer.encode_ordinary(b"bytes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected str"):
        tokenizer.encode_ordinary_batch(["a", 1])  # type: ignore[list-item]


# ====================
# Decoding
# ====================


def test_an_unknown_id_is_a_key_error_that_names_it(tokenizer: Tokenizer) -> None:
    for ids in ([5, 7777], np.array([5, 7777])):
        with pytest.raises(KeyError, match="7777"):
            tokenizer.decode(ids)
    for decode in (tokenizer.decode_single_token_bytes, lambda token: tokenizer.decode_tokens_bytes([token])):
        with pytest.raises(KeyError, match="7777"):
            decode(7777)


@pytest.mark.parametrize("token", [-1, 2**32, 2**80])
def test_an_id_outside_32_bits_is_an_overflow_error(token: int, tokenizer: Tokenizer) -> None:
    with pytest.raises(OverflowError):
        tokenizer.decode([token])
    if abs(token) < 2**63:
        with pytest.raises(OverflowError, match=str(token)):
            tokenizer.decode(np.array([token], dtype=np.int64))


def test_ids_must_be_integers(tokenizer: Tokenizer) -> None:
    with pytest.raises(TypeError):
        tokenizer.decode(["a"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="float64"):
        tokenizer.decode(np.array([1.0]))


def test_invalid_utf_8_is_replaced_unless_told_otherwise(tokenizer: Tokenizer) -> None:
    first_byte = tokenizer.encode_single_token(b"\xe4")
    assert tokenizer.decode([first_byte]) == "\ufffd"
    assert tokenizer.decode_bytes([first_byte]) == b"\xe4"
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode([first_byte], errors="strict")


def test_batches_of_ids_decode(tokenizer: Tokenizer) -> None:
    batch = [tokenizer.encode("hello"), [], tokenizer.encode("中文")]
    assert tokenizer.decode_batch(batch) == ["hello", "", "中文"]
    assert tokenizer.decode_bytes_batch(batch) == [b"hello", b"", "中文".encode()]


@pytest.mark.parametrize("num_threads", [1, 3])
def test_batches_of_many_ids_decode_as_one_by_one(
    num_threads: int, tokenizer: Tokenizer, sample_texts: list[str]
) -> None:
    """Past what is worth several threads, lists and arrays of any integers mixed, invalid UTF-8 too."""
    lists = [tokenizer.encode(text) for text in sample_texts]
    lists += [ids[1::2] for ids in lists] + [[], [tokenizer.eot_token]]
    batch: list[Any] = [
        np.array(ids, dtype=[np.uint16, np.uint32, np.int64][i % 3]) if i % 2 else ids
        for i, ids in enumerate(lists * 12)
    ]
    assert sum(map(len, batch)) > 2**17
    decoded = tokenizer.decode_batch(batch, num_threads=num_threads)
    assert decoded == [tokenizer.decode(ids) for ids in batch]
    in_bytes = tokenizer.decode_bytes_batch(batch, num_threads=num_threads)
    assert in_bytes == [tokenizer.decode_bytes(ids) for ids in batch]
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode_batch(batch, errors="strict", num_threads=num_threads)
    for place, wrong in ((9, 70_001), (20, 70_002)):
        batch[place] = [5, wrong]
    with pytest.raises(KeyError, match="70001"):  # the first, whichever thread is faster
        tokenizer.decode_batch(batch, num_threads=num_threads)
    with pytest.raises(TypeError):
        tokenizer.decode_batch([5])  # type: ignore[list-item]


def test_offsets_equal_tiktokens(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding, sample_texts: list[str]
) -> None:
    for text in [*(text[:400] for text in sample_texts), "🎉中a\u0301", ""]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode_with_offsets(ids) == encoding.decode_with_offsets(ids)


def test_offsets_of_invalid_utf_8_raise(tokenizer: Tokenizer) -> None:
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode_with_offsets([tokenizer.encode_single_token(b"\xe4")])


# ====================
# The vocabulary
# ====================


def test_the_vocabulary_reads_as_in_tiktoken(tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    assert tokenizer.n_vocab == encoding.n_vocab == 2000
    assert tokenizer.max_token_value == encoding.max_token_value
    assert tokenizer.token_byte_values() == encoding.token_byte_values()
    assert tokenizer.encode_single_token(" the") == encoding.encode_single_token(" the")
    assert tokenizer.decode_single_token_bytes(300) == encoding.decode_single_token_bytes(300)
    assert tokenizer._encode_single_piece("hello the") == encoding._encode_single_piece("hello the")
    assert repr(tokenizer) == "<Tokenizer 'sample'>"
    with pytest.raises(KeyError):
        tokenizer.encode_single_token("no such token")


def test_gaps_in_the_ranks_are_legal() -> None:
    merges = {b"ab": 1000, b"abc": 2_000_000_000}
    tokenizer = byte_tokenizer(merges, {"<|endoftext|>": 1_000_000})
    assert tokenizer.encode("abcabx<|endoftext|>", allowed_special="all") == [
        2_000_000_000,
        1000,
        120,
        1_000_000,
    ]
    assert tokenizer.decode([2_000_000_000, 1000, 1_000_000]) == "abcab<|endoftext|>"
    with pytest.raises(KeyError, match="500"):
        tokenizer.decode([500])


@pytest.mark.parametrize(
    ("ranks", "special_tokens", "message"),
    [
        ({key: value for key, value in BYTES.items() if key != b"a"}, {}, "no token for the byte b'a'"),
        (BYTES | {b"ab": 97}, {}, "rank 97 stands for two tokens, b'a' and b'ab'"),
        (BYTES | {b"": 256}, {}, "rank 256 is an empty token"),
        (BYTES, {"": 256}, "empty text"),
        (BYTES, {"<a>": 97}, "id 97 stands for two tokens, b'a' and b'<a>'"),
        ({}, {}, "no token for the byte"),
    ],
)
def test_a_vocabulary_that_cannot_work_is_refused(
    ranks: dict[bytes, int], special_tokens: dict[str, int], message: str
) -> None:
    with pytest.raises(NlpkitError, match=message):
        Tokenizer("bad", pat_str=ANY_TEXT, mergeable_ranks=ranks, special_tokens=special_tokens)


def test_explicit_n_vocab_is_checked() -> None:
    arguments = {"pat_str": ANY_TEXT, "mergeable_ranks": BYTES, "special_tokens": {"<a>": 256}}
    assert Tokenizer("good", **arguments, explicit_n_vocab=257).n_vocab == 257  # type: ignore[arg-type]
    with pytest.raises(NlpkitError, match="explicit_n_vocab=300"):
        Tokenizer("bad", **arguments, explicit_n_vocab=300)  # type: ignore[arg-type]


def test_an_unknown_pattern_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cl100k"):
        byte_tokenizer(pat_str="cl100")
    with pytest.raises(UsageError, match="not a valid regex"):
        byte_tokenizer(pat_str="(")


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_and_pickles_encode_the_same(
    clone: Callable[[Tokenizer], Tokenizer], tokenizer: Tokenizer
) -> None:
    other = clone(tokenizer)
    text = "Tokenization 中文 <|endoftext|>"
    assert other.encode(text, allowed_special="all") == tokenizer.encode(text, allowed_special="all")
    assert other.name == tokenizer.name
    assert other.fingerprint == tokenizer.fingerprint


def test_the_fingerprint_follows_all_that_decides_the_ids() -> None:
    prints = {
        byte_tokenizer().fingerprint,
        byte_tokenizer({b"ab": 256}).fingerprint,
        byte_tokenizer({b"ac": 256}).fingerprint,
        byte_tokenizer(special_tokens={"<a>": 256}).fingerprint,
        byte_tokenizer(special_tokens={"<a>": 257}).fingerprint,
        byte_tokenizer(pat_str="cl100k").fingerprint,
    }
    assert len(prints) == 6
    assert byte_tokenizer().fingerprint in prints


# ====================
# Real vocabularies
# ====================

REAL = {"r50k_base": "gpt2", "p50k_base": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


@pytest.mark.parametrize("name", REAL)
def test_ids_equal_tiktokens_with_the_known_vocabularies(
    name: str, real_ranks: Callable[[str], dict[bytes, int]], real_texts: list[str]
) -> None:
    ranks = real_ranks(name)
    ours = Tokenizer(name, pat_str=REAL[name], mergeable_ranks=ranks, special_tokens={})
    theirs = tiktoken.Encoding(name, pat_str=PATTERNS[REAL[name]], mergeable_ranks=ranks, special_tokens={})
    assert ours._vocabulary.consistent
    for text, ids in zip(real_texts, ours.encode_documents(real_texts), strict=True):
        assert np.array_equal(ids, theirs.encode_to_numpy(text, disallowed_special=()))
