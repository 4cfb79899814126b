"""What docs/losses.md shows runs."""

import re
from pathlib import Path

import torch


def test_the_example_of_the_page_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    names = {
        "counts": [5, 3, 2, 1],
        "hidden": torch.randn(2, 3, 100, requires_grad=True),
        "targets": torch.tensor([[0, 1, 2], [3, 0, 0]]),
        "images": torch.randn(4, 8, requires_grad=True),
        "captions": torch.randn(4, 8, requires_grad=True),
    }
    exec(compile(example, "docs/losses.md", "exec"), names)
    assert names["hidden"].grad is not None
    assert names["images"].grad is not None
