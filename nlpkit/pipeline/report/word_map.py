"""The map of words: which words it shows, and which labels fit without touching."""

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
