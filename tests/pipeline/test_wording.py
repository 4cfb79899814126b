import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.pipeline.wording import duration, sentence, size, toml_value


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (10**16, "10,000 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_sentence_keeps_the_case_of_its_words() -> None:
    assert sentence("t-SNE and BPE") == "T-SNE and BPE"
    assert sentence("") == ""


values = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)  # fmt: skip


@given(st.one_of(values, st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3)))
@settings(max_examples=100, deadline=None)
def test_values_are_spelled_as_toml_reads_them(value: Any) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value
