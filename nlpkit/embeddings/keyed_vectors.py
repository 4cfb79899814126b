"""Word vectors by word, with gensim's method names: similarities, neighbours, analogies. Needs numpy only.

A folder of vectors (docs/formats.md) is memory-mapped: opening it reads next to nothing, and processes that
open the same folder share its memory.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.evaluation import evaluate_word_analogies, evaluate_word_pairs
from nlpkit.embeddings.exchange import read_word2vec, write_word2vec
from nlpkit.embeddings.token_table import TokenTable, key_to_token, load_array, token_to_key
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_folder, read_json, write_json

FORMAT = "nlpkit-vectors"
VERSION = 1

Vector: TypeAlias = npt.NDArray[np.float32]
Query: TypeAlias = str | Vector
"""A word, or a vector in its place."""
Neighbours: TypeAlias = list[tuple[str, float]]

SUGGEST_AMONG = 20_000
"""How many of the most frequent words a suggestion is sought among."""

COSMUL_EPSILON = 1e-6
"""Keeps 3CosMul's denominator from zero; the value of gensim."""


class UnknownWordError(NlpkitError, KeyError):
    """A word that has no vector."""

    def __str__(self) -> str:  # KeyError's would show the repr of the message
        return str(self.args[0])


class KeyedVectors:
    """A table of vectors with a name for each row.

    Rows usually go by falling count, so that `restrict_vocab=n` means the n most frequent words.

    Args:
        tokens: the names, each once; bytes, or text that stands for its UTF-8.
        vectors: (rows, dim), float32.
        counts: (rows,), how often each token occurred, if known.
        norms: (rows,), the Euclidean norms, if already computed.
        config: what else `config.json` shall say (how they were trained, the vocabulary's fingerprint).

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
    ) -> None:
        if not isinstance(tokens, TokenTable):
            tokens = TokenTable.build(key_to_token(t) if isinstance(t, str) else t for t in tokens)
        if vectors.ndim != 2 or len(tokens) != len(vectors):
            raise ValueError(f"{len(tokens)} tokens do not go with vectors of shape {vectors.shape}")
        self.tokens = tokens
        self.vectors: Vector = vectors.astype(np.float32, copy=False)
        self.counts = counts
        self.norms: Vector = _row_norms(self.vectors) if norms is None else norms
        self.config = dict(config or {})

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
        config = _read_config(folder)
        vectors, norms, counts = (
            load_array(folder / f"{name}.npy") for name in ("vectors", "norms", "counts")
        )
        rows = len(vectors)
        if (
            (vectors.ndim, vectors.dtype.name) != (2, "float32")
            or norms.shape != (rows,)
            or len(counts) not in (0, rows)
        ):
            raise CorruptFileError(
                f"{folder}: its arrays do not fit each other: make it again or restore it."
            )
        tokens = TokenTable.load(folder, rows)
        return cls(tokens, vectors, counts if len(counts) else None, norms=norms, config=config)

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load` opens, whole or not at all."""
        with atomic_folder(Path(folder)) as temporary:
            self.write_files(temporary)

    def write_files(self, folder: Path) -> None:
        """Write the files into an existing folder; `save` does it in a temporary one."""
        counts = np.empty(0, np.uint64) if self.counts is None else self.counts
        np.save(folder / "vectors.npy", self.vectors)
        np.save(folder / "norms.npy", self.norms)
        np.save(folder / "counts.npy", counts.astype(np.uint64, copy=False))
        self.tokens.save(folder)
        write_json(folder / "config.json", {"format": FORMAT, "version": VERSION, **self.config})

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
        return isinstance(key, str) and self.tokens.row(key_to_token(key)) is not None

    def __getitem__(self, key: str | Sequence[str]) -> Vector:
        """The vector of a word, or the matrix of several."""
        if isinstance(key, str):
            return self.get_vector(key)
        return self.vectors[[self.get_index(one) for one in key]]

    def get_index(self, key: str) -> int:
        """The row of a word.

        Raises:
            UnknownWordError: it has none; the message suggests words that are there.
        """
        row = self.tokens.row(key_to_token(key))
        if row is None:
            raise UnknownWordError(f"There is no vector for {key!r}{self._suggestion(key)}.")
        return row

    def get_key(self, row: int) -> str:
        """The word of a row."""
        return token_to_key(self.tokens[row])

    def get_vector(self, key: str, *, norm: bool = False) -> Vector:
        """The vector of a word, of length 1 if `norm`."""
        row = self.get_index(key)
        return _unit(self.vectors[row]) if norm else self.vectors[row]

    def _suggestion(self, key: str) -> str:
        """Words that may be meant: another case, with a BPE's leading space, alike in spelling."""
        spellings = (key, key.strip(), key.lower(), key.capitalize())
        variants = dict.fromkeys([*spellings, *(f" {spelling}" for spelling in spellings)])
        words = [variant for variant in variants if variant in self]
        if len(key) <= 32:  # a longer one takes seconds to compare and is no misspelt word
            frequent = map(token_to_key, islice(self.tokens, SUGGEST_AMONG))
            words += difflib.get_close_matches(key, frequent, n=3, cutoff=0.75)
        found = [repr(word) for word in dict.fromkeys(words)][:3]
        return f": did you mean {' or '.join(found)}?" if found else ""

    # ----- similarities -----

    def similarity(self, key1: str, key2: str) -> float:
        """The cosine of two words' vectors."""
        return float(_unit(self[key1]) @ _unit(self[key2]))

    def n_similarity(self, keys1: Sequence[str], keys2: Sequence[str]) -> float:
        """The cosine of the means of two sets of words."""
        return float(
            _unit(self.get_mean_vector(keys1, pre_normalize=False))
            @ _unit(self.get_mean_vector(keys2, pre_normalize=False))
        )

    def distance(self, key1: str, key2: str) -> float:
        """One minus `similarity`."""
        return 1 - self.similarity(key1, key2)

    def distances(self, key: Query, other_keys: Sequence[str] = ()) -> Vector:
        """One minus the cosine to each of `other_keys`, or to every row when there are none."""
        rows = slice(None) if not other_keys else [self.get_index(other) for other in other_keys]
        return np.float32(1) - self._cosines(self._as_vector(key), rows)

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
        return _unit(mean) if post_normalize else mean

    # ----- neighbours -----

    def most_similar(
        self,
        positive: Query | Sequence[Query] = (),
        negative: Query | Sequence[Query] = (),
        topn: int = 10,
        *,
        restrict_vocab: int | None = None,
    ) -> Neighbours:
        """The words nearest by cosine to the mean of `positive` and minus `negative` (3CosAdd).

        The mean is over vectors of length 1 (Mikolov et al. 2013); the words asked with are left out.

        Args:
            positive: words or vectors that count for.
            negative: words or vectors that count against.
            topn: how many to return.
            restrict_vocab: look among the first so many rows only.

        Raises:
            UnknownWordError: a word has no vector.
            ValueError: nothing was asked with.
        """
        wanted, unwanted = _as_list(positive), _as_list(negative)
        weights = [1.0] * len(wanted) + [-1.0] * len(unwanted)
        mean = self.get_mean_vector([*wanted, *unwanted], weights, post_normalize=True, ignore_missing=False)
        scores = self._cosines(mean, slice(restrict_vocab))
        return self._best(scores, topn, without=[*wanted, *unwanted])

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
        rows = slice(restrict_vocab)
        scores = np.ones(len(self.norms[rows]), np.float32)
        for key in wanted:
            scores *= (1 + self._cosines(self._as_vector(key), rows)) / 2
        against = np.ones_like(scores)
        for key in unwanted:
            against *= (1 + self._cosines(self._as_vector(key), rows)) / 2
        return self._best(scores / (against + np.float32(COSMUL_EPSILON)), topn, without=[*wanted, *unwanted])

    def similar_by_word(self, word: str, topn: int = 10, *, restrict_vocab: int | None = None) -> Neighbours:
        """The nearest words of one word."""
        return self.most_similar(word, topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: Vector, topn: int = 10, *, restrict_vocab: int | None = None
    ) -> Neighbours:
        """The nearest words of a vector of shape (dim,)."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def doesnt_match(self, keys: Sequence[str]) -> str:
        """The word farthest from the mean of all; words without a vector are passed over.

        Raises:
            UnknownWordError: none of the words has a vector.
        """
        known = [key for key in keys if key in self]
        if not known:
            raise UnknownWordError(f"None of the words has a vector: {', '.join(map(repr, keys))}.")
        units = np.stack([self.get_vector(key, norm=True) for key in known])
        return known[int(np.argmin(units @ _unit(units.mean(axis=0))))]

    def closer_than(self, key1: str, key2: str) -> list[str]:
        """All words closer to `key1` than `key2` is."""
        distances = self.distances(key1)
        row1, row2 = self.get_index(key1), self.get_index(key2)
        closer = np.flatnonzero(distances < distances[row2])
        return [self.get_key(int(row)) for row in closer if row != row1]

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

    def _as_vector(self, key: Query) -> Vector:
        return self.get_vector(key) if isinstance(key, str) else key

    def _cosines(self, vector: Vector, rows: slice | list[int]) -> Vector:
        """The cosine of a vector with each of the rows; 0 with a row of zeros."""
        norms = self.norms[rows]
        dots: Vector = self.vectors[rows] @ _unit(vector)
        return np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)

    def _best(self, scores: Vector, topn: int, *, without: Sequence[Query]) -> Neighbours:
        """The `topn` best rows, equal scores by row."""
        skipped = {self.get_index(key) for key in without if isinstance(key, str)}
        count = min(topn + len(skipped), len(scores))
        if count <= 0:
            return []
        best = np.argpartition(-scores, count - 1)[:count]
        ordered = best[np.lexsort((best, -scores[best]))].tolist()
        return [(self.get_key(row), float(scores[row])) for row in ordered if row not in skipped][:topn]


def _row_norms(vectors: Vector) -> Vector:
    norms: Vector = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))  # linalg.norm would copy the matrix
    return norms


def _unit(vector: Vector) -> Vector:
    """The vector at length 1; a zero vector stays."""
    norm = np.float32(np.linalg.norm(vector))
    return vector / norm if norm > 0 else vector


def _as_list(keys: Query | Sequence[Query]) -> list[Query]:
    single = isinstance(keys, str) or (isinstance(keys, np.ndarray) and keys.ndim == 1)
    return [keys] if single else list(keys)  # type: ignore[list-item]


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise UsageError(
            f"{folder} is no folder of vectors (it has no config.json): make one with `nlpkit embeddings "
            "train`."
        )
    config = read_json(path)
    if config.pop("format", None) != FORMAT:
        raise UsageError(f"{folder} holds no vectors: make some with `nlpkit embeddings train`.")
    if (version := config.pop("version", None)) != VERSION:
        raise CorruptFileError(f"{path} has version {version}, this nlpkit reads {VERSION}: update nlpkit.")
    return config
