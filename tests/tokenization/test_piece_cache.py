"""Ids do not depend on what the cache of pieces holds, has grown to, or had to leave out."""

import random

import numpy as np
import pytest
import tiktoken

from nlpkit.tokenization import Tokenizer

LETTERS = "etaoinshrdlucmfw" * 4 + "中文字符я日éß"


def made_up_words(count: int, lengths: range, seed: int) -> list[str]:
    generator = random.Random(seed)
    sizes = generator.choices(lengths, k=count)
    letters = generator.choices(LETTERS, k=sum(sizes))
    ends = np.cumsum(sizes).tolist()
    return ["".join(letters[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


@pytest.mark.parametrize(
    ("count", "lengths"),
    [
        (60_000, range(3, 15)),  # more than the places it begins with
        (120_000, range(20, 60)),  # more ids and bytes than fit in its arena
    ],
)
def test_pieces_beyond_the_cache(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding, count: int, lengths: range
) -> None:
    text = " ".join(made_up_words(count, lengths, seed=count))
    expected = encoding.encode_to_numpy(text)
    for _ in range(2):
        np.testing.assert_array_equal(tokenizer.encode_to_numpy(text), expected)


def test_new_pieces_that_repeat_in_one_block(tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    words = made_up_words(40, range(1, 130), seed=1)
    text = " ".join(random.Random(2).choices(words, k=2_000))
    np.testing.assert_array_equal(tokenizer.encode_to_numpy(text), encoding.encode_to_numpy(text))


@pytest.mark.parametrize("size", [1, 14, 15, 16, 30, 31, 62, 63, 127, 128, 129, 300])
def test_a_new_piece_of_every_way_to_merge(
    tokenizer: Tokenizer, encoding: tiktoken.Encoding, size: int
) -> None:
    for seed in range(20):
        text = "".join(random.Random(seed).choices("etaoin", k=size))
        assert tokenizer.encode(text) == encoding.encode(text)
        assert tokenizer.encode(text) == encoding.encode(text)
