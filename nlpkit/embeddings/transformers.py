"""scikit-learn transformers: documents to vectors by their words' vectors, or to counts of BPE tokens.

Both take lists of strings and follow scikit-learn's conventions (parameters as given, what is learnt with a
trailing underscore, nothing done before `fit`), so they work in `Pipeline`, `GridSearchCV` and `clone`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.token_table import token_to_key
from nlpkit.tokenization import Tokenizer, Vocabulary, load_vocabulary

Splitter: TypeAlias = Callable[[str], Iterable[str]] | Tokenizer
Floats: TypeAlias = npt.NDArray[np.float32]


class DocumentEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A document's vector: the mean of its words' vectors, the frequent ones weighing less.

    With weighting "sif" a word that makes up the share p of all words has the weight a / (a + p), and the
    directions that all documents have in common are taken out (Arora, Liang and Ma 2017, algorithm 1).

    Args:
        vectors: word vectors, or where `KeyedVectors.load` finds them (which costs less to hand to another
            process).
        tokenizer: cuts a document into words: a function, or the `Tokenizer` whose tokens the vectors are of.
            None splits at white space.
        lowercase: lower-case documents first.
        weighting: "sif", or "mean": all words weigh alike and nothing is taken out.
        a: of "sif"; 1e-3 as in the paper.
        components: how many common directions to take out; 1 in the paper, 0 for none.

    Attributes:
        vectors_: the word vectors.
        counts_: for "sif", how often words occur in the documents of `fit`; None where the vectors know how
            often they occurred.
        components_: (components, dim), orthonormal: the common directions.

    Raises:
        ValueError: from `fit`: another weighting, `a` not above 0, or `components` below 0.

    Example:
        >>> words = KeyedVectors(["tea", "rock"], np.eye(2))
        >>> DocumentEmbedder(words, weighting="mean").fit_transform(["tea tea rock granite"])
        array([[0.6666667 , 0.33333334]], dtype=float32)
    """

    def __init__(
        self,
        vectors: KeyedVectors | str | Path,
        *,
        tokenizer: Splitter | None = None,
        lowercase: bool = False,
        weighting: Literal["sif", "mean"] = "sif",
        a: float = 1e-3,
        components: int = 1,
    ) -> None:
        self.vectors = vectors
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.weighting = weighting
        self.a = a
        self.components = components

    def fit(self, X: Iterable[str], y: object = None) -> Self:
        """Learn what documents have in common; nothing for "mean"."""
        self._learn(X)
        return self

    def fit_transform(self, X: Iterable[str], y: object = None, **fit_params: object) -> Floats:
        """`fit`, then `transform` of the same documents, whose words are looked up once."""
        return self._without_components(self._learn(X))

    def transform(self, X: Iterable[str]) -> Floats:
        """The documents' vectors, (documents, dim); zeros for one without a known word."""
        check_is_fitted(self)
        return self._without_components(self._weighted_means(self._words(X)))

    def _learn(self, X: Iterable[str]) -> Floats:
        if self.weighting not in ("sif", "mean"):
            raise ValueError(f"weighting must be 'sif' or 'mean', not {self.weighting!r}")
        if not self.a > 0 or self.components < 0:
            raise ValueError(f"a must be above 0 and components at least 0, not {self.a}, {self.components}")
        loaded = self.vectors if isinstance(self.vectors, KeyedVectors) else KeyedVectors.load(self.vectors)
        self.vectors_ = loaded
        words = self._words(X)
        self.counts_ = self._count(words)
        self.components_: Floats = np.empty((0, loaded.vector_size), np.float32)
        means = self._weighted_means(words)
        if self.weighting == "sif" and self.components:
            directions = np.linalg.svd(means, full_matrices=False)[2]
            self.components_ = directions[: self.components].astype(np.float32, copy=False)
        return means

    @property
    def _n_features_out(self) -> int:
        return self.vectors_.vector_size

    def _words(self, X: Iterable[str]) -> list[list[str]]:
        documents = [text.lower() if self.lowercase else text for text in _checked_texts(X)]
        if isinstance(self.tokenizer, Tokenizer):
            cut, encoded = self.tokenizer, self.tokenizer.encode_documents(documents)
            names = {id: token_to_key(cut.decode_single_token_bytes(id)) for id in set(encoded.ids.tolist())}
            return [[names[id] for id in encoded[i].tolist()] for i in range(len(encoded))]
        return [list((self.tokenizer or str.split)(text)) for text in documents]

    def _count(self, words: list[list[str]]) -> dict[str, int] | None:
        """Counts of the documents' words, where the vectors know none."""
        if self.weighting == "mean" or self.vectors_.counts is not None:
            return None
        counts: dict[str, int] = {}
        for document in words:
            for word in document:
                counts[word] = counts.get(word, 0) + 1
        return counts

    def _weights(self, words: Sequence[str]) -> Floats:
        if self.weighting == "mean":
            return np.ones(len(words), np.float32)
        found = np.array([self._count_of(word) for word in words], np.float64)
        weights: Floats = (self.a / (self.a + found / max(1, self._total))).astype(np.float32)
        return weights

    def _count_of(self, word: str) -> int:
        if self.counts_ is not None:
            return self.counts_.get(word, 0)
        return self.vectors_.get_vecattr(word, "count") if self.vectors_.has_index_for(word) else 0

    @property
    def _total(self) -> int:
        counts = self.vectors_.counts
        if self.counts_ is not None or counts is None:
            return sum((self.counts_ or {}).values())
        return int(counts.sum())

    def _weighted_means(self, words: list[list[str]]) -> Floats:
        found = {word: None for document in words for word in document if word in self.vectors_}
        names = list(found)
        if not names:
            return np.zeros((len(words), self.vectors_.vector_size), np.float32)
        places = {name: place for place, name in enumerate(names)}
        table = self.vectors_[names] * self._weights(names)[:, None]
        known = [[places[word] for word in document if word in places] for document in words]
        counts = _count_matrix([np.array(document, np.int64) for document in known], len(names), np.float32)
        lengths = np.array([max(1, len(document)) for document in known], np.float32)
        means: Floats = (counts @ table) / lengths[:, None]
        return means

    def _without_components(self, means: Floats) -> Floats:
        return np.asarray(means - (means @ self.components_.T) @ self.components_, np.float32)

    def __sklearn_tags__(self) -> Any:
        return _text_tags(super().__sklearn_tags__())


class BpeVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Counts of BPE tokens, a sparse row a document: `CountVectorizer` for any language, without word rules.

    Args:
        tokenizer: a tokenizer, or where `load_vocabulary` finds one. None trains one on the documents of
            `fit`.
        vocab_size: of the tokenizer that is trained.
        lowercase: lower-case documents first.
        binary: 1 where a token occurs, however often.

    Attributes:
        tokenizer_: the tokenizer.

    Raises:
        NlpkitError: from `fit`: there is too little text for `vocab_size`; the message says what it allows.

    Example:
        >>> from sklearn.feature_extraction.text import TfidfTransformer
        >>> from sklearn.pipeline import make_pipeline
        >>> counts = BpeVectorizer(vocab_size=259).fit(["aaaa aaaa"])
        >>> int(counts.transform(["aaaa aaaa aaaa"]).sum())
        5
        >>> rows = make_pipeline(counts, TfidfTransformer()).fit_transform(["aaaa aaaa"])
    """

    def __init__(
        self,
        tokenizer: Tokenizer | str | Path | None = None,
        *,
        vocab_size: int = 4096,
        lowercase: bool = False,
        binary: bool = False,
    ) -> None:
        self.tokenizer = tokenizer
        self.vocab_size = vocab_size
        self.lowercase = lowercase
        self.binary = binary

    def fit(self, X: Iterable[str], y: object = None) -> Self:
        """Train the tokenizer, or load it."""
        self.tokenizer_ = self._tokenizer(self._documents(X))
        return self

    def _tokenizer(self, documents: list[str]) -> Vocabulary:
        if self.tokenizer is None:
            return Tokenizer.train(documents, vocab_size=self.vocab_size)
        return (
            load_vocabulary(Path(self.tokenizer))
            if isinstance(self.tokenizer, str | Path)
            else self.tokenizer
        )

    def transform(self, X: Iterable[str]) -> sparse.csr_matrix:
        """Counts, (documents, n_vocab), int64."""
        check_is_fitted(self)
        encoded = self.tokenizer_.encode_documents(self._documents(X))
        rows = [encoded[i].astype(np.int64) for i in range(len(encoded))]
        counts = _count_matrix(rows, self.tokenizer_.n_vocab, np.int64)
        if self.binary:
            counts.data[:] = 1
        return counts

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """The tokens by id, as text; bytes that are no UTF-8 are lone surrogates."""
        check_is_fitted(self)
        ids = range(self.tokenizer_.n_vocab)
        return np.array([token_to_key(self.tokenizer_.decode_single_token_bytes(id)) for id in ids], object)

    def _documents(self, X: Iterable[str]) -> list[str]:
        return [text.lower() if self.lowercase else text for text in _checked_texts(X)]

    def __sklearn_tags__(self) -> Any:
        return _text_tags(super().__sklearn_tags__())


def _count_matrix(rows: list[npt.NDArray[np.int64]], width: int, dtype: Any) -> sparse.csr_matrix:
    """How often each column number comes in each row."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    columns = np.concatenate(rows) if rows else np.empty(0, np.int64)
    counts = sparse.csr_matrix((np.ones(len(columns), dtype), columns, offsets), shape=(len(rows), width))
    counts.sum_duplicates()
    return counts


def _checked_texts(X: Iterable[str]) -> list[str]:
    """The documents as a list.

    Raises:
        ValueError: a single string was given, or something that is no text.
    """
    if isinstance(X, str):
        raise ValueError("give a list of documents, not one string")
    documents = list(X)
    for document in documents:
        if not isinstance(document, str):
            raise ValueError(f"documents must be strings, not {type(document).__name__}")
    return documents


def _text_tags(tags: Any) -> Any:
    tags.input_tags.string = True
    tags.input_tags.two_d_array = False
    tags.input_tags.one_d_array = True
    return tags
