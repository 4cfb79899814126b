"""Offsets and decoding as ids come."""

import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nlpkit.tokenization import Tokenizer


@pytest.fixture(scope="module")
def bytewise() -> Tokenizer:
    """One token a byte, and one that holds the end of a character and the beginning of the next."""
    ranks = {bytes([value]): value for value in range(256)} | {b"\xad\xe6": 256}
    return Tokenizer("bytes", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})


def test_offsets_of_split_characters(bytewise: Tokenizer) -> None:
    ids = bytewise.encode("a中文b")
    assert 256 in ids
    offsets = bytewise.offsets(ids)
    assert offsets.bytes.tolist() == [[0, 1], [1, 2], [2, 3], [3, 5], [5, 6], [6, 7], [7, 8]]
    assert offsets.characters.tolist() == [[0, 1], [1, 2], [1, 2], [1, 3], [2, 3], [2, 3], [3, 4]]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=30))
@example(data=b"a\xe4\xb8\xff\xf0\x9f\x98b\x80\x80\xed\xa0\x80")
def test_offsets_of_any_bytes_follow_the_decoded_text(data: bytes, bytewise: Tokenizer) -> None:
    """Each byte lies on the character that decoding the bytes up to it, and on to its end, ends with."""
    ids = list(data)
    offsets = bytewise.offsets(ids)
    text = bytewise.decode(ids)
    starts = [0]
    while starts[-1] < len(data):  # the first place after which both sides decode as they do in the whole
        starts.append(
            next(
                end
                for end in range(starts[-1] + 1, len(data) + 1)
                if data[:end].decode("utf-8", "replace") + data[end:].decode("utf-8", "replace") == text
                and len(data[starts[-1] : end].decode("utf-8", "replace")) == 1
            )
        )
    owner = [index for index, (a, b) in enumerate(itertools.pairwise(starts)) for _ in range(a, b)]
    assert offsets.characters.tolist() == [[index, index + 1] for index in owner]


def test_offsets_of_nothing(bytewise: Tokenizer) -> None:
    assert bytewise.offsets([]).bytes.shape == (0, 2)
    assert bytewise.decode_with_offsets([]) == ("", [])
    assert bytewise.offsets(np.array([97, 98])).characters.tolist() == [[0, 1], [1, 2]]
    with pytest.raises(KeyError, match="9999"):
        bytewise.offsets([9999])


def test_a_stream_joined_is_the_decoded_text(
    tokenizer: Tokenizer, random_text: Callable[[random.Random], str]
) -> None:
    generator = random.Random(8)
    for _ in range(200):
        ids = tokenizer.encode(random_text(generator), allowed_special="all")
        decoder = tokenizer.decoder()
        assert "".join(map(decoder.decode, ids)) + decoder.flush() == tokenizer.decode(ids)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=20))
def test_a_stream_of_any_bytes_joined_is_the_decoded_text(data: bytes, bytewise: Tokenizer) -> None:
    decoder = bytewise.decoder()
    assert "".join(map(decoder.decode, data)) + decoder.flush() == bytewise.decode(list(data))


def test_a_stream_shows_whole_characters_only(bytewise: Tokenizer) -> None:
    decoder = bytewise.decoder()
    assert [decoder.decode(byte) for byte in "é中".encode()] == ["", "é", "", "", "中"]
    assert decoder.decode([0xE4, 0xB8]) == ""
    assert decoder.flush() == "\ufffd"
    assert decoder.decode(97) == "a"  # begins anew
    with pytest.raises(KeyError, match="9999"):
        decoder.decode(9999)
    with pytest.raises(UnicodeDecodeError):
        bytewise.decoder(errors="strict").decode(0xFF)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=24), cuts=st.lists(st.integers(0, 24), max_size=4))
def test_a_stream_is_never_behind_and_never_wrong(data: bytes, cuts: list[int], bytewise: Tokenizer) -> None:
    """After any ids, what was shown is what decoding shows of them, but for an unfinished character."""
    places = sorted({*(cut for cut in cuts if cut < len(data)), len(data)})
    decoder = bytewise.decoder()
    shown = ""
    begin = 0
    for end in places:
        shown += decoder.decode(list(data[begin:end]))
        begin = end
        whole = data[:end].decode("utf-8", "replace")
        assert whole.startswith(shown)
        rest = whole[len(shown) :]
        assert rest in ("", "\ufffd")  # the beginning of a character that more bytes may complete
        if rest:
            unfinished = next(data[start:end] for start in range(max(0, end - 3), end) if data[start] >= 0xC2)
            assert 1 <= len(unfinished) <= 3
    assert shown + decoder.flush() == data.decode("utf-8", "replace")


def test_the_bytes_of_every_id(tokenizer: Tokenizer) -> None:
    table = tokenizer.token_bytes()
    assert list(table) == list(range(tokenizer.n_vocab))
    assert all(tokenizer.decode_single_token_bytes(token) == data for token, data in table.items())
    assert table[tokenizer.eot_token] == b"<|endoftext|>"
