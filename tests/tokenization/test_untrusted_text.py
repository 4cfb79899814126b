"""Text in trusted and untrusted parts, bytes that are no text, and what tiktoken calls unstable."""

import random
from collections.abc import Callable

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nlpkit.tokenization import Part, Tokenizer

END = "<|endoftext|>"


def test_special_tokens_come_out_of_trusted_parts_only(tokenizer: Tokenizer) -> None:
    eot = tokenizer.eot_token
    ids = tokenizer.encode_parts([Part(f"a{END}", trusted=True), Part(f"b{END}"), Part(END, trusted=True)])
    expected = [*tokenizer.encode("a"), eot, *tokenizer.encode(f"b{END}", disallowed_special=()), eot]
    assert ids == expected


def test_no_special_token_comes_out_of_two_parts_together(tokenizer: Tokenizer) -> None:
    for cut in range(1, len(END)):
        for trusted in ((True, False), (False, True), (True, True)):
            parts = [Part(END[:cut], trusted[0]), Part(END[cut:], trusted[1])]
            assert tokenizer.encode_parts(parts) == tokenizer.encode(END, disallowed_special=())


def test_harmless_parts_are_encoded_as_one_text(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    text = sample_texts[0][:2000]
    generator = random.Random(9)
    cuts = sorted(generator.sample(range(len(text)), 20))
    parts = [
        Part(text[a:b], trusted=generator.random() < 0.5)
        for a, b in zip([0, *cuts], [*cuts, None], strict=True)
    ]
    assert tokenizer.encode_parts(parts) == tokenizer.encode(text)
    assert tokenizer.encode_parts([]) == []


FRAGMENTS = st.sampled_from([END, END[:5], END[5:], "a", " ", "word", "\n", "中", "<|", "\ud800"])


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.tuples(st.lists(FRAGMENTS, max_size=4).map("".join), st.booleans()), max_size=5))
def test_special_ids_are_those_of_the_trusted_parts(
    parts: list[tuple[str, bool]], tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode_parts([Part(text, trusted) for text, trusted in parts])
    joined = "".join(text for text, _ in parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert ids.count(tokenizer.eot_token) == sum(text.count(END) for text, trusted in parts if trusted)
    assert tokenizer.decode(ids) == joined
    if not any(trusted for _, trusted in parts):
        assert ids == tokenizer.encode_ordinary(joined)


# ====================
# Bytes
# ====================


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=40))
@example(data=b"\xff\xfe")
@example(data=b"ab\xe4\xb8 \xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf")
def test_bytes_come_back(data: bytes, tokenizer: Tokenizer) -> None:
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


def test_valid_stretches_are_text_and_the_others_one_piece_each(tokenizer: Tokenizer) -> None:
    text = "some text 中文 "
    data = text.encode() + b"\xff\xfe\xe4\xb8" + text.encode() + b"\x80"
    expected = [
        *tokenizer.encode(text),
        *tokenizer._encode_single_piece(b"\xff\xfe\xe4\xb8"),
        *tokenizer.encode(text),
        *tokenizer._encode_single_piece(b"\x80"),
    ]
    assert tokenizer.encode_bytes(data) == expected
    assert tokenizer.encode_bytes(text.encode()) == tokenizer.encode(text)
    assert tokenizer.encode_bytes(b"") == []


def test_megabytes_of_invalid_bytes_take_linear_time(tokenizer: Tokenizer) -> None:
    data = random.Random(10).randbytes(400_000) + b"\xff" * 1_000_000
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


@settings(max_examples=150, deadline=None)
@given(
    data=st.lists(st.one_of(st.binary(max_size=4), st.text(max_size=6).map(str.encode)), max_size=4).map(
        b"".join
    )
)
@example(data=b"some words \n \xe4\xb8")
@example(data=b"a \n\n\xff b")
def test_the_private_way_with_bytes_is_tiktokens(
    data: bytes, tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    assert tokenizer._encode_bytes(data) == encoding._encode_bytes(data)


# ====================
# Unstable ends
# ====================


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "hello fanta",
        " the",
        "a  ",
        "a\n\n",
        "x \n \n",
        "中",
        "标记",
        "don'",
        "a\u3000",
        END,
        f"a{END}b ",
    ],
)
def test_unstable_ends_equal_tiktokens(text: str, tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    stable, completions = tokenizer.encode_with_unstable(text, allowed_special="all")
    expected_stable, expected = encoding.encode_with_unstable(text, allowed_special="all")
    assert stable == expected_stable
    assert sorted(completions) == sorted(expected)


def test_unstable_ends_equal_tiktokens_on_mixed_fragments(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding, random_text: Callable[[random.Random], str]
) -> None:
    generator = random.Random(11)
    for text in [random_text(generator)[-30:] for _ in range(60)]:
        stable, completions = tokenizer.encode_with_unstable(text, disallowed_special=())
        expected_stable, expected = encoding.encode_with_unstable(text, disallowed_special=())
        assert stable == expected_stable
        assert sorted(completions) == sorted(expected)


def test_unstable_ends_refuse_special_text(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="disallowed special token"):
        tokenizer.encode_with_unstable(END)
