"""What text can make of each token of a vocabulary, and which split pattern the tokens speak of."""

import codecs
from collections.abc import Mapping, Sequence
from itertools import product

from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization.doctor.findings import Finding, listed
from nlpkit.tokenization.formats.merges import find_pair
from nlpkit.tokenization.patterns import PATTERNS, split

_BEFORE = ("", "a", " ", "\n", "1", "!")
_BEHIND = ("", "a", "m", "ll", " ", "\n", "1", "!", "/")
"""What a token is tried beside: a character of each kind that split patterns tell apart, contractions too."""

_PROBES = ("12", "123", "1234", " 12", "aB", "a's")
"""Texts that some known patterns keep whole and others cut, each of a kind that frequent tokens are of."""

_MANY = 4096
"""Tokens from which on a kind is missing for a reason: in a small vocabulary it may just be too rare."""


def check_tokens(
    ranks: Mapping[bytes, int], pat_str: str, progress: ProgressCallback = no_progress
) -> list[Finding]:
    """Tokens that are impossible, cut or inconsistent; signs of another pattern; parts of characters."""
    impossible, partial, cut, inconsistent = [], [], [], []
    texts: list[str] = []
    for done, (token, rank) in enumerate(ranks.items(), start=1):
        if done % 1024 == 0:
            progress("tokens", done, len(ranks))
        if len(token) == 1:
            continue
        if not stands_in_utf8(token):
            impossible.append(rank)
            continue
        if find_pair(token, ranks) is None:
            inconsistent.append(rank)
        try:
            text = token.decode()
        except UnicodeDecodeError:
            partial.append(rank)
            continue
        texts.append(text)
        if is_cut(text, pat_str):
            cut.append(rank)
    hint = _better_pattern(texts, len(cut)) if cut else ""
    explained = [
        ("impossible tokens", True, impossible, "they stand in no valid UTF-8, so no text gives them."),
        ("inconsistent tokens", True, inconsistent, "merging their bytes ends in other tokens, so only a "
         "piece that equals one gets it."),
        ("cut tokens", True, cut, "the split pattern cuts their text wherever it stands, so no text "
         f"gives them.{hint}"),
        ("parts of characters", False, partial, "they hold parts of characters, as usual where bytes merge."),
    ]  # fmt: skip
    names = {rank: token for token, rank in ranks.items()}
    findings = [
        Finding(name, wrong, f"{listed(ids, names)}: {explanation}", ids)
        for name, wrong, ids, explanation in explained
        if ids
    ]
    return findings if cut else findings + _find_finer_pattern(texts, pat_str)


def stands_in_utf8(token: bytes) -> bool:
    """Whether valid UTF-8 can hold these bytes; they may begin or end inside a character."""
    start = 0
    while start < min(len(token), 3) and 0x80 <= token[start] < 0xC0:
        start += 1
    try:
        codecs.getincrementaldecoder("utf-8")().decode(token[start:], final=False)
    except UnicodeDecodeError:
        return False
    return True


def is_cut(text: str, pat_str: str) -> bool:
    """Whether the pattern cuts a token's text wherever it may stand: no piece holds it whole.

    Alone it may be cut and yet be whole beside other characters: in o200k "\\n//" follows punctuation in one
    piece, and " I'" begins " I'm".
    """
    return all(
        _is_cut_between(left, text, right, pat_str) for left, right in product(_BEFORE, _BEHIND)
    )  # lazily, and alone comes first: nearly every token is whole there


def _is_cut_between(left: str, text: str, right: str, pat_str: str) -> bool:
    start, stop = len(left), len(left) + len(text)
    begin = 0
    for piece in split(left + text + right, pat_str):
        end = begin + len(piece)
        if begin <= start and stop <= end:
            return False
        begin = end
    return True


def _better_pattern(texts: Sequence[str], cut: int) -> str:
    """The known pattern that cuts fewest tokens, where it cuts far fewer than the vocabulary's own."""
    best, fewest = "", cut // 4 + 1
    for name, pat_str in PATTERNS.items():
        count = _count_cut(texts, pat_str, fewest)
        if count < fewest:
            best, fewest = name, count
    return f" The pattern {best} cuts {fewest}: was the vocabulary trained with it?" if best else ""


def _count_cut(texts: Sequence[str], pat_str: str, enough: int) -> int:
    """How many texts the pattern cuts, counted up to `enough`."""
    count = 0
    for text in texts:
        if is_cut(text, pat_str):
            count += 1
            if count >= enough:
                break
    return count


def _find_finer_pattern(texts: Sequence[str], pat_str: str) -> list[Finding]:
    """Known patterns that cut no token either, though they cut what the vocabulary's own keeps whole."""
    if len(texts) < _MANY:
        return []
    whole = [probe for probe in _PROBES if not is_cut(probe, pat_str)]
    finer = {}
    for name, other in PATTERNS.items():
        probes = [probe for probe in whole if is_cut(probe, other)]
        if probes and _count_cut(texts, other, 1) == 0:
            finer[name] = probes[0]
    if not finer:
        return []
    names, probe = " or ".join(finer), next(iter(finer.values()))
    sentence = (
        f"no token is what {names} cuts, such as {probe!r}, which the vocabulary's own pattern keeps whole: "
        f"was it trained with {names}?"
    )
    return [Finding("finer pattern", False, sentence)]
