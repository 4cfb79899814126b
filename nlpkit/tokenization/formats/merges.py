"""Merges: the pairs that byte-pair merging joins, which GPT-2's and Hugging Face's files list one by one.

A rank table names only what comes of each merge. The pair is found again by merging the token's bytes with
the smaller ranks alone: in a trained vocabulary two parts are left, and those are the pair. (Cutting where
the larger of the two ranks is smallest, as one may read elsewhere, gives other pairs than GPT-2's.)
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from nlpkit.errors import NlpkitError

Pair = tuple[bytes, bytes]


def find_pair(token: bytes, ranks: Mapping[bytes, int]) -> Pair | None:
    """The two tokens that merging joins to `token`; None where merging its bytes does not get that far."""
    own = ranks[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    joined = [ranks.get(left + right, own) for left, right in pairwise(parts)]
    while len(parts) > 2:
        least = min(joined)
        if least >= own:
            return None
        at = joined.index(least)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        del joined[at]
        for i in (at - 1, at):
            if 0 <= i < len(joined):
                joined[i] = ranks.get(parts[i] + parts[i + 1], own)
    return parts[0], parts[1]


def recover_merges(ranks: Mapping[bytes, int]) -> list[Pair] | None:
    """The pair of each token of several bytes, in the order of the ranks, or None.

    None stands for a table that no training gives (see `nlpkit tokenizer doctor`): merging the bytes of some
    token does not end in it, so that one pair a token is not enough; see `every_split`.
    """
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        if len(token) > 1:
            pair = find_pair(token, ranks)
            if pair is None:
                return None
            merges.append(pair)
    return merges


def every_split(ranks: Mapping[bytes, int]) -> list[Pair]:
    """Each way to cut each token in two tokens, in the order of the ranks.

    With whole pieces looked up first, merging by this list gives what merging by concatenated bytes gives for
    any table, but for one thing: where two of one token's pairs overlap in the text, the first of the list is
    joined, not the leftmost.
    """
    return [
        (token[:cut], token[cut:])
        for token in sorted(ranks, key=ranks.__getitem__)
        for cut in range(1, len(token))
        if token[:cut] in ranks and token[cut:] in ranks
    ]


def check_merges(
    merges: Iterable[Pair], ranks: Mapping[bytes, int], whole_pieces_first: bool, where: str
) -> None:
    """Make sure that merging by rank gives the same as merging by this list; ids are the ranks.

    Args:
        merges: the pairs, the first one first to be joined.
        ranks: the ids.
        whole_pieces_first: whether a piece that is a token becomes it unmerged (`ignore_merges`).
        where: the file, for messages.

    Raises:
        NlpkitError: it does not; says which merge or token is in the way.
    """
    listed: dict[bytes, set[Pair]] = {}
    highest = -1
    for left, right in merges:
        token = left + right
        missing = [part for part in (left, right, token) if part not in ranks]
        if missing:
            raise NlpkitError(f"{where}: the merge of {left!r} and {right!r} lacks the token {missing[0]!r}.")
        if ranks[token] < highest:
            raise NlpkitError(
                f"{where}: its merges are not in the order of the ids (the merge that gives {token!r}, id "
                f"{ranks[token]}, comes after one that gives id {highest}), and nlpkit merges by ids."
            )
        highest = ranks[token]
        listed.setdefault(token, set()).add((left, right))
    _check_pairs(listed, ranks, whole_pieces_first, where)


def _check_pairs(
    listed: Mapping[bytes, set[Pair]], ranks: Mapping[bytes, int], whole_pieces_first: bool, where: str
) -> None:
    unreachable = None
    for token in ranks:
        if len(token) == 1:
            continue
        pair = find_pair(token, ranks)
        if pair is None:
            unreachable = token
        elif pair not in listed.get(token, ()):
            raise NlpkitError(
                f"{where}: no merge of {pair[0]!r} and {pair[1]!r} gives the token {token!r} (id "
                f"{ranks[token]}), though merging by ids does."
            )
    if unreachable is None:
        return
    if not whole_pieces_first:
        raise NlpkitError(
            f"{where}: its merges never give the token {unreachable!r} (id {ranks[unreachable]}), which "
            "nlpkit gives to a piece that equals it, as Hugging Face does with ignore_merges only."
        )
    if sum(map(len, listed.values())) != len(every_split(ranks)):
        raise NlpkitError(
            f"{where}: merging does not give the token {unreachable!r} (id {ranks[unreachable]}), and its "
            "merges are not all the pairs of tokens that make a token, by which nlpkit then merges."
        )
