"""scikit-learn transformers: what they compute, and that scikit-learn takes them as its own."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from nlpkit.embeddings import KeyedVectors
from nlpkit.embeddings.transformers import BpeVectorizer, DocumentEmbedder
from nlpkit.errors import NlpkitError
from nlpkit.tokenization import Tokenizer

WORDS = ["the", "a", "tea", "cup", "rock", "stone"]
TABLE = np.array([[1, 1, 0], [1, 1, 0.1], [2, 0, 0], [2, 0.1, 0], [0, 2, 0], [0.1, 2, 0]], np.float32)
COUNTS = np.array([500, 300, 80, 60, 40, 20], np.uint64)
DOCUMENTS = ["the tea cup", "a cup", "the rock", "a stone a rock", "the the tea", "nothing known"]
LABELS = [0, 0, 1, 1, 0, 1]


@pytest.fixture(scope="module")
def vectors() -> KeyedVectors:
    return KeyedVectors(WORDS, TABLE, COUNTS)


def estimators() -> list[Any]:
    tokenizer = Tokenizer.train(["tea and stone and cup"] * 9, vocab_size=262)
    return [
        DocumentEmbedder(KeyedVectors(WORDS, TABLE, COUNTS)),
        DocumentEmbedder(KeyedVectors(WORDS, TABLE), weighting="mean"),
        BpeVectorizer(tokenizer),
    ]


CHECKS = [  # those for any input: scikit-learn skips its others where documents are text
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", estimators(), ids=lambda estimator: type(estimator).__name__)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize("estimator", estimators(), ids=lambda estimator: type(estimator).__name__)
def test_the_contract_of_transformers(estimator: Any) -> None:
    with pytest.raises(NotFittedError):
        clone(estimator).transform(DOCUMENTS)
    before = dict(estimator.get_params())
    fitted = clone(estimator).fit(DOCUMENTS)
    together, apart = clone(estimator).fit_transform(DOCUMENTS), fitted.transform(DOCUMENTS)
    assert abs(together - apart).max() < 1e-6
    assert abs(fitted.transform(DOCUMENTS[::-1]) - apart[::-1]).max() < 1e-6  # no row depends on another
    assert estimator.get_params() == before
    assert fitted.transform([]).shape == (0, apart.shape[1])
    assert len(fitted.get_feature_names_out()) == apart.shape[1]


def test_means(vectors: KeyedVectors) -> None:
    found = DocumentEmbedder(vectors, weighting="mean").fit_transform(DOCUMENTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], TABLE[[0, 2, 3]].mean(0), rtol=1e-6)
    np.testing.assert_allclose(found[3], TABLE[[1, 5, 1, 4]].mean(0), rtol=1e-6)
    assert not found[5].any()
    upper = DocumentEmbedder(vectors, weighting="mean", lowercase=True).fit_transform(["THE Tea"])
    np.testing.assert_allclose(upper[0], TABLE[[0, 2]].mean(0), rtol=1e-6)


@pytest.mark.parametrize("components", [0, 1, 2])
def test_sif_is_the_papers(vectors: KeyedVectors, components: int) -> None:
    embedder = DocumentEmbedder(vectors, a=0.01, components=components).fit(DOCUMENTS)
    share = COUNTS / COUNTS.sum()
    weighted = TABLE * (0.01 / (0.01 + share))[:, None]
    known = [[WORDS.index(word) for word in text.split() if word in WORDS] for text in DOCUMENTS]
    means = np.array([weighted[rows].mean(0) if rows else np.zeros(3) for rows in known])
    directions = np.linalg.svd(means)[2][:components]
    np.testing.assert_allclose(
        embedder.transform(DOCUMENTS), means - means @ directions.T @ directions, atol=1e-6
    )
    np.testing.assert_allclose(embedder.fit_transform(DOCUMENTS), embedder.transform(DOCUMENTS), atol=1e-7)
    # one document at a time: what was learnt stays
    np.testing.assert_allclose(
        embedder.transform(DOCUMENTS[:1]), embedder.transform(DOCUMENTS)[:1], atol=1e-6
    )


def test_sif_counts_the_documents_where_the_vectors_do_not_know() -> None:
    embedder = DocumentEmbedder(KeyedVectors(WORDS, TABLE), components=0, a=0.1).fit(DOCUMENTS)
    tea = TABLE[2] * (0.1 / (0.1 + 2 / 16))  # 2 of 16 words
    np.testing.assert_allclose(embedder.transform(["tea"])[0], tea, rtol=1e-5)


def test_vectors_of_a_tokenizers_tokens(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["茶馆里的茶客"] * 9, vocab_size=260)
    table = np.random.default_rng(0).normal(size=(260, 4)).astype(np.float32)
    names = [tokenizer.decode_single_token_bytes(id) for id in range(260)]
    KeyedVectors(names, table).save(tmp_path / "vectors")
    embedder = DocumentEmbedder(tmp_path / "vectors", tokenizer=tokenizer, weighting="mean")
    found = embedder.fit_transform(["茶客茶馆"])
    np.testing.assert_allclose(found[0], table[tokenizer.encode_ordinary("茶客茶馆")].mean(0), atol=1e-6)


def test_counts_of_tokens() -> None:
    tokenizer = Tokenizer.train(["tea and stone and cup"] * 9, vocab_size=262)
    documents = ["tea and tea", "", "cup 中"]
    counts = BpeVectorizer(tokenizer).fit_transform(documents)
    assert counts.shape == (3, 262)
    for row, text in zip(counts.toarray(), documents, strict=True):
        np.testing.assert_array_equal(row, np.bincount(tokenizer.encode_ordinary(text), minlength=262))
    assert BpeVectorizer(tokenizer, binary=True).fit_transform(documents).max() == 1
    names = BpeVectorizer(tokenizer).fit(documents).get_feature_names_out()
    assert names[tokenizer.encode_single_token(" and")] == " and"
    assert BpeVectorizer(tokenizer).fit_transform(["A"])[0, tokenizer.encode_single_token("A")] == 1
    assert BpeVectorizer(tokenizer, lowercase=True).fit_transform(["A"])[
        0, tokenizer.encode_single_token("a")
    ]


def test_counts_of_single_bytes_are_scikit_learns_of_characters() -> None:
    documents = ["abca", "cab b"]
    theirs = CountVectorizer(analyzer="char").fit(documents)
    ours = BpeVectorizer(vocab_size=257).fit(documents)  # 256 bytes and the document's end
    columns = [ours.tokenizer_.encode_single_token(c) for c in theirs.get_feature_names_out()]
    np.testing.assert_array_equal(
        ours.transform(documents)[:, columns].toarray(), theirs.transform(documents).toarray()
    )


def test_pipelines_and_grids(vectors: KeyedVectors, tmp_path: Path) -> None:
    pipeline = make_pipeline(DocumentEmbedder(vectors), LogisticRegression())
    grid = GridSearchCV(
        pipeline,
        {"documentembedder__weighting": ["mean", "sif"], "documentembedder__components": [0, 1]},
        cv=2,
    ).fit(DOCUMENTS[:5] * 4, LABELS[:5] * 4)
    assert grid.best_score_ > 0.9
    assert grid.predict(["tea cup", "stone"]).tolist() == [0, 1]
    counts = make_pipeline(BpeVectorizer(), TfidfTransformer(), LogisticRegression())
    grid = GridSearchCV(counts, {"bpevectorizer__vocab_size": [257, 260]}, cv=2)
    grid.fit(DOCUMENTS * 4, LABELS * 4)
    assert grid.predict(DOCUMENTS).tolist() == LABELS


def test_clones_share_the_table_and_pickles_are_whole(vectors: KeyedVectors) -> None:
    embedder = DocumentEmbedder(vectors)
    assert clone(embedder).vectors is vectors
    assert copy.deepcopy(vectors) is vectors
    fitted = embedder.fit(DOCUMENTS)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(DOCUMENTS), fitted.transform(DOCUMENTS))
    framed = DocumentEmbedder(vectors).set_output(transform="default").fit(DOCUMENTS)
    assert framed.get_feature_names_out().tolist() == [f"documentembedder{i}" for i in range(3)]


def test_bad_input(vectors: KeyedVectors) -> None:
    with pytest.raises(ValueError, match="not one string"):
        DocumentEmbedder(vectors).fit("tea")
    with pytest.raises(ValueError, match="documents must be strings, not bytes"):
        BpeVectorizer().fit([b"tea"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="weighting must be 'sif' or 'mean', not 'max'"):
        DocumentEmbedder(vectors, weighting="max").fit(["tea"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a must be above 0"):
        DocumentEmbedder(vectors, a=0).fit(["tea"])
    with pytest.raises(NlpkitError, match="--vocab-size"):
        BpeVectorizer(vocab_size=9999).fit(["tea"])
