"""The commands with which one goes on after a run."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def next_commands(run: Mapping[str, Any], folder: Path = Path()) -> list[tuple[str, str]]:
    """What one can do with what a run made: (what it does, the command).

    Args:
        run: the content of `run.json`.
        folder: the run folder, as seen from where the commands are typed.
    """
    stages = run["stages"]
    found = []
    if "lm" in stages:
        model = _quoted(folder / "lm")
        found.append(("let the model write", f"nlpkit lm generate {model} --prompt 'The' --temperature 0.8"))
    if word := stages.get("report", {}).get("figures", {}).get("example_word"):
        vectors = _quoted(folder / "embeddings")
        found.append(("list the nearest words", f"nlpkit embeddings similar {vectors} {_quoted(word)}"))
    if "tokenizer" in stages:
        vocabulary = _quoted(folder / "tokenizer")
        show = f"nlpkit tokenizer show --vocabulary {vocabulary} 'Tokens are pieces of words.'"
        found.append(("see how a text falls into tokens", show))
    return found


def _quoted(value: str | Path) -> str:
    return shlex.quote(str(value))
