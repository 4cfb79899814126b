"""Examining a byte-level BPE vocabulary: what is wrong with it, and what is worth knowing.

Wrong is what makes it unusable, or ids that no text can give:

- a damaged line, a token or a rank that comes twice, a byte without a token;
- a special token whose id is a rank too (it would decode to something else), or whose text is empty;
- an *impossible* token: its bytes stand in no valid UTF-8 (`encode_bytes` and single bytes aside);
- a *cut* token: the split pattern cuts its text wherever it stands, and merges never cross pieces. Many of
  them say that the vocabulary was trained with another pattern; the known pattern that cuts fewest is named;
- an *inconsistent* token: merging its bytes does not end in it, so it is given only to pieces that equal it.
  Training never makes one, except with `--max-token-bytes` or by joining vocabularies.

Worth knowing: gaps in the ranks (legal; p50k has one), tokens that are parts of characters, and, given a
corpus, the tokens that do not occur in it: glitch tokens are among these.
"""

import codecs
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization import vocabulary_files
from nlpkit.tokenization.patterns import PATTERNS, pattern_string, split
from nlpkit.tokenization.tokenizer import Tokenizer

_BEFORE = ("", "a", " ", "\n", "1", "!")
_BEHIND = ("", "a", "m", "ll", " ", "\n", "1", "!", "/")
"""What a token is tried beside: a character of each kind that split patterns tell apart, contractions too."""

BATCH_CHARACTERS = 2**22
"""Text encoded at once when a corpus is counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what it is, whether it is wrong, how often, and the ids (or lines) concerned."""

    name: str
    wrong: bool
    sentence: str
    ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Ranks:
    """The lines of a rank file as they are, damaged or not."""

    tokens: Sequence[tuple[bytes, int]]
    damaged: Sequence[tuple[int, str]]  # line number, what is wrong with it


def examine_vocabulary(
    path: Path,
    *,
    pattern: str | None = None,
    corpus: Iterable[str] = (),
    progress: ProgressCallback = no_progress,
) -> list[Finding]:
    """Examine a vocabulary folder, or a `.tiktoken` file and the pattern that it is used with.

    Args:
        path: the folder or file.
        pattern: a name or regex to use instead of the folder's own; needed for a file.
        corpus: texts whose tokens are counted; without any, absent tokens are not sought.
        progress: called with the phases "tokens" and "corpus".

    Raises:
        UsageError: nothing is at `path`, or the pattern is missing or not valid.
        CorruptFileError: `nlpkit.json` is damaged.
    """
    ranks_path, pat_str, special_tokens, expected = _describe(path, pattern)
    content = vocabulary_files.read_bytes(ranks_path)
    ranks = parse_lines(content, ranks_path)
    findings = []
    if expected is not None:
        try:
            vocabulary_files.check_sha256(ranks_path, expected, hashlib.sha256(content).hexdigest())
        except CorruptFileError as error:
            findings.append(Finding("checksum", True, str(error)))
    findings += check_table(ranks, special_tokens)
    if any(finding.wrong for finding in findings):
        return findings  # there is no one vocabulary to examine further
    table = dict(ranks.tokens)
    tokenizer = Tokenizer(path.name, pat_str=pat_str, mergeable_ranks=table, special_tokens=special_tokens)
    return findings + check_tokens(table, pat_str, progress) + find_absent(tokenizer, table, corpus, progress)


def _describe(path: Path, pattern: str | None) -> tuple[Path, str, dict[str, int], str | None]:
    """The rank file, split pattern, special tokens and, where known, the rank file's SHA-256."""
    if path.is_dir():
        description = vocabulary_files.read_bpe_description(path)
        pat_str = description.pat_str if pattern is None else pattern_string(pattern)
        ranks_path = path / vocabulary_files.RANKS_FILE
        return ranks_path, pat_str, description.special_tokens, description.ranks_sha256
    if pattern is None:
        raise UsageError(f"{path} has ranks only: say which pattern it is used with, such as cl100k.")
    return path, pattern_string(pattern), {}, None


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
    """What a table of ranks must fulfil before it can be used at all."""
    findings = []
    if ranks.damaged:
        lines = [number for number, _ in ranks.damaged]
        findings.append(Finding("damaged lines", True, ranks.damaged[0][1], lines))
    by_token: dict[bytes, list[int]] = {}
    by_rank: dict[int, list[bytes]] = {}
    for token, rank in ranks.tokens:
        by_token.setdefault(token, []).append(rank)
        by_rank.setdefault(rank, []).append(token)
    twice = {token: found for token, found in by_token.items() if len(found) > 1}
    if twice:
        token, found = next(iter(twice.items()))
        sentence = f"{len(twice)} tokens come twice, such as {token!r} with ids {found[0]} and {found[1]}."
        findings.append(Finding("duplicate tokens", True, sentence, [f[1] for f in twice.values()]))
    shared = {rank: tokens for rank, tokens in by_rank.items() if len(tokens) > 1}
    if shared:
        rank, tokens = next(iter(shared.items()))
        one, other = tokens[:2]
        sentence = f"{len(shared)} ids stand for several tokens, such as {rank} for {one!r} and {other!r}."
        findings.append(Finding("duplicate ids", True, sentence, list(shared)))
    missing = [value for value in range(256) if bytes([value]) not in by_token]
    if missing:
        sentence = f"{len(missing)} bytes have no token, such as {bytes(missing[:1])!r}: texts can hold them."
        findings.append(Finding("missing bytes", True, sentence, missing))
    return findings + _check_special(by_rank, special_tokens) + _find_gaps(by_rank, special_tokens)


def _check_special(by_rank: Mapping[int, object], special_tokens: Mapping[str, int]) -> list[Finding]:
    findings = []
    collisions = [token for token in special_tokens.values() if token in by_rank]
    if collisions:
        text = next(text for text, token in special_tokens.items() if token == collisions[0])
        sentence = f"special token {text!r} has the id {collisions[0]}, a rank's: it decodes wrongly."
        findings.append(Finding("special token collisions", True, sentence, collisions))
    if "" in special_tokens:
        findings.append(
            Finding("empty special token", True, "a special token is empty.", [special_tokens[""]])
        )
    return findings


def _find_gaps(by_rank: Mapping[int, object], special_tokens: Mapping[str, int]) -> list[Finding]:
    used = sorted({*by_rank, *special_tokens.values()})
    gaps = [(low + 1, high - 1) for low, high in pairwise([-1, *used]) if high - low > 1]
    if not gaps:
        return []
    count = sum(high - low + 1 for low, high in gaps)
    first, last = gaps[0]
    sentence = f"{count} ids below the highest stand for nothing, the first ones {first} to {last}."
    return [Finding("gaps", False, sentence, [low for low, _ in gaps])]


def check_tokens(
    ranks: Mapping[bytes, int], pat_str: str, progress: ProgressCallback = no_progress
) -> list[Finding]:
    """What text can make of each token: impossible, cut, inconsistent; and parts of characters."""
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
        if not merges_to_itself(token, ranks):
            inconsistent.append(rank)
        try:
            text = token.decode()
        except UnicodeDecodeError:
            partial.append(rank)
            continue
        texts.append(text)
        if is_cut(text, pat_str):
            cut.append(rank)
    names = {rank: token for token, rank in ranks.items()}
    findings = []
    if impossible:
        sentence = f"{_such_as(impossible, names)} cannot stand in valid UTF-8: no text gives them."
        findings.append(Finding("impossible tokens", True, sentence, impossible))
    if inconsistent:
        sentence = (
            f"{_such_as(inconsistent, names)} are not what merging their bytes gives: only a piece equal to "
            "one gets its id."
        )
        findings.append(Finding("inconsistent tokens", True, sentence, inconsistent))
    if cut:
        hint = _better(texts, len(cut))
        sentence = f"{_such_as(cut, names)} are cut by the split pattern: no text gives them.{hint}"
        findings.append(Finding("cut tokens", True, sentence, cut))
    if partial:
        sentence = f"{_such_as(partial, names)} hold parts of characters, as usual where bytes merge."
        findings.append(Finding("parts of characters", False, sentence, partial))
    return findings


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


def merges_to_itself(token: bytes, ranks: Mapping[bytes, int]) -> bool:
    """Whether byte-pair merging of the token's own bytes, without a look at the whole, ends in the token."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        joined = [ranks.get(left + right) for left, right in pairwise(parts)]
        known = [rank for rank in joined if rank is not None]
        if not known:
            return False
        at = joined.index(min(known))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
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


def _such_as(ids: Sequence[int], names: Mapping[int, bytes]) -> str:
    shown = ", ".join(f"{rank} {names[rank]!r}" for rank in ids[:3])
    return f"{len(ids)} tokens ({shown}{', …' if len(ids) > 3 else ''})"


def _better(texts: Sequence[str], cut: int) -> str:
    """The known pattern that cuts fewest tokens, where it cuts far fewer than the vocabulary's own."""
    counts = {name: sum(is_cut(text, pat_str) for text in texts) for name, pat_str in PATTERNS.items()}
    best = min(counts, key=lambda name: counts[name])
    if counts[best] * 4 > cut:
        return ""
    return f" The pattern {best} cuts {counts[best]}: was the vocabulary trained with it?"


def find_absent(
    tokenizer: Tokenizer,
    ranks: Mapping[bytes, int],
    corpus: Iterable[str],
    progress: ProgressCallback = no_progress,
) -> list[Finding]:
    """The tokens of several bytes that a corpus never gives; nothing without a corpus."""
    counts = np.zeros(tokenizer.n_vocab, dtype=np.int64)
    characters = 0
    for batch in _batches(corpus):
        characters += sum(map(len, batch))
        counts += np.bincount(tokenizer.encode_documents(batch).ids, minlength=len(counts))
        progress("corpus", characters, 0)
    absent = [rank for token, rank in ranks.items() if len(token) > 1 and counts[rank] == 0]
    if not characters or not absent:
        return []
    names = {rank: token for token, rank in ranks.items()}
    sentence = f"{_such_as(absent, names)} do not occur in the corpus: candidates for glitch tokens."
    return [Finding("absent tokens", False, sentence, absent)]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if sum(map(len, batch)) >= BATCH_CHARACTERS:
            yield batch
            batch = []
    if batch:
        yield batch
