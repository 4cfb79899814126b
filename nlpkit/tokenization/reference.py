"""Byte-pair encoding in plain Python: the algorithm as a lesson, and the oracle of the compiled core's tests.

Training looks at pre-tokens, the pieces into which a split pattern cuts text; no merge crosses their bounds.
Start with every pre-token as a sequence of bytes. Again and again, find the pair of neighbours that occurs
most often and make it one new token. Encoding replays that: in a pre-token, merge the pair whose token is the
oldest until no pair of neighbours makes a token.

    >>> counts = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    >>> [token for token in train(counts, n_merges=3)[256:]]
    [b'ug', b'un', b'hug']

Everything here recounts from scratch at every step: quadratic, and meant for texts of some kilobytes.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

from nlpkit.tokenization.byte_order import GPT2_BYTE_ORDER
from nlpkit.tokenization.patterns import split


def train(counts: Mapping[str, int], *, n_merges: int, min_count: int = 1) -> list[bytes]:
    """The tokens learnt from counted pre-tokens in order of rank: the 256 bytes, then one a merge.

    Of pairs with equal counts the one with the smaller ids wins, the left id first. Training ends early when
    no pair occurs `min_count` times any more.
    """
    tokens = list(GPT2_BYTE_ORDER)
    ids = {token: i for i, token in enumerate(tokens)}
    words = [([ids[bytes([byte])] for byte in word.encode()], count) for word, count in counts.items()]
    while len(tokens) < 256 + n_merges:
        pairs = count_pairs(words)
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < min_count:
            break
        words = [(merge(word, best, len(tokens)), count) for word, count in words]
        tokens.append(tokens[best[0]] + tokens[best[1]])
    return tokens


def count_pairs(words: list[tuple[list[int], int]]) -> Counter[tuple[int, int]]:
    """How often each pair of neighbours occurs; "aaaa" holds (a, a) three times.

    >>> count_pairs([([5, 5, 5, 5], 2), ([5, 6], 1)])
    Counter({(5, 5): 6, (5, 6): 1})
    """
    pairs: Counter[tuple[int, int]] = Counter()
    for word, count in words:
        for pair in pairwise(word):
            pairs[pair] += count
    return pairs


def merge(word: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """Replace `pair` by `new`, from left to right.

    >>> merge([5, 5, 5, 6], (5, 5), 300)
    [300, 5, 6]
    """
    result: list[int] = []
    for token in word:
        if result and (result[-1], token) == pair:
            result[-1] = new
        else:
            result.append(token)
    return result


def encode(text: str, ranks: Mapping[bytes, int], pat_str: str) -> list[int]:
    """The ids of `text`: each pre-token's bytes, merged by the smallest rank, the leftmost of equals."""
    ids: list[int] = []
    for pretoken in split(text, pat_str):
        parts = [bytes([byte]) for byte in pretoken.encode()]
        while True:
            joined = [left + right for left, right in pairwise(parts)]
            known = [i for i, token in enumerate(joined) if token in ranks]
            if not known:
                break
            best = min(known, key=lambda i: ranks[joined[i]])
            parts[best : best + 2] = [joined[best]]
        ids.extend(ranks[part] for part in parts)
    return ids
