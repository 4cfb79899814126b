"""Training a byte-pair vocabulary: count the pre-tokens of a text, then merge the most frequent pairs.

Exact and deterministic: the merges equal those of Hugging Face's `BpeTrainer` on the same documents, and do
not depend on the number of threads, the order of the documents or how they are divided into calls. A document
bounds pre-tokens: two texts give the same counts from one file or from two, but not when joined to one
document. The loops are compiled; `reference.py` is the same in plain Python. See docs/bpe-training.md.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from nlpkit._core import PretokenCounts
from nlpkit.errors import NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization.byte_order import GPT2_BYTE_ORDER
from nlpkit.tokenization.patterns import named_scheme, pattern_string, split

_BATCH = 1 << 23  # characters handed to the core at a time: enough for its threads, little beside the text


def train_bpe(
    documents: Iterable[str],
    *,
    vocab_size: int,
    pattern: str = "cl100k",
    special_tokens: Sequence[str] = ("<|endoftext|>",),
    min_count: int = 1,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> list[bytes]:
    """Learn a vocabulary from texts.

    Args:
        documents: the texts, read once; none of them is kept.
        vocab_size: the number of ids: 256 bytes, merges and special tokens together.
        pattern: the split pattern, by name or as a regex.
        special_tokens: names that will get ids after the tokens; they only take their share of `vocab_size`.
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
    counts = count_pretokens(documents, pattern=pattern, threads=threads, progress=progress)
    return learn_tokens(
        counts, vocab_size=vocab_size, special_tokens=special_tokens, min_count=min_count, progress=progress
    )


def check_vocab_size(vocab_size: int, special_tokens: Sequence[str]) -> None:
    """Refuse special tokens that are empty or given twice, and a vocabulary too small to hold the bytes."""
    if "" in special_tokens:
        raise UsageError("a special token is empty: give each one a text.")
    twice = [token for token, times in Counter(special_tokens).items() if times > 1]
    if twice:
        raise UsageError(f"special token {twice[0]!r} is given twice: give it once.")
    least = 256 + len(special_tokens)
    if vocab_size < least:
        raise UsageError(
            f"--vocab-size {vocab_size} is too small: 256 bytes and {len(special_tokens)} special tokens "
            f"need at least {least}."
        )


def count_pretokens(
    documents: Iterable[str],
    *,
    pattern: str = "cl100k",
    weight: int = 1,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
    into: PretokenCounts | None = None,
) -> PretokenCounts:
    """Count the pre-tokens of texts, each `weight` times, in new counts or in addition to those of `into`.

    Raises:
        UsageError: the pattern is not valid.
        NlpkitError: a text holds a lone surrogate, or the pattern does not cover it.
    """
    pat_str = pattern_string(pattern)
    scheme = named_scheme(pat_str)
    counts = PretokenCounts() if into is None else into
    done = 0

    def report(batch_done: int, batch_total: int) -> None:
        progress("counting", done + batch_done, 0)

    for first, batch in _batches(documents):
        try:
            if scheme is None:
                pieces = Counter(piece for document in batch for piece in split(document, pat_str))
                done += counts.add_pieces(list(pieces), [weight * times for times in pieces.values()])
            else:
                done += counts.add_documents(batch, scheme, weight, threads, report)
        except UnicodeEncodeError as error:
            number = first + next(i for i, document in enumerate(batch) if document == error.object)
            raise NlpkitError(
                f"document {number + 1} holds the lone surrogate U+{ord(error.object[error.start]):04X} at "
                f"character {error.start}, which UTF-8 cannot express: mend or leave out the document."
            ) from error
        report(0, 0)
    return counts


def _batches(documents: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The documents in lists of about `_BATCH` characters, each with the number of its first document."""
    first = size = 0
    batch: list[str] = []
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _BATCH:
            yield first, batch
            first += len(batch)
            size, batch = 0, []
    if batch:
        yield first, batch


def learn_tokens(
    counts: PretokenCounts,
    *,
    vocab_size: int,
    special_tokens: Sequence[str] = ("<|endoftext|>",),
    min_count: int = 1,
    progress: ProgressCallback = no_progress,
) -> list[bytes]:
    """Learn a vocabulary from counted pre-tokens: arguments, result and errors as in `train_bpe`."""
    check_vocab_size(vocab_size, special_tokens)
    if min_count < 1:
        raise UsageError(f"--min-count {min_count} is too small: a merge needs at least 1 occurrence.")
    wanted = vocab_size - 256 - len(special_tokens)
    merges = counts.learn_merges(wanted, min_count, lambda done, total: progress("merging", done, total))
    if len(merges) < wanted:
        reason = f"pairs that occur {min_count} times" if min_count > 1 else "pairs to merge"
        raise NlpkitError(
            f"the text runs out of {reason} after {len(merges)} merges: ask for --vocab-size "
            f"{256 + len(merges) + len(special_tokens)} at most, or give more text."
        )
    tokens = list(GPT2_BYTE_ORDER)
    for left, right in merges.tolist():
        tokens.append(tokens[left] + tokens[right])
    return tokens
