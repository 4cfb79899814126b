"""How the comparison puts figures and names into words."""

import math
from collections.abc import Sequence

from nlpkit.tokenization.comparison.figures import VocabularyFigures


def percent(share: float, least_digits: int = 0) -> str:
    """A share, with the more digits the nearer it is to 0 or 1; only a whole one is 100 %.

    >>> percent(0.5), percent(0.99996)
    ('50 %', '99.996 %')
    """
    distance = 100 * min(share, 1 - share)
    order = math.floor(math.log10(distance)) if distance > 0 else 2
    digits = min(5, 1 - order if distance >= 1 else -order)
    return f"{100 * share:.{max(least_digits, digits)}f} %"


def short_names(names: Sequence[str]) -> list[str]:
    """The last parts of paths, as many as tell them apart, less what every vocabulary's file is called.

    >>> short_names(["runs/a/vocabulary", "runs/b/vocabulary", "Llama-3/tokenizer.json", "o200k.tiktoken"])
    ['a/vocabulary', 'b/vocabulary', 'Llama-3', 'o200k']
    """
    plain = [name.removesuffix("/tokenizer.json").removesuffix(".tiktoken") for name in names]
    parts = [[part for part in name.split("/") if part] or [name] for name in plain]
    depths = range(1, max(map(len, parts), default=1) + 1)
    shortened = (["/".join(part[-depth:]) for part in parts] for depth in depths)
    return next((short for short in shortened if len(set(short)) == len(set(names))), list(names))


def lede(vocabularies: Sequence[VocabularyFigures], names: Sequence[str]) -> str:
    """The page's first sentence: which vocabulary needs fewest tokens, and how many more the others."""
    complete = [
        (vocabulary.total.tokens, name)
        for vocabulary, name in zip(vocabularies, names, strict=True)
        if vocabulary.kind == "bpe" and vocabulary.total.tokens
    ]
    if not complete:
        return ""
    (fewest, best), *others = sorted(complete)
    if not others:
        return f"{best} makes {fewest:,} tokens of it."
    more = [f"{name} {_more(tokens / fewest - 1)}" for tokens, name in others]
    listed = " and ".join([", ".join(more[:-1]), more[-1]] if len(more) > 1 else more)
    return f"{best} needs the fewest tokens; {listed}."


def _more(share: float) -> str:
    return f"{share:.1%} more".replace("%", " %") if share else "as many"
