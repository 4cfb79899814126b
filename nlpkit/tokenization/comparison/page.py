"""The comparison as one HTML page that needs nothing but itself."""

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpkit.files import write_text
from nlpkit.tokenization.comparison import charts
from nlpkit.tokenization.comparison.figures import Comparison, TextFigures, VocabularyFigures
from nlpkit.tokenization.comparison.wording import lede, percent, short_names
from nlpkit.tokenization.showing import readable

SCRIPTS_DRAWN = 12
"""Those with most text; `--json` has all."""
SOURCES_DRAWN = 40
PASSAGE_CHARACTERS = 160


def write_comparison_page(comparison: Comparison, path: Path, *, corpus: Sequence[str]) -> None:
    """Write the page.

    Args:
        comparison: of `compare_vocabularies`.
        path: the file.
        corpus: what the texts are called.
    """
    write_text(path, comparison_page(comparison, corpus=corpus))


def comparison_page(comparison: Comparison, *, corpus: Sequence[str]) -> str:
    """The page as text; arguments as `write_comparison_page`'s."""
    import jinja2

    templates = importlib.resources.files("nlpkit.tokenization.comparison") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda number: f"{number:,}",
        "percent": percent,
        "two": lambda number: "–" if number is None else f"{number:.2f}",
        "figure": lambda number: "–" if number is None else f"{number:.3g}",
    }
    vocabularies = comparison.vocabularies
    names = short_names([vocabulary.name for vocabulary in vocabularies])
    return environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        vocabularies=vocabularies,
        names=names,
        corpus=short_names(corpus),
        lede=lede(vocabularies, names),
        best=_best(vocabularies),
        best_speed=max((v.megabytes_per_second or 0.0) for v in vocabularies),
        scripts=_grouped(vocabularies, [vocabulary.scripts for vocabulary in vocabularies], SCRIPTS_DRAWN),
        sources=_grouped(vocabularies, [vocabulary.sources for vocabulary in vocabularies], SOURCES_DRAWN),
        evenness=charts.size_and_evenness(vocabularies) if comparison.text_bytes else None,
        lengths=charts.token_lengths(vocabularies) if comparison.text_bytes else None,
        lossy=[name for name, v in zip(names, vocabularies, strict=True) if v.kind == "words"],
        passages=[(_shown(passage.text), passage) for passage in comparison.passages],
    )


def _best(vocabularies: Sequence[VocabularyFigures]) -> Mapping[str, float | None]:
    """The best value of each column of the first table, where there is anything to choose."""
    if len(vocabularies) < 2:
        return dict.fromkeys(("bytes_per_token", "fertility", "coverage", "renyi", "speed"))
    fertilities = [f for v in vocabularies if (f := v.total.fertility) is not None and v.kind == "bpe"]
    return {
        "bytes_per_token": max(
            (v.total.bytes_per_token for v in vocabularies if v.kind == "bpe"), default=None
        ),
        "fertility": min(fertilities, default=None),
        "coverage": max(v.total.coverage for v in vocabularies),
        "renyi": max(v.renyi_efficiency for v in vocabularies),
        "speed": max((v.megabytes_per_second or 0.0) for v in vocabularies) or None,
    }


def _grouped(
    vocabularies: Sequence[VocabularyFigures], parts: Sequence[Mapping[str, TextFigures]], most: int
) -> dict[str, Any]:
    """Bytes per token and more by part of the corpus, those with most text first."""
    names = sorted(parts[0], key=lambda name: -parts[0][name].text_bytes)
    total = vocabularies[0].total.text_bytes
    rows: list[dict[str, Any]] = [
        {
            "name": short,
            "share": parts[0][name].text_bytes / max(1, total),
            "figures": [of_vocabulary[name] for of_vocabulary in parts],
        }
        for name, short in zip(names[:most], short_names(names[:most]), strict=True)
    ]
    longest = max((f.bytes_per_token for row in rows for f in row["figures"]), default=1.0) or 1.0
    ticks = range(0, math.floor(longest) + 1, math.ceil(longest / 8))
    return {"rows": rows, "left": len(names) - len(rows), "longest": longest, "ticks": ticks}


def _shown(text: str) -> str:
    """The beginning of a passage, white space and what cannot be seen made visible."""
    shown = readable(text.encode()).replace("·", " ")
    return shown[:PASSAGE_CHARACTERS] + "…" * (len(shown) > PASSAGE_CHARACTERS)
