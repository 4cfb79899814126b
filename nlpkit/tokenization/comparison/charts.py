"""Geometry of the comparison page's two drawn charts: data in, coordinates of an SVG's view box out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nlpkit.tokenization.comparison.figures import VocabularyFigures

LONGEST = 16
"""Bytes from which on token lengths share the last place."""
LABEL_HEIGHT, LABEL_WIDTH = 17.0, 180.0


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the marks of an axis are, and what they say."""

    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A frame, its axes, and for each vocabulary its points and where its label goes."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x: Axis
    y: Axis
    points: Sequence[Sequence[tuple[float, float]]]
    label_ys: Sequence[float]


def size_and_evenness(vocabularies: Sequence[VocabularyFigures]) -> Chart:
    """Rényi efficiency over the number of ids, on a logarithmic axis: one point a vocabulary."""
    frame = {"width": 760.0, "height": 330.0, "left": 44.0, "right": 620.0, "top": 14.0, "bottom": 296.0}
    exponents = [math.log2(max(2, vocabulary.n_vocab)) for vocabulary in vocabularies]
    low, high = math.floor(min(exponents) - 0.25), math.ceil(max(exponents) + 0.25)
    values = [vocabulary.renyi_efficiency for vocabulary in vocabularies]
    bottom, top = math.floor(min(values) * 20 - 0.2) / 20, math.ceil(max(values) * 20 + 0.2) / 20
    bottom, top = max(0.0, bottom), min(1.0, top)

    def x_of(exponent: float) -> float:
        return round(44 + (620 - 44) * (exponent - low) / (high - low), 1)

    def y_of(value: float) -> float:
        return round(296 - (296 - 14) * (value - bottom) / (top - bottom), 1)

    every = 1 if high - low <= 9 else 2
    steps = round((top - bottom) * 20)
    y_ticks = [bottom + step / 20 for step in range(0, steps + 1, math.ceil(steps / 6))]
    points = [(x_of(x), y_of(y)) for x, y in zip(exponents, values, strict=True)]
    return Chart(
        **frame,
        x=Axis([(x_of(x), _power_of_two(x)) for x in range(low, high + 1, every)]),
        y=Axis([(y_of(value), f"{value:.2f}") for value in y_ticks]),
        points=[[point] for point in points],
        label_ys=_label_heights(points),
    )


def token_lengths(vocabularies: Sequence[VocabularyFigures]) -> Chart:
    """How long the corpus's tokens are: a line a vocabulary, its tokens' shares over lengths in bytes."""
    frame = {"width": 760.0, "height": 330.0, "left": 44.0, "right": 748.0, "top": 14.0, "bottom": 296.0}
    shares = [length_shares(vocabulary.token_lengths) for vocabulary in vocabularies]
    highest = max(0.1, math.ceil(max(map(max, shares)) * 10) / 10)
    step = (748 - 44) / (LONGEST - 1)

    def y_of(share: float) -> float:
        return round(296 - (296 - 14) * share / highest, 1)

    lines = [[(round(44 + step * i, 1), y_of(share)) for i, share in enumerate(line)] for line in shares]
    names = [*map(str, range(1, LONGEST)), f"{LONGEST}+"]
    tenths = round(highest * 10)
    return Chart(
        **frame,
        x=Axis([(round(44 + step * i, 1), name) for i, name in enumerate(names)]),
        y=Axis([(y_of(i / 10), f"{i * 10} %") for i in range(0, tenths + 1, math.ceil(tenths / 6))]),
        points=lines,
        label_ys=(),
    )


def length_shares(counts: Sequence[int]) -> list[float]:
    """Shares of the tokens of 1 to 15 bytes, and of those of 16 or more.

    >>> length_shares([0, 1, 3])[:3]
    [0.25, 0.75, 0.0]
    """
    total = sum(counts[1:]) or 1
    shorter = list(counts[1:LONGEST])
    shorter += [0] * (LONGEST - 1 - len(shorter))
    return [count / total for count in [*shorter, sum(counts[LONGEST:])]]


def _power_of_two(exponent: int) -> str:
    for unit, name in ((20, " Mi"), (10, " Ki")):
        if exponent >= unit:
            return f"{2 ** (exponent - unit)}{name}"
    return str(2**exponent)


def _label_heights(points: Sequence[tuple[float, float]]) -> list[float]:
    """Heights near those of the points at which their labels, to the right of them, cover no other."""
    placed: dict[int, tuple[float, float]] = {}
    for index in sorted(range(len(points)), key=lambda index: points[index][1]):
        x, y = points[index]
        for other_x, other_y in placed.values():
            if abs(x - other_x) < LABEL_WIDTH:
                y = max(y, other_y + LABEL_HEIGHT)
        placed[index] = (x, y)
    return [placed[index][1] for index in range(len(points))]
