"""What a table of ranks and its special tokens must fulfil before they can be used at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from nlpkit.errors import CorruptFileError
from nlpkit.tokenization import vocabulary_files
from nlpkit.tokenization.doctor.findings import Finding, listed


@dataclass(frozen=True, slots=True)
class Ranks:
    """The lines of a rank file as they are, damaged or not.

    Attributes:
        tokens: of the readable lines, in order.
        damaged: the numbers of the other lines, and what is wrong with each.
    """

    tokens: Sequence[tuple[bytes, int]]
    damaged: Sequence[tuple[int, str]]


def parse_lines(content: bytes, path: Path) -> Ranks:
    """Every line of a `.tiktoken` file's content; damaged ones apart, with their sentence."""
    tokens, damaged = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            tokens.append(vocabulary_files.parse_line(line, path, number))
        except CorruptFileError as error:
            damaged.append((number, str(error)))
    return Ranks(tokens, damaged)


def check_table(ranks: Ranks, special_tokens: Mapping[str, int]) -> list[Finding]:
    """Damaged lines, what comes twice or is missing, special tokens that do not fit, and gaps."""
    by_token: dict[bytes, list[int]] = {}
    by_rank: dict[int, list[bytes]] = {}
    for token, rank in ranks.tokens:
        by_token.setdefault(token, []).append(rank)
        by_rank.setdefault(rank, []).append(token)
    return [
        *_check_lines(ranks, by_token, by_rank),
        *_check_special(by_token, by_rank, special_tokens),
        *_find_gaps(by_rank, special_tokens),
    ]


def _check_lines(
    ranks: Ranks, by_token: Mapping[bytes, Sequence[int]], by_rank: Mapping[int, Sequence[bytes]]
) -> list[Finding]:
    findings = []
    if ranks.damaged:
        lines = [number for number, _ in ranks.damaged]
        findings.append(Finding("damaged lines", True, f"{len(lines)}: {ranks.damaged[0][1]}", lines))
    twice = {found[-1]: token for token, found in by_token.items() if len(found) > 1}
    if twice:
        sentence = f"{listed([*twice], twice)}: each stands in the file with another id before."
        findings.append(Finding("duplicate tokens", True, sentence, [*twice]))
    shared = {rank: tokens for rank, tokens in by_rank.items() if len(tokens) > 1}
    if shared:
        sentence = f"{listed([*shared], shared)}: each stands for several tokens."
        findings.append(Finding("duplicate ids", True, sentence, [*shared]))
    missing = {value: bytes([value]) for value in range(256) if bytes([value]) not in by_token}
    if missing:
        sentence = f"{listed([*missing], missing)}: texts can hold them, and no token does."
        findings.append(Finding("missing bytes", True, sentence, [*missing]))
    return findings


def _check_special(
    by_token: Mapping[bytes, Sequence[int]],
    by_rank: Mapping[int, object],
    special_tokens: Mapping[str, int],
) -> list[Finding]:
    findings = []
    names = {token: text for text, token in special_tokens.items()}
    collisions = [token for token in names if token in by_rank]
    if collisions:
        sentence = f"{listed(collisions, names)}: the id is a rank's too, so it decodes to something else."
        findings.append(Finding("special token collisions", True, sentence, collisions))
    if "" in special_tokens:
        sentence = "a special token is empty, so it stands everywhere in a text."
        findings.append(Finding("empty special token", True, sentence, [special_tokens[""]]))
    learnt = [token for token, text in names.items() if text.encode("utf-8", "replace") in by_token]
    if learnt:
        sentence = f"{listed(learnt, names)}: ordinary tokens are spelled so too, learnt from text."
        findings.append(Finding("special tokens learnt", False, sentence, learnt))
    texts = sorted(special_tokens)  # what a text begins with stands before it, with nothing else between
    beginnings = [special_tokens[text] for text, after in pairwise(texts) if text and after.startswith(text)]
    if beginnings:
        sentence = f"{listed(beginnings, names)}: others begin so; here the longest is found, elsewhere any."
        findings.append(Finding("nested special tokens", False, sentence, beginnings))
    return findings


def _find_gaps(by_rank: Mapping[int, object], special_tokens: Mapping[str, int]) -> list[Finding]:
    used = sorted({*by_rank, *special_tokens.values()})
    gaps = [(low + 1, high - 1) for low, high in pairwise([-1, *used]) if high - low > 1]
    if not gaps:
        return []
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in gaps[:3]]
    count = sum(last - first + 1 for first, last in gaps)
    sentence = f"{count} ids ({', '.join(shown)}{', …' if len(gaps) > 3 else ''}) stand for nothing."
    return [Finding("gaps", False, sentence, [first for first, _ in gaps])]
