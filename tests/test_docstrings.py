"""The examples in the docstrings say what happens."""

import base64
import doctest
import gzip
import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nlpkit.tokenization import Tokenizer

ROOT = Path(__file__).parent.parent


class Parser(doctest.DocTestParser):
    """Takes the fences around examples for blank lines."""

    def parse(self, string: str, name: str = "<string>") -> list[Any]:
        return super().parse(re.sub(r"^ *```\w*$", "", string, flags=re.MULTILINE), name)


def modules() -> list[str]:
    """The modules with examples; those that would train or load a model say +SKIP."""
    sources = sorted((ROOT / "nlpkit").rglob("*.py"))
    return [
        ".".join(source.relative_to(ROOT).with_suffix("").parts)
        for source in sources
        if re.search(r">>> (?!.*\+SKIP)", source.read_text(encoding="utf-8"))
    ]


@pytest.fixture(scope="module")
def gpt2() -> Tokenizer:
    """What examples call `tokenizer`."""
    data = os.environ.get("NLPKIT_DATA")
    if not data:
        pytest.skip("NLPKIT_DATA is not set: no published vocabulary")
    lines = gzip.decompress((Path(data) / "text" / "vocab" / "r50k_base.tiktoken.gz").read_bytes()).split()
    ranks = {base64.b64decode(token): int(rank) for token, rank in zip(*[iter(lines)] * 2, strict=True)}
    return Tokenizer(
        "gpt2", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": len(ranks)}
    )


@pytest.mark.parametrize("module", modules())
def test_examples_say_what_happens(
    module: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finder = doctest.DocTestFinder(parser=Parser())
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(importlib.import_module(module)):
        if any("tokenizer." in example.source for example in test.examples):
            test.globs["tokenizer"] = request.getfixturevalue("gpt2")
        runner.run(test)
    assert runner.tries > 0
    assert runner.failures == 0
