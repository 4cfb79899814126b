"""The self-check finds a difference wherever there is one, and shows the least of it."""

import pytest

from nlpkit.errors import NlpkitError
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.formats.agreement import (
    FUZZ_TEXTS,
    Agreement,
    Check,
    Difference,
    first_difference,
    fuzz_texts,
    shorten,
)


def test_texts_are_the_same_for_the_same_seed(tokenizer: Tokenizer) -> None:
    first = list(fuzz_texts(tokenizer.definition))
    assert first == list(fuzz_texts(tokenizer.definition))
    assert first != list(fuzz_texts(tokenizer.definition, seed=2))
    assert len(first) == FUZZ_TEXTS
    together = "".join(first)
    assert "<|endoftext|>" in together
    for token in tokenizer._mergeable_ranks:
        assert token.decode("utf-8", "ignore") in together
    assert {"中", "\u3000", "ſ", "\x85", "🎉"} <= set(together)


@pytest.mark.parametrize("character", ["ſ", "\u2028", "7", "Ⅷ", "\x85", "\u200d", "ﬁ"])
def test_a_difference_in_one_character_is_found_and_shown_alone(character: str, tokenizer: Tokenizer) -> None:
    def wrong(text: str) -> list[int]:
        return tokenizer.encode(text.replace(character, "x"), allowed_special="all")

    with pytest.raises(NlpkitError, match=r"^the copy does not agree with them 1: ") as refused:
        tokenizer.check().require(tokenizer.definition, wrong, peer="them 1", what="the copy")
    assert f": {character!r} gives [" in str(refused.value)


def test_texts_of_the_callers_are_compared_too(tokenizer: Tokenizer) -> None:
    check = tokenizer.check(["Rivers hurry: " * 500 + "xyzzy" + " and bread" * 500])

    def wrong(text: str) -> list[int]:
        return tokenizer.encode(text.replace("xyzzy", "y"), allowed_special="all")

    with pytest.raises(NlpkitError, match="'xyzzy' gives"):
        check.require(tokenizer.definition, wrong, peer="them", what="it")
    agreement = check.require(tokenizer.definition, check.encode, peer="us", what="it")
    assert agreement == Agreement("us", FUZZ_TEXTS + 1)


def test_the_position_is_that_of_the_first_id_that_differs() -> None:
    assert Difference("t", [1, 2, 3], [1, 2, 4]).position == 2
    assert Difference("t", [1, 2], [1, 2, 4]).position == 2
    long = Difference("t", list(range(100)), [*range(50), 7]).sentence()
    here, there = "[…, 48, 49, 50, 51, 52, 53, 54, 55, …]", "[…, 48, 49, 7]"
    assert long == f"'t' gives {here} here and {there} there, from token 50 on."


def test_texts_that_the_pattern_does_not_cover_are_passed_over(tokenizer: Tokenizer) -> None:
    letters = Tokenizer("a", pat_str="[a-z]+", mergeable_ranks=tokenizer._mergeable_ranks, special_tokens={})
    difference, compared = first_difference(letters.encode, lambda _: [], ["12", "1a"])
    assert (difference, compared) == (None, 0)
    difference, compared = first_difference(letters.encode, lambda _: [], ["12", "a"])
    assert difference is not None
    assert compared == 1


def test_shortening_ends_where_nothing_can_go() -> None:
    def ours(text: str) -> list[int]:
        return [1] if "a" in text and "b" in text else []

    text = "xx a xx b xx"
    assert shorten(Difference(text, [1], []), ours, lambda _: []).text == "ab"
    assert Check(ours).texts == ()


def test_a_panic_of_the_other_side_is_one_sentence(tokenizer: Tokenizer) -> None:
    class PanicException(BaseException):
        pass

    def panics(text: str) -> list[int]:
        raise PanicException("retry-limit-in-match over")

    with pytest.raises(NlpkitError, match=r"the other side fails on the text '.* \(retry-limit"):
        tokenizer.check().require(tokenizer.definition, panics, peer="them", what="it")

    def interrupted(text: str) -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tokenizer.check().require(tokenizer.definition, interrupted, peer="them", what="it")
