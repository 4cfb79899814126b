"""Which ids of a corpus get a vector, and the corpus as the compiled trainer reads it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit.errors import CorruptFileError
from nlpkit.text import TokenShards
from nlpkit.tokenization import Vocabulary

COUNT_AT_ONCE = 2**20  # ids


@dataclass(frozen=True, slots=True)
class TrainedWords:
    """Which ids get a vector: `ids` and `counts` by row, in falling count; `rows` by id, -1 for none."""

    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int32]


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
