"""Phrases: pairs of words that come together far more often than by chance become one word.

The pre-pass of Mikolov et al. 2013, section 4, over shards of words: it reads a folder of `encode_corpus` and
writes another one whose vocabulary has the phrases. A pair scores

    score(a, b) = (count(a b) - delta) / (count(a) count(b)) * T                (equation 6, times T)

with T the words of the corpus, as in the 2013 C code's word2phrase; pairs past the threshold are joined from
the left, and a word joins one phrase only. Several passes make longer phrases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.files import atomic_folder
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import ShardWriter, TokenShards
from nlpkit.tokenization import WordVocabulary, load_vocabulary

SEPARATOR = "_"
"""Between the words of a phrase, as in word2phrase and gensim."""

PHASE = "finding phrases"

IDS_AT_ONCE = 2**22
"""Ids read, joined and written at a time, and the rest of their last document."""

Ids = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two words (or earlier phrases) that were joined."""

    first: str
    second: str
    count: int
    score: float

    @property
    def text(self) -> str:
        """The word that they become."""
        return f"{self.first}{SEPARATOR}{self.second}"


def join_phrases(
    shards: str | Path,
    out: str | Path,
    *,
    delta: int = 5,
    threshold: float = 100.0,
    passes: int = 1,
    progress: ProgressCallback = no_progress,
) -> list[Phrase]:
    """Write the shards of words in `shards` to `out` with frequent pairs joined.

    Phrases are found in `train`; held-out text is joined with the same ones. Words that are left in no place
    of their own leave the vocabulary.

    Args:
        shards: a folder of `encode_corpus` with a vocabulary of words.
        out: the folder to write; replaced as a whole.
        delta: taken off the count of a pair, so that chance pairs of rare words score nothing (5, as in
            word2phrase).
        threshold: the least score of a phrase (100, word2phrase's); less makes more phrases.
        passes: how often to join: phrases of up to 2^passes words.
        progress: called with the ids done.

    Returns:
        The phrases of all passes, those of the last one last, by falling score.

    Raises:
        UsageError: an option is out of range, or `shards` holds no words.
        NlpkitError: no pair scores enough.
    """
    if delta < 0:
        raise UsageError(f"--delta must be 0 or above, not {delta}.")
    if not threshold > 0:
        raise UsageError(f"--threshold must be above 0, not {threshold}.")
    if passes < 1:
        raise UsageError(f"--passes must be at least 1, not {passes}.")
    folder = Path(shards)
    vocabulary = load_vocabulary(folder / "vocabulary")
    if not isinstance(vocabulary, WordVocabulary) or vocabulary.unit != "word":
        raise UsageError(
            f"{folder} holds no words: make its vocabulary with `nlpkit tokenizer train --kind words`."
        )
    train = TokenShards(folder / "train", fingerprint=vocabulary.fingerprint)
    joins = _Joins(vocabulary)
    for done in range(passes):
        joins.learn(train, delta, threshold)
        progress(PHASE, (done + 1) * len(train), (passes + 1) * len(train))
    if not joins.phrases:
        raise NlpkitError(
            f"No pair of words scores {threshold:g}: lower --threshold or --delta, or use more text."
        )
    with atomic_folder(Path(out)) as temporary:
        splits = {"train": train}
        if (folder / "validation").is_dir():
            splits["validation"] = TokenShards(folder / "validation", fingerprint=vocabulary.fingerprint)
        new = joins.vocabulary(train)
        for name, data in splits.items():
            joins.write(data, new, temporary / name)
        new.save(temporary / "vocabulary")
    progress(PHASE, (passes + 1) * len(train), (passes + 1) * len(train))
    return joins.phrases


class _Joins:
    """The tokens of a vocabulary and the phrases found so far, and how ids are joined to theirs."""

    def __init__(self, vocabulary: WordVocabulary) -> None:
        self.source = vocabulary
        self.tokens = list(vocabulary.tokens)
        self.number = {token: i for i, token in enumerate(self.tokens)}
        self.phrases: list[Phrase] = []
        self.passes: list[
            tuple[npt.NDArray[np.uint64], Ids]
        ] = []  # sorted keys of pairs, and what each becomes

    def learn(self, data: TokenShards, delta: int, threshold: float) -> None:
        """One pass: count the pairs of what the passes before made of the corpus, and join the best."""
        size = len(self.tokens)
        single = np.zeros(size, np.int64)
        keys, counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        for ids, _ in self.joined(data):
            single += np.bincount(ids, minlength=size)
            pairs = _keys(ids[:-1], ids[1:])[_may_join(ids)]
            keys, counts = _add_counts(keys, counts, pairs)
        total = int(single[2:].sum())
        first, second = (
            (keys >> np.uint64(32)).astype(np.int64),
            (keys & np.uint64(0xFFFFFFFF)).astype(np.int64),
        )
        scores = (counts - delta) / single[first] / single[second] * total
        chosen = np.flatnonzero(scores > threshold)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        becomes = np.zeros(len(chosen), np.int64)
        for i, at in enumerate(chosen.tolist()):
            phrase = Phrase(
                self.tokens[first[at]], self.tokens[second[at]], int(counts[at]), float(scores[at])
            )
            becomes[i] = self.number.setdefault(phrase.text, len(self.tokens))
            if becomes[i] == len(self.tokens):
                self.tokens.append(phrase.text)
            self.phrases.append(phrase)
        order = np.argsort(keys[chosen])
        self.passes.append((keys[chosen][order], becomes[order]))

    def joined(self, data: TokenShards) -> Iterator[tuple[Ids, Ids]]:
        """Some documents at a time: their ids with all phrases joined, and each one's length."""
        offsets = data.document_offsets.astype(np.int64)
        document = 0
        while document < len(offsets) - 1:
            last = int(np.searchsorted(offsets, offsets[document] + IDS_AT_ONCE))
            last = min(max(last, document + 1), len(offsets) - 1)
            ids = data.read(int(offsets[document]), int(offsets[last])).astype(np.int64)
            lengths = np.diff(offsets[document : last + 1])
            for keys, becomes in self.passes:
                ids, lengths = _join(ids, lengths, keys, becomes)
            yield ids, lengths
            document = last

    def vocabulary(self, data: TokenShards) -> WordVocabulary:
        """The words and phrases that are left, by falling count, then by text."""
        counts = sum(np.bincount(ids, minlength=len(self.tokens)) for ids, _ in self.joined(data))
        counted = dict(zip(self.tokens, np.asarray(counts).tolist(), strict=True))
        kept = sorted(
            (item for item in list(counted.items())[2:] if item[1]), key=lambda item: (-item[1], item[0])
        )
        source = self.source
        return WordVocabulary(
            source.name,
            counts={token: counted[token] for token in self.tokens[:2]} | dict(kept),
            lowercase=source.lowercase,
        )

    def write(self, data: TokenShards, vocabulary: WordVocabulary, folder: Path) -> None:
        """A split with its phrases joined, in the ids of the new vocabulary."""
        numbers = {token: i for i, token in enumerate(vocabulary.tokens)}
        new = np.array([numbers.get(token, 0) for token in self.tokens])
        text_bytes = data.index.text_bytes
        with ShardWriter(folder, fingerprint=vocabulary.fingerprint, n_vocab=vocabulary.n_vocab) as writer:
            for ids, lengths in self.joined(data):
                writer.write(new[ids], lengths, text_bytes)
                text_bytes = 0  # told once


def _keys(first: Ids, second: Ids) -> npt.NDArray[np.uint64]:
    """Pairs as numbers."""
    return first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64)


def _may_join(ids: Ids) -> npt.NDArray[np.bool_]:
    """Where an id and the next may be a phrase: neither is unknown (0) nor a document's end (1)."""
    word = ids > 1
    return word[:-1] & word[1:]


def _add_counts(
    keys: npt.NDArray[np.uint64], counts: Counts, pairs: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.uint64], Counts]:
    """Sorted keys and their counts, with more pairs counted in."""
    found, more = np.unique(pairs, return_counts=True)
    merged, place = np.unique(np.concatenate([keys, found]), return_inverse=True)
    total = np.zeros(len(merged), np.int64)
    np.add.at(total, place, np.concatenate([counts, more]))
    return merged, total


def _join(ids: Ids, lengths: Ids, keys: npt.NDArray[np.uint64], becomes: Ids) -> tuple[Ids, Ids]:
    """Replace chosen pairs by their phrases, from the left; of overlapping pairs, each second one."""
    if len(ids) < 2 or len(keys) == 0:
        return ids, lengths
    pairs = _keys(ids[:-1], ids[1:])
    place = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
    found = (keys[place] == pairs) & _may_join(ids)
    positions = np.flatnonzero(found)
    starts = np.ones(len(positions), bool)
    starts[1:] = np.diff(positions) > 1
    first_of_run = np.maximum.accumulate(np.where(starts, positions, 0))
    positions = positions[(positions - first_of_run) % 2 == 0]
    documents = np.repeat(np.arange(len(lengths)), lengths)[positions]
    joined = ids.copy()
    joined[positions] = becomes[place[positions]]
    return np.delete(joined, positions + 1), lengths - np.bincount(documents, minlength=len(lengths))
