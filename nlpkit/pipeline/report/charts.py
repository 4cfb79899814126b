"""Geometry of the report's charts: data in, coordinates and ticks out. The template draws them as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: its SVG path, its label, and where the label stands at the right edge."""

    name: str
    kind: str
    path: str
    label: str
    label_y: float
    dots: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LineChart:
    """Curves over steps; all coordinates are those of the SVG's view box."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram, and the mark of the second series above the same value."""

    x: float
    y: float
    width: float
    height: float
    mark_y: float
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Two distributions over the same whole numbers: bars and marks."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers that span `low` to `high`: steps of 1, 2, 2.5 or 5 times a power of ten.

    >>> nice_ticks(0, 600, 5)
    [0, 200, 400, 600]
    """
    if not high > low:
        return [low]
    rough = (high - low) / max(1, count - 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def smooth(points: Sequence[Point], reach: int) -> list[Point]:
    """The line that the eye follows: means with the neighbours up to `reach` away, fewer near the ends."""
    smoothed = []
    for index, (x, _) in enumerate(points):
        near = min(reach, index, len(points) - 1 - index)
        values = [y for _, y in points[index - near : index + near + 1]]
        smoothed.append((x, sum(values) / len(values)))
    return smoothed


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near `wanted`, in the same order, `gap` apart and, where they fit, inside the range."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    previous = -math.inf
    for index in order:
        placed[index] = previous = max(wanted[index], previous + gap, low)
    limit = high
    for index in reversed(order):
        placed[index] = limit = min(placed[index], limit)
        limit -= gap
    return placed


def loss_chart(
    train: Sequence[Point],
    validation: Sequence[Point],
    levels: Sequence[tuple[str, float]],
    *,
    width: float = 760,
    height: float = 380,
) -> LineChart:
    """Bits per byte over steps: training faint and smoothed, validation with dots, `levels` as rules across.

    Args:
        train: (step, bits per byte); at least one point.
        validation: the same on held-out text; may be empty.
        levels: (name, bits per byte) of the compressors.
        width: of the view box.
        height: of the view box.
    """
    left, right, top, bottom = 44.0, width - 118, 14.0, height - 34
    smoothed = smooth(train, len(train) // 60)
    values = [y for _, y in [*smoothed, *validation]] + [level for _, level in levels]
    y_values = nice_ticks(min(values), max(values), 6)
    x_values = [x for x in nice_ticks(0, train[-1][0], 6) if x <= train[-1][0]]

    def place(point: Point) -> Point:
        x = left + (right - left) * point[0] / max(1.0, train[-1][0])
        share = (point[1] - y_values[0]) / ((y_values[-1] - y_values[0]) or 1.0)
        return round(x, 1), round(bottom - (bottom - top) * min(1.0, max(0.0, share)), 1)

    curves = [("train", "train", smoothed), *([("held out", "validation", validation)] if validation else [])]
    curves += [(name, "level", [(0.0, level), (train[-1][0], level)]) for name, level in levels]
    label_ys = spread([place(points[-1])[1] for _, _, points in curves], 15.5, top, bottom)
    lines = [Line("", "raw", _path([place(point) for point in train]), "", 0.0)]
    for (name, kind, points), label_y in zip(curves, label_ys, strict=True):
        placed = [place(point) for point in points]
        dots = tuple(
            (*at, f"step {point[0]:,.0f}: {point[1]:.3f}") for at, point in zip(placed, points, strict=True)
        )
        label = f"{points[-1][1]:.2f}"
        lines.append(Line(name, kind, _path(placed), label, label_y, dots if kind == "validation" else ()))
    return LineChart(
        width, height, left, right, top, bottom,
        x_ticks=tuple(Tick(place((x, 0))[0], f"{x:,.0f}") for x in x_values),
        y_ticks=tuple(Tick(place((0, y))[1], f"{y:g}") for y in y_values),
        lines=tuple(lines),
    )  # fmt: skip


def length_histogram(
    text: Sequence[int], vocabulary: Sequence[int], *, width: float = 760, height: float = 260, most: int = 16
) -> Histogram:
    """How long tokens are: shares of the tokens of a text (bars) and of the vocabulary (marks).

    Args:
        text: at index n, how many tokens of n bytes the text has (index 0 is unused).
        vocabulary: the same of the vocabulary's entries.
        width: of the view box.
        height: of the view box.
        most: lengths from here on share the last bar.
    """
    left, right, top, bottom = 44.0, width - 8, 14.0, height - 34
    shares = [_shares(counts, most) for counts in (text, vocabulary)]
    ticks = nice_ticks(0, max(map(max, shares)), 5)
    room = (right - left) / most

    def y_of(share: float) -> float:
        return round(bottom - (bottom - top) * share / (ticks[-1] or 1.0), 1)

    bars = []
    for index, (in_text, in_vocabulary) in enumerate(zip(*shares, strict=True)):
        name = f"{index + 1}" if index + 1 < most else f"{most}+"
        bars.append(
            Bar(
                x=round(left + room * (index + 0.14), 1),
                y=y_of(in_text),
                width=round(room * 0.72, 1),
                height=round(bottom - y_of(in_text), 1),
                mark_y=y_of(in_vocabulary),
                text=name,
                title=f"{name} bytes: {in_text:.1%} of the text, {in_vocabulary:.1%} of the vocabulary",
            )
        )
    y_ticks = tuple(Tick(y_of(value), f"{value:.0%}") for value in ticks)
    return Histogram(width, height, left, right, top, bottom, y_ticks, tuple(bars))


def _shares(counts: Sequence[int], most: int) -> list[float]:
    total = sum(counts[1:]) or 1
    padded = [*counts[1:], *[0] * most]
    return [count / total for count in [*padded[: most - 1], sum(padded[most - 1 :])]]


def _path(points: Sequence[Point]) -> str:
    """An SVG path through `points`; a single point becomes a hairline so that it can be seen."""
    if len(points) == 1:
        points = [points[0], (points[0][0] + 1, points[0][1])]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
