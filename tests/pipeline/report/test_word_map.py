import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.pipeline.report.word_map import (
    burstiness,
    content_words,
    is_word,
    label_width,
    visible_labels,
)


def test_a_word_spread_evenly_is_less_bursty_than_one_in_a_single_place() -> None:
    even = np.tile([0, 1, 1, 1], 100)
    bursty = np.where(np.arange(400) < 50, 2, even)
    scores = burstiness(bursty, 4, block=20)
    assert scores[2] > 2
    assert scores[2] > scores[0] + 2
    assert scores[3] == 0


def test_burstiness_is_the_formula_of_church_and_gale() -> None:
    ids = np.array([0, 0, 1, 1, 1, 1, 1, 1])
    scores = burstiness(ids, 2, block=2)
    expected = -np.log2(1 / 4) + np.log2(1 - np.exp(-2 / 4))
    assert scores[0] == pytest.approx(expected)


@pytest.mark.parametrize("text", ["file", " file", "сло", "日本", "हिन्दी", "día"])
def test_words(text: str) -> None:
    assert is_word(text)


@pytest.mark.parametrize("text", ["", " ", "of", "a1", "foo_bar", "<unk>", "  two", "don't", "\n"])
def test_what_is_no_word_to_look_at(text: str) -> None:
    assert not is_word(text)


def test_content_words_are_frequent_bursty_and_come_once() -> None:
    texts = ["the", " file", "file", "class", ",", "value", "with"]
    counts = [100, 50, 40, 30, 90, 20, 60]
    scores = [0.0, 2.0, 1.9, 1.5, 3.0, 1.0, 0.1]
    assert [texts[i] for i in content_words(texts, counts, scores, 3)] == [" file", "class", "value"]
    assert content_words([",", "."], [1, 1], [1.0, 1.0], 3) == []


def test_a_label_that_would_touch_an_earlier_one_is_hidden() -> None:
    boxes = [(0, 0, 10, 10), (5, 5, 15, 15), (10, 0, 20, 10)]
    assert visible_labels(boxes) == [True, False, True]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=20))
@settings(max_examples=50, deadline=None)
def test_shown_labels_never_touch(corners: list[tuple[float, float]]) -> None:
    boxes = [(x, y, x + 8, y + 4) for x, y in corners]
    shown = [box for box, seen in zip(boxes, visible_labels(boxes), strict=True) if seen]
    for index, a in enumerate(shown):
        for b in shown[:index]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert not boxes or visible_labels(boxes)[0]


def test_wide_characters_take_a_whole_em() -> None:
    assert label_width("日本", 10) == 20
    assert label_width("ab", 10) == pytest.approx(11.2)
