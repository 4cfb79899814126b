"""Configs from plain values: unknown, missing and ill-typed keys are refused by name."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from nlpkit.errors import UsageError
from nlpkit.training import config_from


@dataclass(frozen=True)
class Shape:
    width: int
    ratio: float = 1.0
    kind: Literal["round", "square"] = "round"
    label: str | None = None
    filled: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UsageError(f"width is {self.width}: it must be at least 1.")


def test_plain_values_make_a_config() -> None:
    values = {"width": 3, "ratio": 2, "kind": "square", "label": "x", "filled": True}
    assert config_from(Shape, values, "f") == Shape(3, 2, "square", "x", True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 3, "witdh": 4}, "f has the unknown key witdh: did you mean width?"),
        (
            {"width": 3, "zzz": 4},
            "f has the unknown key zzz: the keys are width, ratio, kind, label, filled.",
        ),
        ({}, "f lacks the key width."),
        ({"width": 3.5}, "f has width = 3.5, which is no whole number."),
        ({"width": True}, "f has width = True, which is no whole number."),
        ({"width": 3, "ratio": "2"}, "f has ratio = '2', which is no number."),
        ({"width": 3, "kind": "oval"}, "f has kind = 'oval', which is no 'round' or 'square'."),
        ({"width": 3, "label": 1}, "f has label = 1, which is no text or null."),
        ({"width": 3, "filled": 1}, "f has filled = 1, which is no true or false."),
        ({"width": 0}, "f: width is 0: it must be at least 1."),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_from(Shape, values, "f")
    assert str(caught.value) == message
