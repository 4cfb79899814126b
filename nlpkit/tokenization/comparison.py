"""Vocabularies on the same texts: how many tokens, of what kind, and how evenly used.

Bytes per token is what a vocabulary saves; fertility, tokens per word, is what linguists quote (Rust et al.
2021, "How Good is Your Tokenizer?"). Words are stretches between white space, so that fertility says little
of scripts without spaces. Rényi efficiency (Zouhar et al. 2023, "Tokenization and the Noiseless Channel") is
the Rényi entropy of order 2.5 of how often each token is used, over the logarithm of the vocabulary's size: 1
where all are used equally, lower where a few do most of the work.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Document
from nlpkit.tokenization.counting import batches, file_of
from nlpkit.tokenization.encoding import utf8_size
from nlpkit.tokenization.vocabulary import Vocabulary

RENYI_ORDER = 2.5
"""The order that Zouhar et al. found to go best with translation quality."""


@dataclass(slots=True)
class SourceFigures:
    """What one vocabulary makes of one source, or of all: sums, and the ratios that follow."""

    tokens: int = 0
    text_bytes: int = 0
    characters: int = 0
    words: int = 0

    @property
    def bytes_per_token(self) -> float:
        """Bytes of UTF-8 that a token stands for."""
        return self.text_bytes / max(1, self.tokens)

    @property
    def characters_per_token(self) -> float:
        """Characters that a token stands for."""
        return self.characters / max(1, self.tokens)

    @property
    def fertility(self) -> float:
        """Tokens per word, a stretch between white space."""
        return self.tokens / max(1, self.words)


@dataclass(frozen=True, slots=True)
class VocabularyFigures:
    """What one vocabulary makes of a corpus.

    Attributes:
        name: of the vocabulary.
        n_vocab: its size.
        total: over the whole corpus.
        sources: by file.
        single_byte: the share of the tokens that are one byte beyond ASCII, of a character that it lacks.
        used: how many different ids occur.
        renyi_efficiency: see the module; 0 without tokens.
        seconds: what encoding took by the clock, from an empty cache on.
    """

    name: str
    n_vocab: int
    total: SourceFigures
    sources: dict[str, SourceFigures]
    single_byte: float
    used: int
    renyi_efficiency: float
    seconds: float

    @property
    def megabytes_per_second(self) -> float:
        """Text encoded in a second, in millions of bytes; 0 without text."""
        return self.total.text_bytes / 1e6 / self.seconds if self.seconds else 0.0

    @property
    def used_share(self) -> float:
        """The share of the vocabulary that occurs."""
        return self.used / self.n_vocab


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several vocabularies on one corpus, and how many tokens each two share."""

    vocabularies: Sequence[VocabularyFigures]
    shared_tokens: Sequence[Sequence[int]]


def compare_vocabularies(
    vocabularies: Sequence[Vocabulary],
    corpus: Iterable[Document],
    *,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> Comparison:
    """Encode a corpus with several vocabularies and compare.

    Args:
        vocabularies: two or more.
        corpus: the documents, read once; those of one file are one source.
        threads: 0 means all.
        progress: called with the phase "compare" and the bytes of text done.
    """
    counts = [np.zeros(vocabulary.n_vocab, dtype=np.int64) for vocabulary in vocabularies]
    sources: list[dict[str, SourceFigures]] = [{} for _ in vocabularies]
    seconds = [0.0] * len(vocabularies)
    done = 0
    for batch in batches(corpus):
        texts = [document.text for document in batch]
        sizes = [_sizes(text) for text in texts]
        for place, vocabulary in enumerate(vocabularies):
            started = time.perf_counter()
            encoded = vocabulary.encode_documents(texts, threads=threads)
            seconds[place] += time.perf_counter() - started
            counts[place] += np.bincount(encoded.ids, minlength=vocabulary.n_vocab)
            _add(sources[place], batch, sizes, encoded.offsets)
        done += sum(size.text_bytes for size in sizes)
        progress("compare", done, 0)
    results = [
        _figures(vocabulary, counts[place], sources[place], seconds[place])
        for place, vocabulary in enumerate(vocabularies)
    ]
    return Comparison(results, _shared_tokens(vocabularies))


def _sizes(text: str) -> SourceFigures:
    return SourceFigures(0, utf8_size(text), len(text), len(text.split()))


def _add(
    figures: dict[str, SourceFigures],
    batch: Sequence[Document],
    sizes: Sequence[SourceFigures],
    offsets: npt.NDArray[np.uint64],
) -> None:
    """Add the documents of a batch to the figures of their files."""
    tokens = np.diff(offsets).tolist()
    for document, size, count in zip(batch, sizes, tokens, strict=True):
        figure = figures.setdefault(file_of(document.source), SourceFigures())
        figure.tokens += count
        figure.text_bytes += size.text_bytes
        figure.characters += size.characters
        figure.words += size.words


def _figures(
    vocabulary: Vocabulary,
    counts: npt.NDArray[np.int64],
    sources: dict[str, SourceFigures],
    seconds: float,
) -> VocabularyFigures:
    total = SourceFigures()
    for figure in sources.values():
        total.tokens += figure.tokens
        total.text_bytes += figure.text_bytes
        total.characters += figure.characters
        total.words += figure.words
    used = np.flatnonzero(counts)
    partial = [token for token in used.tolist() if _is_partial_byte(vocabulary, token)]
    return VocabularyFigures(
        name=vocabulary.name,
        n_vocab=vocabulary.n_vocab,
        total=total,
        sources=sources,
        single_byte=float(counts[partial].sum()) / max(1, total.tokens),
        used=len(used),
        renyi_efficiency=renyi_efficiency(counts),
        seconds=seconds,
    )


def _is_partial_byte(vocabulary: Vocabulary, token: int) -> bool:
    content = vocabulary.decode_single_token_bytes(token)
    return len(content) == 1 and content[0] >= 0x80


def renyi_efficiency(counts: npt.NDArray[np.int64], order: float = RENYI_ORDER) -> float:
    """The Rényi entropy of how often each id occurs, over the logarithm of how many ids there are.

    H_a(p) = log(sum_i p_i^a) / (1 - a), and the efficiency is H_a(p) / log |V| (Zouhar et al. 2023).

    >>> renyi_efficiency(np.array([5, 5, 5, 5]))
    1.0
    """
    total = counts.sum()
    if total == 0 or len(counts) < 2:
        return 0.0
    shares = counts[counts > 0] / total
    entropy = np.log(np.sum(shares**order)) / (1 - order)
    return float(entropy / np.log(len(counts)))


def _shared_tokens(vocabularies: Sequence[Vocabulary]) -> list[list[int]]:
    """How many tokens each two have in common, special ones aside; on the diagonal, how many each has."""
    contents = [set(_contents(vocabulary)) for vocabulary in vocabularies]
    return [[len(one & other) for other in contents] for one in contents]


def _contents(vocabulary: Vocabulary) -> Iterator[bytes]:
    """The bytes of every id that stands for something and is not special."""
    for token in range(vocabulary.n_vocab):
        if vocabulary.is_special_token(token):
            continue
        try:
            yield vocabulary.decode_single_token_bytes(token)
        except KeyError:
            continue  # a gap
