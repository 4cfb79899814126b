"""Merges are found again from ranks alone, and lists of merges that say something else are refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit.errors import NlpkitError
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.formats.byte_characters import to_bytes, to_characters
from nlpkit.tokenization.formats.merges import check_merges, every_split, find_pair, recover_merges

BYTES = {bytes([value]): value for value in range(256)}


def test_gpt2s_merges_are_recovered_from_its_ranks(
    real_data: Path, real_ranks: Callable[[str], dict[bytes, int]]
) -> None:
    lines = gzip.decompress((real_data / "text" / "vocab" / "gpt2" / "vocab.bpe.gz").read_bytes()).decode()
    merges = recover_merges(real_ranks("r50k_base"))
    assert merges is not None
    spelled = [f"{to_characters(left)} {to_characters(right)}" for left, right in merges]
    assert spelled == lines.splitlines()[1:]


def test_the_pair_is_what_merging_by_smaller_ranks_leaves() -> None:
    ranks = BYTES | {b"bc": 256, b"ab": 257, b"abc": 258}
    assert find_pair(b"abc", ranks) == (b"a", b"bc")
    assert find_pair(b"abc", BYTES | {b"ab": 256, b"bc": 257, b"abc": 258}) == (b"ab", b"c")


def test_a_token_that_merging_does_not_give_has_no_pair(inconsistent: Tokenizer) -> None:
    ranks = inconsistent._mergeable_ranks
    assert find_pair(b"qrst", ranks) is None
    assert recover_merges(ranks) is None
    assert (b"ab", b"ab") in every_split(ranks)


def test_a_trained_vocabulary_is_consistent_with_its_own_merges(tokenizer: Tokenizer) -> None:
    merges = recover_merges(tokenizer._mergeable_ranks)
    assert merges is not None
    check_merges(merges, tokenizer._mergeable_ranks, whole_pieces_first=False, where="here")
    # as some converters list them: every way to cut each token
    check_merges(
        every_split(tokenizer._mergeable_ranks),
        tokenizer._mergeable_ranks,
        whole_pieces_first=False,
        where="",
    )


@pytest.mark.parametrize(
    ("merges", "whole", "message"),
    [
        ([(b"b", b"c"), (b"a", b"b"), (b"ab", b"c")], False, r"not in the order of the ids.*b'ab', id 256"),
        (
            [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")],
            False,
            r"no merge of b'ab' and b'c' gives the token b'abc'",
        ),
        ([(b"a", b"b"), (b"b", b"c")], True, r"no merge of b'ab' and b'c' gives"),
        ([(b"a", b"b"), (b"b", b"d")], False, r"lacks the token b'bd'"),
    ],
)
def test_merges_that_are_not_the_ranks_are_refused(
    merges: list[tuple[bytes, bytes]], whole: bool, message: str
) -> None:
    ranks = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258}
    with pytest.raises(NlpkitError, match=r"^here: .*" + message):
        check_merges(merges, ranks, whole, "here")


def test_tokens_without_merges_need_whole_pieces_and_then_every_merge(inconsistent: Tokenizer) -> None:
    ranks = inconsistent._mergeable_ranks
    check_merges(every_split(ranks), ranks, whole_pieces_first=True, where="here")
    with pytest.raises(NlpkitError, match=r"never give the token b'\w+' .* ignore_merges"):
        check_merges(every_split(ranks), ranks, whole_pieces_first=False, where="here")
    fewer = [pair for pair in every_split(ranks) if pair != (b"ab", b"ab")]
    with pytest.raises(NlpkitError, match="here"):
        check_merges(fewer, ranks, whole_pieces_first=True, where="here")


def test_the_alphabet_is_gpt2s() -> None:
    everything = bytes(range(256))
    assert to_bytes(to_characters(everything)) == everything
    assert to_characters(b" a\n\xad") == "ĠaĊŃ"
    assert len(set(to_characters(everything))) == 256
