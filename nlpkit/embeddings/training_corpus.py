"""What word vectors are trained on: shards, held-out text, and which ids get a vector."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.options import SampledOptions, Word2VecOptions
from nlpkit.embeddings.token_table import TokenTable
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.text import TokenShards
from nlpkit.tokenization import Vocabulary, load_vocabulary

COUNT_AT_ONCE = 2**20  # ids


@dataclass(frozen=True, slots=True)
class TrainedWords:
    """Which ids get a vector: `ids` and `counts` by row, in falling count; `rows` by id, -1 for none."""

    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """The number of words."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class TrainingCorpus:
    """A folder of `encode_corpus`, opened to train on."""

    vocabulary: Vocabulary
    data: TokenShards
    held_out: TokenShards | None
    words: TrainedWords

    @classmethod
    def open(cls, shards: str | Path, options: Word2VecOptions | SampledOptions) -> "TrainingCorpus":
        """Map `shards/train` and, where it is there, `shards/validation`, and choose the words.

        Raises:
            UsageError: it is no such folder, `options` wait for a held-out loss but there is no such text, or
                ask for as many negatives as there are words.
            NlpkitError: fewer than two words occur often enough, or their vectors need too much memory.
            VocabularyMismatchError: the shards were made with another vocabulary than the one beside them.
            CorruptFileError: they are damaged.
        """
        folder = Path(shards)
        vocabulary = load_vocabulary(folder / "vocabulary")
        data = TokenShards(folder / "train", fingerprint=vocabulary.fingerprint)
        held_out = None
        if (folder / "validation").is_dir():
            held_out = TokenShards(folder / "validation", fingerprint=vocabulary.fingerprint)
        elif options.patience:
            raise UsageError(f"--patience needs held-out text, but there is no {folder / 'validation'}.")
        words = choose_words(data, vocabulary, options.min_count)
        _check_enough(len(words), options)
        check_memory(len(words), options.dim)
        return cls(vocabulary, data, held_out, words)

    def tokens(self) -> TokenTable:
        """The words' bytes, by row."""
        return TokenTable.build(self.vocabulary.decode_single_token_bytes(int(id)) for id in self.words.ids)

    def identity(self) -> dict[str, str]:
        """What tells this corpus from others: digests of its files and of what cut them."""
        return {
            "fingerprint": self.vocabulary.fingerprint,
            "corpus": _digest(self.data),
            "held_out": "" if self.held_out is None else _digest(self.held_out),
        }


def _digest(data: TokenShards) -> str:
    return hashlib.sha256("".join(shard.sha256 for shard in data.index.shards).encode()).hexdigest()[:16]


def _check_enough(found: int, options: Word2VecOptions | SampledOptions) -> None:
    if found < 2:
        raise NlpkitError(
            f"Only {found} words occur at least {options.min_count} times: train on more text or lower "
            "--min-count."
        )
    if (noise := options.noise_words(found)) >= found:
        raise UsageError(
            f"--negative {noise} needs more than {noise} words, but only {found} occur at least "
            f"{options.min_count} times: lower --negative or --min-count."
        )


def check_memory(rows: int, dim: int) -> None:
    """Whether the machine can hold an input and an output row of float32 for each of so many words.

    Raises:
        NlpkitError: it can't.
    """
    needed = 2 * rows * -(-dim // 16) * 16 * 4  # rows of whole cache lines
    if needed > (there := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
        raise NlpkitError(
            f"{rows:,} words of dimension {dim} take {needed / 2**30:,.1f} GiB of memory, more than "
            f"the {there / 2**30:,.1f} GiB that there are: lower --dim or raise --min-count."
        )


def choose_words(data: TokenShards, vocabulary: Vocabulary, min_count: int) -> TrainedWords:
    """The ids that occur at least `min_count` times and stand for text, by falling count, then by id.

    Raises:
        CorruptFileError: the shards hold an id that the vocabulary lacks.
    """
    counts = np.zeros(vocabulary.n_vocab, np.int64)
    for start in range(0, len(data), COUNT_AT_ONCE):
        part = data.read(start, min(len(data), start + COUNT_AT_ONCE))
        if int(part.max()) >= len(counts):
            raise CorruptFileError(
                f"{data.folder} holds id {int(part.max())}, past its vocabulary: encode it again."
            )
        counts += np.bincount(part, minlength=len(counts))
    ids = np.flatnonzero(counts >= min_count)
    ids = ids[[not vocabulary.is_special_token(int(id)) for id in ids]] if len(ids) else ids
    ids = ids[np.lexsort((ids, -counts[ids]))]
    rows = np.full(len(counts), -1, np.int32)
    rows[ids] = np.arange(len(ids), dtype=np.int32)
    return TrainedWords(ids, counts[ids].astype(np.uint64), rows)


def core_arrays(
    data: TokenShards, words: TrainedWords
) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """A corpus as the core takes it: a view of each shard file, document offsets, rows by id."""
    shards = []
    start = 0
    for shard in data.index.shards:
        shards.append(np.asarray(data.read(start, start + shard.tokens)))
        start += shard.tokens
    return shards, data.document_offsets, words.rows
