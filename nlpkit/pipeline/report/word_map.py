"""Word vectors on a plane: which words, where they lie, and which labels fit without touching."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

BLOCK = 500
"""Ids that count as one document when burstiness is measured."""


def burstiness(ids: npt.NDArray[np.integer[Any]], n_vocab: int, *, block: int = BLOCK) -> Floats:
    """Residual inverse document frequency of every id: how much more it clusters than chance would have it.

    log2 of the expected over the observed share of blocks that hold the id, were its occurrences Poisson
    (Church and Gale, 1995). Words that carry content come in bursts, the grammar's words do not, whatever
    the language.

    Args:
        ids: the text.
        n_vocab: one more than the largest id.
        block: ids a block.

    Returns:
        (n_vocab,) in bits; 0 for ids that do not occur.
    """
    blocks = -(-len(ids) // block)
    counts = np.bincount(ids, minlength=n_vocab)
    pairs = np.unique(ids.astype(np.int64) * blocks + np.arange(len(ids)) // block)
    found_in = np.bincount(pairs // blocks, minlength=n_vocab)
    present = counts > 0
    scores = np.zeros(n_vocab)
    expected = 1 - np.exp(-counts[present] / blocks)
    scores[present] = np.log2(expected * blocks / found_in[present])
    return scores


def is_word(text: str) -> bool:
    """Whether a token is a word one can look at: letters only, at least two, or one of a script without many.

    A leading space does not count: split patterns keep it with the word.
    """
    word = text[1:] if text[:1] == " " else text
    letters = all(unicodedata.category(char)[0] in "LM" for char in word)
    return bool(word) and letters and (len(word) > 2 or not word.isascii())


def content_words(
    texts: Sequence[str], counts: Sequence[int], scores: Sequence[float], most: int
) -> list[int]:
    """Indices of the frequent words that carry content, by falling count, each spelling once.

    Of the frequent words (four times as many as asked for) the burstier half stays.

    Args:
        texts: the tokens.
        counts: how often each occurs.
        scores: their `burstiness`.
        most: at most so many.
    """
    seen: set[str] = set()
    frequent = []
    for index in sorted(range(len(texts)), key=lambda i: -counts[i]):
        word = texts[index].strip()
        if is_word(texts[index]) and word not in seen:
            seen.add(word)
            frequent.append(index)
        if len(frequent) == 4 * most:
            break
    if not frequent:
        return []
    middle = float(np.median([scores[index] for index in frequent]))
    return [index for index in frequent if scores[index] >= middle][:most]


def flatten(vectors: Floats, seed: int) -> tuple[Floats, str]:
    """Coordinates in [0, 1] of unit-length `vectors` (n, dim), and how they were found.

    t-SNE (van der Maaten and Hinton, 2008) on cosine geometry, begun from the first two principal
    components so that the large-scale arrangement is theirs; too few words for it keep those components.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    if len(unit) < 30:
        plane = PCA(n_components=2, random_state=seed).fit_transform(unit)
        return _into_unit_square(plane), "the first two principal components"
    reduced = PCA(n_components=min(50, *unit.shape), random_state=seed).fit_transform(unit)
    layout = TSNE(perplexity=min(20.0, len(unit) / 4), init="pca", random_state=seed)
    return _into_unit_square(layout.fit_transform(reduced)), "t-SNE from the principal components"


def clusters(vectors: Floats, count: int, seed: int) -> list[int]:
    """A cluster number for each vector, clusters numbered by falling size: the map's colours."""
    from sklearn.cluster import KMeans

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    labels = KMeans(n_clusters=min(count, len(unit)), n_init=4, random_state=seed).fit_predict(unit)
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return [int(number) for number in rank[labels]]


def visible_labels(boxes: Sequence[tuple[float, float, float, float]]) -> list[bool]:
    """Which labels to show so that none touches another: each in turn, where it is still free.

    Args:
        boxes: (left, top, right, bottom) of each label, the most important first.
    """
    shown: list[tuple[float, float, float, float]] = []
    visible = []
    for box in boxes:
        free = all(
            box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
            for other in shown
        )
        visible.append(free)
        if free:
            shown.append(box)
    return visible


def label_width(text: str, size: float) -> float:
    """About how wide a label is: full-width characters take one em, others a bit over half."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return size * (wide + 0.56 * (len(text) - wide))


def _into_unit_square(plane: Floats) -> Floats:
    low, high = plane.min(axis=0), plane.max(axis=0)
    return np.asarray((plane - low) / np.maximum(high - low, 1e-12))
