"""The examples in the docstrings run."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["nlpkit.text.batches", "nlpkit.text.documents", "nlpkit.text.statistics"])
def test_docstring_examples_say_what_happens(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
