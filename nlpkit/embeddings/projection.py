"""Word vectors on a plane, and in groups: what a map of words is drawn from."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.search import unit_rows

Floats = npt.NDArray[np.floating[Any]]

FEWEST_FOR_TSNE = 30
PERPLEXITY = 20.0
"""t-SNE's, where there are words enough."""


def flatten(vectors: Floats, seed: int) -> tuple[Floats, str]:
    """Coordinates in [0, 1] of `vectors` (n, dim) by their directions, and how they were found.

    t-SNE (van der Maaten and Hinton, 2008) on cosine geometry, begun from the first two principal
    components so that the large-scale arrangement is theirs; too few words for it keep those components.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    units = unit_rows(vectors)
    if len(units) < FEWEST_FOR_TSNE:
        plane = PCA(n_components=2, random_state=seed).fit_transform(units)
        return _into_unit_square(plane), "the first two principal components"
    reduced = PCA(n_components=min(50, *units.shape), random_state=seed).fit_transform(units)
    layout = TSNE(perplexity=min(PERPLEXITY, len(units) / 4), init="pca", random_state=seed)
    return _into_unit_square(layout.fit_transform(reduced)), "t-SNE from the principal components"


def clusters(vectors: Floats, count: int, seed: int) -> list[int]:
    """A cluster number for each vector, clusters numbered by falling size: the map's colours."""
    from sklearn.cluster import KMeans

    units = unit_rows(vectors)
    labels = KMeans(n_clusters=min(count, len(units)), n_init=4, random_state=seed).fit_predict(units)
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return [int(number) for number in rank[labels]]


def _into_unit_square(plane: Floats) -> Floats:
    low, high = plane.min(axis=0), plane.max(axis=0)
    return np.asarray((plane - low) / np.maximum(high - low, 1e-12))
