"""Words made of pieces: a vector for any word, from those of the BPE tokens it is cut into.

A trained word is the mean of a row of its own and its pieces' rows, as fastText's is of a word's row and its
n-grams' (Bojanowski et al. 2017, who sum them); a word that was never seen is the mean of its pieces. Pieces
come from the tokenizer, so languages without spaces between words need no segmenter.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.search import Table, Vector
from nlpkit.embeddings.token_table import TokenTable, load_array, token_to_key
from nlpkit.errors import CorruptFileError
from nlpkit.tokenization import Vocabulary, load_vocabulary

FILE, VOCABULARY = "pieces.npy", "pieces"


@dataclass(frozen=True, slots=True)
class Bags:
    """Piece ids of several words, end to end: word i has `ids[offsets[i]:offsets[i + 1]]`."""

    ids: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]

    def of(self, words: npt.NDArray[np.integer[Any]]) -> "Bags":
        """The bags of some words, in their order."""
        starts, lengths = self.offsets[words], self.offsets[words + 1] - self.offsets[words]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Bags(self.ids[places], offsets)


def pieces_of(words: list[str], vocabulary: Vocabulary, prefix: str) -> Bags:
    """Each word's pieces: its ids with `prefix` before it, where it does not begin with that anyway."""
    texts = [word if word.startswith(prefix) else prefix + word for word in words]
    encoded = vocabulary.encode_documents(texts)
    return Bags(encoded.ids.astype(np.int64), encoded.offsets.astype(np.int64))


def bags_with_own_rows(tokens: TokenTable, vocabulary: Vocabulary, prefix: str) -> Bags:
    """For each word its own row, and the rows of its pieces behind those of all words."""
    pieces = pieces_of([token_to_key(token) for token in tokens], vocabulary, prefix)
    own = np.arange(len(tokens))
    return Bags(
        np.insert(pieces.ids + len(tokens), pieces.offsets[:-1], own),
        pieces.offsets + np.arange(len(tokens) + 1),
    )


class PieceTable:
    """Vectors of a tokenizer's ids, and of any word by them.

    Args:
        vocabulary: cuts words into pieces.
        vectors: (n_vocab, dim), by id; zeros for ids without a vector.
        prefix: what stands before a word, so that it is cut as in running text: " " where words are cut at
            spaces, nothing where they keep them.

    Raises:
        ValueError: there are not as many vectors as ids.
    """

    def __init__(self, vocabulary: Vocabulary, vectors: Table, prefix: str = " ") -> None:
        if len(vectors) != vocabulary.n_vocab:
            raise ValueError(f"{len(vectors)} vectors do not go with {vocabulary.n_vocab} ids")
        self.vocabulary = vocabulary
        self.vectors = vectors
        self.prefix = prefix

    def vector(self, word: str) -> Vector | None:
        """The mean of a word's pieces, or None where none of them has a vector."""
        pieces = self.vectors[pieces_of([word], self.vocabulary, self.prefix).ids].astype(np.float32)
        known = pieces[pieces.any(axis=1)]
        if not len(known):
            return None
        mean: Vector = known.mean(axis=0)
        return mean

    def save(self, folder: Path) -> None:
        """Write the vectors and the vocabulary into an existing folder."""
        np.save(folder / FILE, self.vectors)
        self.vocabulary.save(folder / VOCABULARY)

    @classmethod
    def load(cls, folder: Path, prefix: str) -> "PieceTable":
        """Map what `save` wrote.

        Raises:
            CorruptFileError: a file is damaged, or they do not fit each other.
        """
        vectors, vocabulary = load_array(folder / FILE), load_vocabulary(folder / VOCABULARY)
        if vectors.ndim != 2 or len(vectors) != vocabulary.n_vocab:
            raise CorruptFileError(f"{folder}: its pieces do not fit their vocabulary: make it again.")
        return cls(vocabulary, vectors, prefix)
