"""Word vectors by word, with gensim's method names: similarities, neighbours, analogies. Needs numpy only.

A folder of vectors (docs/formats.md) is memory-mapped: opening it reads next to nothing, and processes that
open the same folder share its memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.composition import PieceTable
from nlpkit.embeddings.evaluation import evaluate_word_analogies, evaluate_word_pairs
from nlpkit.embeddings.exchange import read_word2vec, write_word2vec
from nlpkit.embeddings.search import (
    Rows,
    Table,
    Vector,
    best_scores,
    cosines,
    nearest_rows,
    row_norms,
    unit,
    unit_rows,
)
from nlpkit.embeddings.suggestions import suggestion
from nlpkit.embeddings.token_table import KeyIndex, TokenTable, key_to_token, token_to_key
from nlpkit.embeddings.vector_folder import Precision, read_folder, write_folder
from nlpkit.errors import NlpkitError
from nlpkit.files import atomic_folder

Query: TypeAlias = str | Vector
"""A word, or a vector in its place."""
Weighted: TypeAlias = Query | tuple[Query, float]
"""A query, or one with a weight other than 1 (or -1, among the negative ones)."""
Neighbours: TypeAlias = list[tuple[str, float]]

COSMUL_EPSILON = 1e-6
"""Keeps 3CosMul's denominator from zero; the value of gensim."""


class Indexer(Protocol):
    """An approximate index over the same rows, such as gensim's wrappers of Annoy and NMSLIB."""

    def most_similar(self, vector: Vector, num_neighbors: int) -> Neighbours:
        """The words near a vector, and how similar they are."""
        ...


class UnknownWordError(NlpkitError, KeyError):
    """A word that has no vector."""

    def __str__(self) -> str:  # KeyError's would show the repr of the message
        return str(self.args[0])


class KeyedVectors:
    """A table of vectors with a name for each row.

    Rows usually go by falling count, so that `restrict_vocab=n` means the n most frequent words.

    Args:
        tokens: the names, each once; bytes, or text that stands for its UTF-8.
        vectors: (rows, dim); float16 stays so (half the memory; cosines to three digits), all else becomes
            float32. What is returned is always float32.
        counts: (rows,), how often each token occurred, if known.
        norms: (rows,), the Euclidean norms, if already computed.
        config: what else `config.json` shall say (how they were trained, the vocabulary's fingerprint).
        pieces: gives vectors to words without a row (see `composition`).

    Raises:
        ValueError: a token comes twice, or the shapes do not fit.

    Example:
        >>> table = np.array([[1, 0], [1, 0.1], [0, 1]])
        >>> KeyedVectors(["tea", "coffee", "tractor"], table).most_similar("tea", topn=1)[0][0]
        'coffee'
    """

    def __init__(
        self,
        tokens: TokenTable | Iterable[bytes | str],
        vectors: npt.NDArray[Any],
        counts: npt.NDArray[np.uint64] | None = None,
        *,
        norms: Vector | None = None,
        config: Mapping[str, Any] | None = None,
        pieces: PieceTable | None = None,
    ) -> None:
        if not isinstance(tokens, TokenTable):
            tokens = TokenTable.build(key_to_token(t) if isinstance(t, str) else t for t in tokens)
        if vectors.ndim != 2 or len(tokens) != len(vectors):
            raise ValueError(f"{len(tokens)} tokens do not go with vectors of shape {vectors.shape}")
        self.tokens = tokens
        self.vectors: Table = (
            vectors if vectors.dtype == np.float16 else vectors.astype(np.float32, copy=False)
        )
        self.counts = counts
        self.norms: Vector = row_norms(self.vectors) if norms is None else norms
        self.config = dict(config or {})
        self.pieces = pieces

    # ----- files -----

    @classmethod
    def load(cls, path: str | Path) -> "KeyedVectors":
        """Open a folder that `save` or `train_word2vec` wrote; its files are memory-mapped.

        A file is read as `load_word2vec_format` does, .bin as binary and all else as text.

        Raises:
            UsageError: there is nothing at `path`, or something else.
            CorruptFileError: a file is damaged, or they do not fit each other.
        """
        folder = Path(path)
        if not folder.is_dir():
            return cls(*read_word2vec(folder))
        found = read_folder(folder)
        prefix = found.config.pop("pieces_prefix", None)
        pieces = None if prefix is None else PieceTable.load(folder, prefix)
        return cls(
            found.tokens, found.vectors, found.counts, norms=found.norms, config=found.config, pieces=pieces
        )

    def save(self, folder: str | Path, *, precision: Precision | None = None) -> None:
        """Write a folder that `load` opens, whole or not at all.

        Args:
            folder: where; replaced as a whole.
            precision: "float16" halves the size, None keeps what is there.

        Raises:
            NlpkitError: a number is infinite, or would be in float16.
        """
        with atomic_folder(Path(folder)) as temporary:
            self.write_files(temporary, precision=precision)

    def write_files(self, folder: Path, *, precision: Precision | None = None) -> None:
        """Write the files into an existing folder; `save` does it in a temporary one."""
        config = self.config
        if self.pieces is not None:
            self.pieces.save(folder)
            config = {**config, "pieces_prefix": self.pieces.prefix}
        write_folder(folder, self.tokens, self.vectors, self.counts, config, precision=precision)

    def save_word2vec_format(self, path: str | Path, binary: bool = False) -> int:
        """Write word2vec's format; see `exchange.write_word2vec`. Returns how many words were left out."""
        return write_word2vec(self.tokens, self.vectors, Path(path), binary=binary)

    @classmethod
    def load_word2vec_format(
        cls, path: str | Path, binary: bool = False, limit: int | None = None
    ) -> "KeyedVectors":
        """Read word2vec's format, GloVe's text or fastText's .vec; see `exchange.read_word2vec`."""
        return cls(*read_word2vec(Path(path), binary=binary, limit=limit))

    # ----- words and rows -----

    def __deepcopy__(self, memo: object) -> "KeyedVectors":
        """Itself: a table does not change, and scikit-learn's `clone` would copy it for each candidate."""
        return self

    @property
    def vector_size(self) -> int:
        """The dimension."""
        return int(self.vectors.shape[1])

    @property
    def index_to_key(self) -> list[str]:
        """All words by row; bytes that are no UTF-8 appear as lone surrogates."""
        return list(self)

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[str]:
        return map(token_to_key, self.tokens)

    def __contains__(self, key: object) -> bool:
        """Whether the word has a vector: a row, or pieces that have."""
        return isinstance(key, str) and (self.has_index_for(key) or self._composed(key) is not None)

    def has_index_for(self, key: str) -> bool:
        """Whether the word has a row."""
        return self.tokens.row(key_to_token(key)) is not None

    def __getitem__(self, key: str | Sequence[str]) -> Vector:
        """The vector of a word, or the matrix of several."""
        if isinstance(key, str):
            return self.get_vector(key)
        return np.stack([self.get_vector(one) for one in key])

    @property
    def key_to_index(self) -> Mapping[str, int]:
        """The row of each word, looked up when asked for."""
        return KeyIndex(self.tokens)

    def get_index(self, key: str, default: int | None = None) -> int:
        """The row of a word, or `default` where that is given and the word has none.

        Raises:
            UnknownWordError: it has none; the message suggests words that are there.
        """
        row = self.tokens.row(key_to_token(key))
        if row is not None:
            return row
        if default is not None:
            return default
        raise self._unknown(key)

    def get_key(self, row: int) -> str:
        """The word of a row."""
        return token_to_key(self.tokens[row])

    def get_vector(self, key: str, *, norm: bool = False) -> Vector:
        """The vector of a word, of length 1 if `norm`.

        Raises:
            UnknownWordError: it has none; the message suggests words that are there.
        """
        row = self.tokens.row(key_to_token(key))
        vector = self._composed(key) if row is None else self.vectors[row].astype(np.float32, copy=False)
        if vector is None:
            raise self._unknown(key)
        return unit(vector) if norm else vector

    def get_normed_vectors(self) -> Vector:
        """All vectors at length 1: a copy of the whole table."""
        return unit_rows(self.vectors)

    def get_vecattr(self, key: str, attr: str) -> int:
        """How often a word occurred: `count` is the one attribute that is kept.

        Raises:
            KeyError: another attribute was asked for, or counts are not known.
        """
        if attr != "count" or self.counts is None:
            raise KeyError(f"There is no attribute {attr!r} of the words.")
        return int(self.counts[self.get_index(key)])

    def vectors_for_all(self, keys: Iterable[str]) -> "KeyedVectors":
        """A table of these words only, in this order; words without a vector are left out."""
        known = [key for key in dict.fromkeys(keys) if key in self]
        table = self[known] if known else np.empty((0, self.vector_size), np.float32)
        return KeyedVectors(known, table)

    # ----- similarities -----

    def similarity(self, key1: str, key2: str) -> float:
        """The cosine of two words' vectors."""
        return float(self.get_vector(key1, norm=True) @ self.get_vector(key2, norm=True))

    def n_similarity(self, keys1: Sequence[str], keys2: Sequence[str]) -> float:
        """The cosine of the means of two sets of words."""
        means = [unit(self.get_mean_vector(keys, pre_normalize=False)) for keys in (keys1, keys2)]
        return float(means[0] @ means[1])

    def distance(self, key1: str, key2: str) -> float:
        """One minus `similarity`."""
        return 1 - self.similarity(key1, key2)

    def distances(self, key: Query, other_keys: Sequence[str] = ()) -> Vector:
        """One minus the cosine to each of `other_keys`, or to every row when there are none."""
        query = self._as_vector(key)
        if other_keys:
            return np.float32(1) - self.cosine_similarities(query, self[other_keys])
        return np.float32(1) - cosines(self.vectors, self.norms, query)

    @staticmethod
    def cosine_similarities(vector: npt.NDArray[Any], vectors: npt.NDArray[Any]) -> Vector:
        """The cosine of a vector (dim,) with each of several (n, dim); 0 where one is all zeros."""
        return unit_rows(vectors) @ unit(vector)

    def get_mean_vector(
        self,
        keys: Sequence[Query],
        weights: Sequence[float] | None = None,
        *,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Vector:
        """The weighted mean of words' vectors, divided by the sum of the weights' sizes.

        Args:
            keys: words, or vectors (these are taken as they are).
            weights: one for each key; 1 where not given. May be negative.
            pre_normalize: bring words' vectors to length 1 first.
            post_normalize: bring the mean to length 1.
            ignore_missing: leave out words without a vector, else raise UnknownWordError.

        Raises:
            ValueError: there are no keys, or not as many weights.
        """
        if len(keys) == 0:
            raise ValueError("the mean of no words is not defined")
        if weights is not None and len(weights) != len(keys):
            raise ValueError(f"{len(weights)} weights do not go with {len(keys)} keys")
        total = np.zeros(self.vector_size, np.float32)
        size = 0.0
        for key, weight in zip(keys, weights or [1.0] * len(keys), strict=True):
            if isinstance(key, str) and ignore_missing and key not in self:
                continue
            vector = self.get_vector(key, norm=pre_normalize) if isinstance(key, str) else key
            total += np.float32(weight) * vector
            size += abs(weight)
        mean = total / np.float32(size) if size > 0 else total
        return unit(mean) if post_normalize else mean

    # ----- neighbours -----

    @overload
    def most_similar(
        self,
        positive: Weighted | Sequence[Weighted] = (),
        negative: Weighted | Sequence[Weighted] = (),
        topn: int = 10,
        *,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Indexer | None = None,
    ) -> Neighbours: ...

    @overload
    def most_similar(
        self,
        positive: Weighted | Sequence[Weighted] = (),
        negative: Weighted | Sequence[Weighted] = (),
        *,
        topn: None,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Vector: ...

    def most_similar(
        self,
        positive: Weighted | Sequence[Weighted] = (),
        negative: Weighted | Sequence[Weighted] = (),
        topn: int | None = 10,
        *,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Indexer | None = None,
    ) -> Neighbours | Vector:
        """The words nearest by cosine to the mean of `positive` and minus `negative` (3CosAdd).

        The mean is over words' vectors at length 1 (Mikolov et al. 2013); the words asked with are left out.

        Args:
            positive: words or vectors that count for, each perhaps with a weight.
            negative: words or vectors that count against; a weight of theirs should be negative.
            topn: how many to return; None returns the cosine with every row looked at instead.
            clip_start: look among the rows from this one on,
            clip_end: and before this one.
            restrict_vocab: look among the first so many rows only, whatever the two say.
            indexer: answers instead of the exact search.

        Raises:
            UnknownWordError: a word has no vector.
            ValueError: nothing was asked with.
        """
        wanted, unwanted = _with_weights(positive, 1.0), _with_weights(negative, -1.0)
        keys = [key for key, _ in wanted + unwanted]
        weights = [weight for _, weight in wanted + unwanted]
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        if indexer is not None and topn is not None:
            return indexer.most_similar(mean, topn)
        if restrict_vocab is not None:
            clip_start, clip_end = 0, restrict_vocab
        rows = slice(clip_start, clip_end)
        vectors, norms = self.vectors[rows], self.norms[rows]
        if topn is None:
            return cosines(vectors, norms, mean)
        asked = self._rows_of(keys)
        found, scores = nearest_rows(vectors, norms, mean[None], max(0, topn) + len(asked))
        return self._named(found[0] + clip_start, scores[0], topn, asked)

    def nearest(
        self, queries: Sequence[str] | Vector, topn: int = 10, *, restrict_vocab: int | None = None
    ) -> tuple[Rows, Vector]:
        """The rows nearest to each of many queries, in one go; exact, some ten times as fast as one by one.

        Args:
            queries: words, or an array (queries, dim). A word's own row is among the answers.
            topn: how many rows for each.
            restrict_vocab: look among the first so many rows only.

        Returns:
            Rows and their cosines, each (queries, topn), the nearest first.

        Raises:
            UnknownWordError: a word has no vector.
            ValueError: vectors of another dimension.
        """
        asked = queries if isinstance(queries, np.ndarray) else self[list(queries)]
        if asked.ndim != 2 or asked.shape[1] != self.vector_size:
            raise ValueError(f"queries must be (queries, {self.vector_size}), not {asked.shape}")
        return nearest_rows(self.vectors[:restrict_vocab], self.norms[:restrict_vocab], asked, max(0, topn))

    def most_similar_cosmul(
        self,
        positive: Query | Sequence[Query] = (),
        negative: Query | Sequence[Query] = (),
        topn: int = 10,
        *,
        restrict_vocab: int | None = None,
    ) -> Neighbours:
        """The words that score highest by 3CosMul (Levy and Goldberg 2014, equation 3), arguments as above.

        The product over `positive` of (1 + cosine) / 2, divided by that over `negative`.
        """
        wanted, unwanted = _as_list(positive), _as_list(negative)
        if not wanted:
            raise ValueError("3CosMul needs words that count for")
        vectors, norms = self.vectors[:restrict_vocab], self.norms[:restrict_vocab]
        scores, against = np.ones(len(norms), np.float32), np.ones(len(norms), np.float32)
        for keys, product in ((wanted, scores), (unwanted, against)):
            for key in keys:
                product *= (1 + cosines(vectors, norms, self._as_vector(key))) / 2
        asked = self._rows_of([*wanted, *unwanted])
        scores /= against + np.float32(COSMUL_EPSILON)
        found, best = best_scores(scores, max(0, topn) + len(asked))
        return self._named(found, best, topn, asked)

    def similar_by_word(self, word: str, topn: int = 10, *, restrict_vocab: int | None = None) -> Neighbours:
        """The nearest words of one word."""
        return self.most_similar(word, topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(
        self, vector: Vector, topn: int = 10, *, restrict_vocab: int | None = None
    ) -> Neighbours:
        """The nearest words of a vector of shape (dim,)."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_to_given(self, key1: str, keys_list: Sequence[str]) -> str:
        """The one of `keys_list` that is most similar to `key1`."""
        return keys_list[int(np.argmin(self.distances(key1, keys_list)))]

    def doesnt_match(self, keys: Sequence[str]) -> str:
        """The word farthest from the mean of all; words without a vector are passed over.

        Raises:
            UnknownWordError: none of the words has a vector.
        """
        return self.rank_by_centrality(keys)[-1][1]

    def rank_by_centrality(self, keys: Sequence[str], use_norm: bool = True) -> list[tuple[float, str]]:
        """Words by how near they are to the mean of all; words without a vector are passed over.

        Args:
            keys: the words.
            use_norm: take words' vectors at length 1; else longer ones count more, and the score is the dot
                product with the mean's direction.

        Raises:
            UnknownWordError: none of the words has a vector.
        """
        known = [key for key in keys if key in self]
        if not known:
            raise UnknownWordError(f"None of the words has a vector: {', '.join(map(repr, keys))}.")
        table = np.stack([self.get_vector(key, norm=use_norm) for key in known])
        scores = table @ unit(table.mean(axis=0))
        return sorted(zip(map(float, scores), known, strict=True), reverse=True)

    def relative_cosine_similarity(self, key1: str, key2: str, topn: int = 10) -> float:
        """The similarity of two words, divided by the sum of those of the `topn` nearest words of `key1`.

        Leeuwenberg et al. 2016, equation 1: above 1 / `topn`, the pair is nearer than the usual neighbour.
        """
        near = sum(similarity for _, similarity in self.similar_by_word(key1, topn))
        return self.similarity(key1, key2) / near

    def closer_than(self, key1: str, key2: str) -> list[str]:
        """All words closer to `key1` than `key2` is."""
        distances = self.distances(key1)
        bound, own = distances[self.get_index(key2)], self._rows_of([key1])
        return [self.get_key(int(row)) for row in np.flatnonzero(distances < bound) if row not in own]

    words_closer_than = closer_than

    def rank(self, key1: str, key2: str) -> int:
        """1 if `key2` is the nearest word of `key1`, 2 if the second nearest, and so on."""
        return len(self.closer_than(key1, key2)) + 1

    # ----- evaluation -----

    def evaluate_word_analogies(
        self, analogies: str | Path, **options: Any
    ) -> tuple[float, list[dict[str, Any]]]:
        """The share of analogies answered rightly, and each section's answers.

        Options: `restrict_vocab`, `case_insensitive`, `dummy4unknown`, as in
        `evaluation.evaluate_word_analogies`.
        """
        return evaluate_word_analogies(self, Path(analogies), **options)

    def evaluate_word_pairs(
        self, pairs: str | Path, **options: Any
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        """Pearson's and Spearman's correlation with people's scores, and the share unknown, in percent.

        Options: `delimiter`, `restrict_vocab`, `case_insensitive`, `dummy4unknown`, as in
        `evaluation.evaluate_word_pairs`.
        """
        return evaluate_word_pairs(self, Path(pairs), **options)

    # ----- helpers -----

    def _composed(self, word: str) -> Vector | None:
        return None if self.pieces is None else self.pieces.vector(word)

    def _unknown(self, key: str) -> UnknownWordError:
        return UnknownWordError(f"There is no vector for {key!r}{suggestion(self.tokens, key)}")

    def _as_vector(self, key: Query) -> Vector:
        return self.get_vector(key) if isinstance(key, str) else key

    def _rows_of(self, keys: Sequence[Query]) -> set[int]:
        """The rows of those that are words and have one."""
        rows = (self.tokens.row(key_to_token(key)) for key in keys if isinstance(key, str))
        return {row for row in rows if row is not None}

    def _named(self, rows: Rows, scores: Vector, topn: int, without: set[int]) -> Neighbours:
        """The first `topn` rows that are not left out, by name."""
        pairs = zip(rows.tolist(), scores.tolist(), strict=True)
        kept = [(row, score) for row, score in pairs if row >= 0 and row not in without][: max(0, topn)]
        return [(self.get_key(row), score) for row, score in kept]


def _with_weights(keys: Weighted | Sequence[Weighted], weight: float) -> list[tuple[Query, float]]:
    alone = isinstance(keys, tuple) and len(keys) == 2 and isinstance(keys[1], int | float)
    return [
        key if isinstance(key, tuple) else (key, weight)
        for key in ([keys] if alone else _as_list(keys))  # type: ignore[arg-type]
    ]


def _as_list(keys: Query | Sequence[Query]) -> list[Query]:
    single = isinstance(keys, str) or (isinstance(keys, np.ndarray) and keys.ndim == 1)
    return [keys] if single else list(keys)  # type: ignore[list-item]
