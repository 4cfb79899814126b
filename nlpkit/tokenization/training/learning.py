"""Training a byte-pair vocabulary: count the pre-tokens of a text, then merge the most frequent pairs.

Exact and deterministic: the merges equal those of Hugging Face's `BpeTrainer` on the same documents, and do
not depend on the number of threads, the order of the documents or how they are divided into calls. A document
bounds pre-tokens: two texts give the same counts from one file or from two, but not when joined to one
document. The loops are compiled; `reference.py` is the same in plain Python. See docs/bpe-training.md.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nlpkit._core import MAX_TOKENS
from nlpkit.errors import NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization.byte_order import GPT2_BYTE_ORDER
from nlpkit.tokenization.training.merge_limits import NO_LIMITS, MergeLimits
from nlpkit.tokenization.training.pretoken_counts import DEFAULT_SPECIAL_TOKENS, PretokenCounts


@dataclass(frozen=True, slots=True)
class LearntTokens:
    """What training found.

    Attributes:
        tokens: in order of rank.
        text_bytes: the size of the text in UTF-8, each part as often as it was weighted.
        text_tokens: how many tokens the same text has in this vocabulary.
    """

    tokens: list[bytes]
    text_bytes: int
    text_tokens: int


def train_bpe(
    documents: Iterable[str],
    *,
    vocab_size: int,
    pattern: str = "cl100k",
    special_tokens: Sequence[str] = DEFAULT_SPECIAL_TOKENS,
    min_count: int = 1,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> list[bytes]:
    """Learn a vocabulary from texts.

    Args:
        documents: the texts, read once; none of them is kept.
        vocab_size: the number of ids: 256 bytes, merges and special tokens together.
        pattern: the split pattern, by name or as a regex.
        special_tokens: names that will get ids after the tokens; where they stand in a text they bound
            pre-tokens and are left out.
        min_count: a pair must occur this often to be merged (1 is the default of Hugging Face's trainer too).
        threads: for counting; 0 takes all that this process may run on.
        progress: called with the phases "counting" (bytes read) and "merging" (merges made).

    Returns:
        The tokens in order of rank: the 256 bytes in GPT-2's order, then one a merge.

    Raises:
        UsageError: `vocab_size` is too small, or an argument is invalid.
        NlpkitError: the texts offer fewer merges than asked for, or a text cannot be encoded as UTF-8.
    """
    check_vocab_size(vocab_size, special_tokens)
    limits = MergeLimits(min_count)
    counts = PretokenCounts(pattern, special_tokens=special_tokens)
    counts.add(documents, threads=threads, progress=progress)
    return learn_tokens(
        counts,
        vocab_size=vocab_size,
        special_tokens=special_tokens,
        limits=limits,
        progress=progress,
    ).tokens


def check_vocab_size(vocab_size: int, special_tokens: Sequence[str]) -> None:
    """Refuse special tokens that are empty, given twice or no text, and a vocabulary too small or too large.

    Raises:
        UsageError: any of these.
    """
    if "" in special_tokens:
        raise UsageError("a special token is empty: give each one a text.")
    twice = [token for token, times in Counter(special_tokens).items() if times > 1]
    if twice:
        raise UsageError(f"special token {twice[0]!r} is given twice: give it once.")
    for token in special_tokens:
        if not token.isascii() and any("\ud800" <= character <= "\udfff" for character in token):
            raise UsageError(f"special token {token!r} is not valid UTF-8: no text can hold it.")
    least, most = 256 + len(special_tokens), MAX_TOKENS + len(special_tokens)
    if vocab_size < least:
        raise UsageError(
            f"--vocab-size {vocab_size} is too small: 256 bytes and {len(special_tokens)} special tokens "
            f"need at least {least}."
        )
    if vocab_size > most:
        raise UsageError(f"--vocab-size {vocab_size} is too large: give at most {most}.")


def learn_tokens(
    counts: PretokenCounts,
    *,
    vocab_size: int,
    special_tokens: Sequence[str] = DEFAULT_SPECIAL_TOKENS,
    limits: MergeLimits = NO_LIMITS,
    progress: ProgressCallback = no_progress,
) -> LearntTokens:
    """Learn a vocabulary from counted pre-tokens.

    Args:
        counts: of the texts.
        vocab_size: as in `train_bpe`.
        special_tokens: as in `train_bpe`.
        limits: what is not merged.
        progress: called with the phase "merging".

    Raises:
        UsageError: an argument is too small.
        NlpkitError: the text offers fewer merges than asked for; names the largest `vocab_size` possible.
            Or the memory that `counts` allows is too little.
    """
    check_vocab_size(vocab_size, special_tokens)
    wanted = vocab_size - 256 - len(special_tokens)
    base = {token: rank for rank, token in enumerate(GPT2_BYTE_ORDER)}
    learnt = _learn(counts, wanted, limits, base, None, 256, progress)
    if (found := len(learnt.tokens)) < wanted:
        raise NlpkitError(
            f"the text runs out of {limits} after {found} merges: ask for --vocab-size "
            f"{256 + found + len(special_tokens)} at most, or give more text."
        )
    return replace(learnt, tokens=[*GPT2_BYTE_ORDER, *learnt.tokens])


def extend_tokens(
    counts: PretokenCounts,
    ranks: dict[bytes, int],
    *,
    first_id: int,
    add: int,
    limits: MergeLimits = NO_LIMITS,
    progress: ProgressCallback = no_progress,
) -> LearntTokens:
    """Learn further tokens on top of a vocabulary, as if its training went on with this text.

    Args:
        counts: of the texts, with the vocabulary's pattern.
        ranks: the vocabulary.
        first_id: the first new token's id, above every id in use; the next ones follow it.
        add: how many tokens to add.
        limits: what is not merged.
        progress: called with the phase "merging".

    Returns:
        The new tokens alone, in order.

    Raises:
        UsageError: an argument is too small.
        NlpkitError: the text offers fewer merges than asked for, or makes a token that the vocabulary has,
            which happens only where `ranks` cannot come from training.
    """
    if add < 1:
        raise UsageError(f"--add {add} is too small: give the number of tokens to add.")
    if len(ranks) + add > MAX_TOKENS:
        raise UsageError(f"--add {add} is too large: give at most {MAX_TOKENS - len(ranks)}.")
    learnt = _learn(counts, add, limits, ranks, ranks, first_id, progress)
    if (found := len(learnt.tokens)) < add:
        raise NlpkitError(
            f"the text runs out of {limits} after {found} merges: ask for --add {found} at most, or give "
            "more text."
        )
    again = [token for token, times in Counter([*ranks, *learnt.tokens]).items() if times > 1]
    if again:
        raise NlpkitError(
            f"the vocabulary cannot be extended: its own merges do not make the token {again[0]!r}, which "
            "came up again (`nlpkit tokenizer doctor` shows such tokens)."
        )
    return learnt


def _learn(
    counts: PretokenCounts,
    wanted: int,
    limits: MergeLimits,
    base: dict[bytes, int],
    ranks: dict[bytes, int] | None,
    first_id: int,
    progress: ProgressCallback,
) -> LearntTokens:
    """The tokens learnt on top of `base`; `ranks` is None where that is the bytes."""
    merges, text_tokens, text_bytes = counts.learn_merges(
        wanted, limits, ranks=ranks, first_id=first_id, progress=progress
    )
    tokens = {rank: token for token, rank in base.items()}
    learnt = []
    for new, (left, right) in enumerate(merges.tolist(), start=first_id):
        tokens[new] = tokens[left] + tokens[right]
        learnt.append(tokens[new])
    return LearntTokens(learnt, text_bytes, text_tokens)
