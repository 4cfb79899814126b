"""What a comparison of vocabularies says: sums over texts, and the ratios that follow.

Bytes per token is what a vocabulary saves. Fertility, tokens per word, is what linguists quote (Rust et
al. 2021, "How Good is Your Tokenizer?"); it is taken over the scripts that put spaces between words, and
tokens per character stand in for it elsewhere. Coverage is the share of characters that no token cuts, or of
words that are known. Rényi efficiency (Zouhar et al. 2023, "Tokenization and the Noiseless Channel") is the
Rényi entropy of order 2.5 of how often each token is used, over the logarithm of the vocabulary's size: 1
where all are used equally, lower where a few do most of the work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

RENYI_ORDER = 2.5
"""The order that Zouhar et al. found to go best with translation quality."""

LEAST_TIMED_BYTES = 2**20
"""Of less text most of the time goes into making and loading tables: no speed is told."""

UNSPACED_SCRIPTS = frozenset(
    [
        *("Han", "Japanese", "Bopomofo", "Yi", "Tangut", "Nushu", "Khitan Small Script"),
        *("Thai", "Lao", "Khmer", "Myanmar", "Tai Le", "New Tai Lue", "Tai Tham", "Tai Viet", "Ahom"),
        *("Tibetan", "Javanese", "Balinese"),
    ]
)
"""Scripts without spaces between words: those whose lines break between ideographs or by a dictionary
(classes ID and SA of UAX #14), and Tibetan, Javanese and Balinese."""


@dataclass(slots=True)
class TextFigures:
    """What one vocabulary makes of some texts.

    Attributes:
        tokens: their number.
        text_bytes: the texts in UTF-8.
        characters: code points.
        words: stretches between white space, cut where the script changes; of scripts that have spaces alone.
        word_tokens: the tokens in such scripts.
        coverable: characters, or for a vocabulary of words the units that it looks up.
        uncovered: those of them that end up in several tokens, or that the vocabulary lacks.
    """

    tokens: int = 0
    text_bytes: int = 0
    characters: int = 0
    words: int = 0
    word_tokens: int = 0
    coverable: int = 0
    uncovered: int = 0

    @property
    def bytes_per_token(self) -> float:
        """Bytes of UTF-8 that a token stands for; 0 without tokens."""
        return self.text_bytes / max(1, self.tokens)

    @property
    def characters_per_token(self) -> float:
        """Characters that a token stands for; 0 without tokens."""
        return self.characters / max(1, self.tokens)

    @property
    def fertility(self) -> float | None:
        """Tokens per word; None where no script puts spaces between words."""
        return self.word_tokens / self.words if self.words else None

    @property
    def coverage(self) -> float:
        """The share of what could be covered that is; 1 of nothing."""
        return 1 - self.uncovered / max(1, self.coverable)

    def add(self, other: "TextFigures") -> None:
        """Make these the figures of both texts."""
        self.tokens += other.tokens
        self.text_bytes += other.text_bytes
        self.characters += other.characters
        self.words += other.words
        self.word_tokens += other.word_tokens
        self.coverable += other.coverable
        self.uncovered += other.uncovered

    def as_json(self) -> dict[str, float | None]:
        """Sums and ratios."""
        ratios = ("bytes_per_token", "characters_per_token", "fertility", "coverage")
        return asdict(self) | {name: getattr(self, name) for name in ratios}


@dataclass(frozen=True, slots=True)
class VocabularyFigures:
    """What one vocabulary makes of a corpus.

    Attributes:
        name: of the vocabulary.
        kind: "bpe" or "words".
        n_vocab: its size.
        total: over the whole corpus.
        scripts: by script, that with most text first.
        sources: by file, in the order of the corpus.
        token_lengths: at index n, how many tokens of the corpus have n bytes, unknown words left out.
        used: how many different ids occur.
        renyi_efficiency: see the module; 0 without tokens.
        seconds: what encoding took by the clock, from an empty cache on.
        cpu_seconds: the same in time of processors, all threads together.
    """

    name: str
    kind: str
    n_vocab: int
    total: TextFigures
    scripts: Mapping[str, TextFigures]
    sources: Mapping[str, TextFigures]
    token_lengths: Sequence[int]
    used: int
    renyi_efficiency: float
    seconds: float
    cpu_seconds: float

    @property
    def megabytes_per_second(self) -> float | None:
        """Text encoded in a second, in millions of bytes; None where there was too little to tell."""
        if self.total.text_bytes < LEAST_TIMED_BYTES:
            return None
        return self.total.text_bytes / 1e6 / self.seconds

    @property
    def megabytes_per_cpu_second(self) -> float | None:
        """The same by time of processors, which other work on the machine changes less."""
        if self.total.text_bytes < LEAST_TIMED_BYTES:
            return None
        return self.total.text_bytes / 1e6 / self.cpu_seconds

    @property
    def used_share(self) -> float:
        """The share of the vocabulary that occurs."""
        return self.used / self.n_vocab

    def as_json(self) -> dict[str, Any]:
        """All of it, parts by name."""
        return {
            "name": self.name,
            "kind": self.kind,
            "n_vocab": self.n_vocab,
            "total": self.total.as_json(),
            "used": self.used,
            "used_share": self.used_share,
            "renyi_efficiency": self.renyi_efficiency,
            "seconds": self.seconds,
            "megabytes_per_second": self.megabytes_per_second,
            "cpu_seconds": self.cpu_seconds,
            "megabytes_per_cpu_second": self.megabytes_per_cpu_second,
            "token_lengths": list(self.token_lengths),
            "scripts": {name: figures.as_json() for name, figures in self.scripts.items()},
            "sources": {name: figures.as_json() for name, figures in self.sources.items()},
        }


@dataclass(frozen=True, slots=True)
class Passage:
    """A short stretch of text that costs a vocabulary many tokens.

    Attributes:
        source: the file.
        script: the one that most of it is in.
        text: the stretch.
        text_bytes: its size.
        tokens: how many each vocabulary needs.
        worst_of: the places of the vocabularies that do worst here.
    """

    source: str
    script: str
    text: str
    text_bytes: int
    tokens: Sequence[int]
    worst_of: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several vocabularies on one corpus.

    Attributes:
        vocabularies: the figures of each.
        shared_tokens: how many tokens each two have in common; on the diagonal, how many each has.
        passages: where the vocabularies need most tokens for their bytes, worst first.
        documents: of the corpus.
        threads: that encoded.
    """

    vocabularies: Sequence[VocabularyFigures]
    shared_tokens: Sequence[Sequence[int]]
    passages: Sequence[Passage] = field(default_factory=list)
    documents: int = 0
    threads: int = 1

    @property
    def text_bytes(self) -> int:
        """Of the corpus."""
        return self.vocabularies[0].total.text_bytes

    @property
    def speed_measured(self) -> str:
        """What the figures of speed stand for, in words."""
        if self.text_bytes < LEAST_TIMED_BYTES:
            return f"not told from less than {LEAST_TIMED_BYTES / 1e6:.0f} MB of text"
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        return (
            f"{self.text_bytes / 1e6:,.1f} MB of text in memory to arrays of ids on {threads}, by the clock, "
            "each vocabulary from an empty cache on"
        )

    def as_json(self) -> dict[str, Any]:
        """All of it, for machines."""
        return {
            "documents": self.documents,
            "text_bytes": self.text_bytes,
            "threads": self.threads,
            "vocabularies": [vocabulary.as_json() for vocabulary in self.vocabularies],
            "shared_tokens": [list(row) for row in self.shared_tokens],
            "passages": [asdict(passage) for passage in self.passages],
        }


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
