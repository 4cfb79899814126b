"""From files to a vocabulary folder: what `nlpkit tokenizer train`, `pretokenize` and `extend` do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.files import require_file, require_replaceable
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Corpus
from nlpkit.text.batches import gather
from nlpkit.tokenization.patterns import named_scheme, pattern_string
from nlpkit.tokenization.tokenizer import Tokenizer
from nlpkit.tokenization.training.learning import LearntTokens, check_vocab_size, extend_tokens, learn_tokens
from nlpkit.tokenization.training.memory_limit import MemoryLimit
from nlpkit.tokenization.training.merge_limits import NO_LIMITS, MergeLimits
from nlpkit.tokenization.training.pretoken_counts import DEFAULT_SPECIAL_TOKENS, PretokenCounts
from nlpkit.tokenization.training.text import TrainingText, corpus_parts
from nlpkit.tokenization.training.text_parts import TextCutter


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What training came to.

    Attributes:
        vocab_size: the ids of the vocabulary, special tokens included.
        new_tokens: how many tokens were learnt.
        documents: how many were counted.
        text_bytes: the size of their text, each as often as it was weighted.
        bytes_per_token: of the text that `measured_on` names.
        measured_on: "training text" or "held-out text".
        seconds: for everything but the measuring.
    """

    vocab_size: int
    new_tokens: int
    documents: int
    text_bytes: int
    bytes_per_token: float
    measured_on: str
    seconds: float


def train_vocabulary(
    text: TrainingText | Sequence[Path],
    out: Path,
    *,
    vocab_size: int = 32_000,
    pattern: str | None = None,
    special_tokens: Sequence[str] | None = None,
    reserve: int = 0,
    limits: MergeLimits = NO_LIMITS,
    max_memory: int | None = None,
    measure_on: Corpus | None = None,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> TrainingSummary:
    """Train a byte-pair vocabulary and write its folder, whole or not at all.

    Args:
        text: what to train on, or counts files of `pretokenize_text`.
        out: the folder to write; an existing one is replaced.
        vocab_size: the number of ids: bytes, merges, special and reserved tokens together.
        pattern: the split pattern, by name or as a regex; None is the counts files' own, or cl100k.
        special_tokens: their ids follow the tokens', in this order; None is the counts files' own, or
            `<|endoftext|>`. Where they stand in a text they bound pre-tokens and are left out.
        reserve: how many special tokens `<|reserved_0|>`, `<|reserved_1|>`, … to add behind these.
        limits: what is not merged.
        max_memory: bytes that counting and merging may take above what the process held; None is no limit.
        measure_on: other text to measure the bytes per token on; None is the share of `text` that is held
            out, or else the training text.
        threads: 0 means all. The vocabulary is the same for any number.
        progress: called with the phases "counting", "adding up", "merging" and "measuring".

    Raises:
        UsageError: an argument is invalid.
        NlpkitError: the text offers fewer merges than asked for, there is no text, or too little memory.
        CorruptFileError: a file is damaged.
    """
    started = time.perf_counter()
    _check_measure(text, measure_on)
    require_replaceable(Path(out))
    reserved = [f"<|reserved_{place}|>" for place in range(reserve)]
    if isinstance(text, TrainingText):
        special_tokens = DEFAULT_SPECIAL_TOKENS if special_tokens is None else special_tokens
        check_vocab_size(vocab_size, [*special_tokens, *reserved])
        pattern = "cl100k" if pattern is None else pattern
        counts = PretokenCounts(pattern, special_tokens=special_tokens, max_memory=max_memory)
        text.count(counts, threads=threads, progress=progress)
    else:
        counts = PretokenCounts.load(text, max_memory=max_memory)
        _check_rules(counts, text, pattern, special_tokens)
    specials = [*counts.special_tokens, *reserved]
    learnt = learn_tokens(
        counts, vocab_size=vocab_size, special_tokens=specials, limits=limits, progress=progress
    )
    tokenizer = Tokenizer.from_tokens(
        Path(out).name, learnt.tokens, pattern=counts.pat_str, special_tokens=specials
    )
    tokenizer.save(out)
    seconds = time.perf_counter() - started
    bytes_per_token = _measure(tokenizer, text, measure_on, max_memory, threads, progress)
    return _summary(tokenizer, learnt, len(learnt.tokens) - 256, counts.documents, bytes_per_token, seconds)


def _check_rules(
    counts: PretokenCounts, files: Sequence[Path], pattern: str | None, special_tokens: Sequence[str] | None
) -> None:
    """Refuse counts that were made with another pattern or other special tokens than asked for."""
    if pattern is not None and pattern_string(pattern) != counts.pat_str:
        raise NlpkitError(f"{files[0]} was counted with another split pattern: count the text again.")
    if special_tokens is not None and tuple(special_tokens) != counts.special_tokens:
        raise NlpkitError(
            f"{files[0]} was counted with the special tokens {', '.join(counts.special_tokens) or 'none'}: "
            "count the text again with the ones that you want."
        )


def pretokenize_text(
    text: TrainingText,
    out: Path,
    *,
    pattern: str = "cl100k",
    special_tokens: Sequence[str] = DEFAULT_SPECIAL_TOKENS,
    max_memory: int | None = None,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> int:
    """Count the pre-tokens of a text into a counts file, whole or not at all; returns the documents read.

    Args:
        text: what to count.
        out: the file to write.
        pattern: the split pattern, by name or as a regex.
        special_tokens: texts that are left out and bound pre-tokens.
        max_memory: bytes that counting may take above what the process held; None is no limit.
        threads: 0 means all; the file is the same for any number.
        progress: called with the phase "counting".

    Raises:
        UsageError: an argument is invalid.
        NlpkitError: there is no text.
        CorruptFileError: a file is damaged.
    """
    require_file(Path(out))
    check_vocab_size(256 + len(special_tokens), special_tokens)
    counts = PretokenCounts(pattern, special_tokens=special_tokens, max_memory=max_memory)
    text.count(counts, threads=threads, progress=progress)
    counts.save(out)
    return counts.documents


def extend_vocabulary(
    vocabulary: Tokenizer,
    text: TrainingText | Sequence[Path],
    out: Path,
    *,
    add: int,
    limits: MergeLimits = NO_LIMITS,
    max_memory: int | None = None,
    measure_on: Corpus | None = None,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> TrainingSummary:
    """Add tokens to a vocabulary: all its ids stay, the new ones follow the highest in use.

    Args:
        vocabulary: the one to extend. Its special tokens keep their ids, so that the ranks have a gap there.
        text: what to learn from, or counts files with the vocabulary's pattern.
        out: the folder to write; an existing one is replaced.
        add: how many tokens to add.
        limits: what is not merged.
        max_memory: as in `train_vocabulary`.
        measure_on: as in `train_vocabulary`.
        threads: 0 means all.
        progress: as in `train_vocabulary`.

    Raises:
        UsageError: an argument is invalid.
        NlpkitError: the text offers fewer merges than asked for, or counts were made with another pattern.
        CorruptFileError: a file is damaged.
    """
    started = time.perf_counter()
    _check_measure(text, measure_on)
    require_replaceable(Path(out))
    if isinstance(text, TrainingText):
        special_tokens = tuple(vocabulary._special_tokens)
        counts = PretokenCounts(vocabulary._pat_str, special_tokens=special_tokens, max_memory=max_memory)
        text.count(counts, threads=threads, progress=progress)
    else:
        counts = PretokenCounts.load(text, max_memory=max_memory)
        _check_rules(counts, text, vocabulary._pat_str, None)
    ranks = vocabulary._mergeable_ranks
    first_id = vocabulary.n_vocab
    learnt = extend_tokens(counts, ranks, first_id=first_id, add=add, limits=limits, progress=progress)
    new = {token: id for id, token in enumerate(learnt.tokens, start=first_id)}
    extended = Tokenizer(
        Path(out).name,
        pat_str=vocabulary._pat_str,
        mergeable_ranks={**ranks, **new},
        special_tokens=vocabulary._special_tokens,
    )
    extended.save(out)
    seconds = time.perf_counter() - started
    bytes_per_token = _measure(extended, text, measure_on, max_memory, threads, progress)
    return _summary(extended, learnt, add, counts.documents, bytes_per_token, seconds)


def _check_measure(text: TrainingText | Sequence[Path], measure_on: Corpus | None) -> None:
    if measure_on is not None and isinstance(text, TrainingText) and text.holds_out:
        raise UsageError("--held-out and --measure-on both name what to measure on: give one of them.")
    if measure_on is not None:
        next(measure_on.parts())  # what cannot be read is told before the work


def _measure(
    tokenizer: Tokenizer,
    text: TrainingText | Sequence[Path],
    measure_on: Corpus | None,
    max_memory: int | None,
    threads: int,
    progress: ProgressCallback,
) -> float | None:
    """Bytes per token on text that was not trained on; None where there is none."""
    if isinstance(text, TrainingText) and text.holds_out:
        parts = text.held_out_parts()
    elif measure_on is not None:
        parts = corpus_parts(measure_on)
    else:
        return None
    cutter = TextCutter((), cut=named_scheme(tokenizer._pat_str) is not None)
    tokens = text_bytes = 0
    for batch in gather(cutter.texts(parts, 0), lambda text: text.size, MemoryLimit(max_memory).batch):
        pieces = [piece for text in batch for piece in text.pieces]
        texts = [piece if isinstance(piece, str) else piece.decode() for piece in pieces]
        tokens += len(tokenizer.encode_documents(texts, threads=threads).ids)
        text_bytes += sum(text.size for text in batch)
        progress("measuring", text_bytes, 0)
    return text_bytes / tokens if tokens else 0.0


def _summary(
    tokenizer: Tokenizer,
    learnt: LearntTokens,
    new_tokens: int,
    documents: int,
    bytes_per_token: float | None,
    seconds: float,
) -> TrainingSummary:
    measured_on = "held-out text"
    if bytes_per_token is None:
        measured_on = "training text"
        bytes_per_token = learnt.text_bytes / max(1, learnt.text_tokens)
    return TrainingSummary(
        tokenizer.n_vocab, new_tokens, documents, learnt.text_bytes, bytes_per_token, measured_on, seconds
    )
