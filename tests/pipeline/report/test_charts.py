import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.pipeline.report.charts import length_histogram, loss_chart, nice_ticks, smooth, spread

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("low", "high", "count", "ticks"),
    [
        (0, 600, 5, [0, 200, 400, 600]),
        (1.93, 3.6, 6, [1.5, 2, 2.5, 3, 3.5, 4]),
        (0, 0.192, 5, [0, 0.05, 0.1, 0.15, 0.2]),
        (0, 1, 5, [0, 0.25, 0.5, 0.75, 1]),
        (3, 3, 5, [3]),
    ],
)
def test_ticks_are_round_and_span_the_values(low: float, high: float, count: int, ticks: list[float]) -> None:
    assert nice_ticks(low, high, count) == ticks


@given(finite, finite, st.integers(2, 10))
@settings(max_examples=50, deadline=None)
def test_ticks_always_span_and_are_few(low: float, high: float, count: int) -> None:
    low, high = min(low, high), max(low, high)
    if high - low < 1e-3:
        return
    ticks = nice_ticks(low, high, count)
    assert ticks[0] <= low + 1e-6 * (high - low)
    assert ticks[-1] >= high - 1e-6 * (high - low)
    assert len(ticks) <= 2 * count + 1
    assert ticks == sorted(set(ticks))


def test_smoothing_keeps_a_line_and_its_ends() -> None:
    line = [(float(x), 2.0 * x) for x in range(9)]
    assert smooth(line, 3) == line
    assert smooth([(0.0, 1.0), (1.0, 4.0), (2.0, 1.0)], 1) == [(0.0, 1.0), (1.0, 2.0), (2.0, 1.0)]


@given(st.lists(st.floats(0, 100), max_size=6))
@settings(max_examples=50, deadline=None)
def test_spread_labels_keep_order_and_distance(wanted: list[float]) -> None:
    placed = spread(wanted, 15, 0, 100)
    ordered = [placed[index] for index in sorted(range(len(wanted)), key=lambda index: wanted[index])]
    assert all(b - a >= 15 - 1e-9 for a, b in pairwise(ordered))
    assert all(y <= 100 for y in placed)


def test_labels_far_apart_stay_where_they_are() -> None:
    assert spread([10, 80, 40], 15, 0, 100) == [10, 80, 40]


def test_the_loss_chart_places_better_values_lower_and_labels_each_line() -> None:
    chart = loss_chart([(1, 4.0), (2, 2.0)], [(2, 2.5)], [("gzip −9", 3.0)])
    train, validation, level = chart.lines[1:]
    assert [line.name for line in chart.lines] == ["", "train", "held out", "gzip −9"]
    assert [line.label for line in (train, validation, level)] == ["2.00", "2.50", "3.00"]
    assert train.label_y > validation.label_y > level.label_y
    assert validation.dots[0][2] == "step 2: 2.500"
    assert chart.y_ticks[0].text == "2"
    assert all(chart.top <= tick.at <= chart.bottom for tick in chart.y_ticks)
    assert [tick.text for tick in chart.x_ticks][-1] == "2"


def test_a_loss_chart_of_one_step_is_drawn() -> None:
    chart = loss_chart([(1, 3.0)], [], [])
    assert chart.lines[0].path.count("L") == 1
    assert all(math.isfinite(tick.at) for tick in (*chart.x_ticks, *chart.y_ticks))


def test_the_histogram_shows_shares_and_gathers_long_tokens() -> None:
    chart = length_histogram([0, 50, 30, 0, 15, 5], [0, 1, 1, 1, 1], most=4)
    assert [bar.text for bar in chart.bars] == ["1", "2", "3", "4+"]
    assert chart.bars[0].title == "1 bytes: 50.0% of the text, 25.0% of the vocabulary"
    assert chart.bars[3].title == "4+ bytes: 20.0% of the text, 25.0% of the vocabulary"
    assert chart.bars[2].height == 0
    heights = [bar.height for bar in chart.bars]
    assert heights[0] / heights[3] == pytest.approx(2.5, abs=0.01)
    assert len({bar.mark_y for bar in chart.bars}) == 1
