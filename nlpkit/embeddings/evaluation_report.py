"""Analogies and word pairs for one model or two: figures with confidence intervals, as JSON and as a page."""

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.evaluation import VectorTable, evaluate_word_analogies, pair_scores
from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import write_text

Floats = npt.NDArray[np.float64]
Report = dict[str, list[dict[str, Any]]]

Z_95 = 1.959964
"""The normal distribution's 97.5 % point."""

RESAMPLES = 1000
"""Of the pairs, for the interval of a difference of correlations."""


def evaluate_models(
    models: Mapping[str, VectorTable],
    analogies: Sequence[Path],
    pairs: Sequence[Path],
    *,
    restrict_vocab: int = 300_000,
) -> Report:
    """Every analogy section and every set of pairs for each model, and how two models differ.

    An accuracy has Wilson's interval; a rank correlation Fisher's, with the standard error of Bonett and
    Wright (2000). Two models are compared on what both know, question by question: a difference of accuracies
    has the interval of paired shares (the normal one, by the discordant questions), a difference of
    correlations that of a bootstrap over the pairs.

    Args:
        models: one or two, by name.
        analogies: files of `: section` lines and lines of four words.
        pairs: files of lines of word, word and score.
        restrict_vocab: know the first so many words only.

    Returns:
        Lines of "analogies" and "pairs", each of one model, and of "differences", the second model minus the
        first. Intervals are at 95 %.

    Raises:
        UsageError: neither kind of file is given, one is not there, or there are not one or two models.
        CorruptFileError: a file is malformed, or too few of its pairs are known.
    """
    if not analogies and not pairs:
        raise UsageError("give --analogies or --pairs, or both: files to evaluate by.")
    if not 1 <= len(models) <= 2:
        raise UsageError(f"give one or two models to evaluate, not {len(models)}.")
    report: Report = {"analogies": [], "pairs": [], "differences": []}
    for path in analogies:
        _add_analogies(report, models, path, restrict_vocab)
    for path in pairs:
        _add_pairs(report, models, path, restrict_vocab)
    return report


def _add_analogies(
    report: Report, models: Mapping[str, VectorTable], path: Path, restrict_vocab: int
) -> None:
    answered: list[dict[str, dict[tuple[str, ...], bool]]] = []
    for name, vectors in models.items():
        _, sections = evaluate_word_analogies(vectors, path, restrict_vocab=restrict_vocab)
        answered.append({})
        for found in sections:
            right, total = len(found["correct"]), len(found["correct"]) + len(found["incorrect"])
            low, high = wilson_interval(right, total)
            line = {"vectors": name, "file": path.name, "section": found["section"], "questions": total}
            line |= {"accuracy": right / total if total else None, "low": low, "high": high}
            report["analogies"].append(line)
            answers = dict.fromkeys(found["correct"], True) | dict.fromkeys(found["incorrect"], False)
            answered[-1][found["section"]] = answers
    if len(models) == 2:
        for section in (name for name in answered[0] if name in answered[1]):
            first, second = answered[0][section], answered[1][section]
            both = [(first[question], second[question]) for question in first.keys() & second.keys()]
            line = {"file": path.name, "section": section, "questions": len(both)}
            report["differences"].append(line | _shares_differ(both))


def _add_pairs(report: Report, models: Mapping[str, VectorTable], path: Path, restrict_vocab: int) -> None:
    scores = []
    for name, vectors in models.items():
        scores.append(pair_scores(vectors, path, restrict_vocab=restrict_vocab))
        known = np.array([pair for pair in scores[-1] if pair[0] is not None], float)
        if len(known) < 2:
            raise CorruptFileError(f"{path}: {len(known)} of its pairs are known, too few for a correlation.")
        rho = _spearman(known[None, :, 0], known[None, :, 1])[0]
        low, high = spearman_interval(rho, len(known))
        line = {"vectors": name, "file": path.name, "pairs": len(scores[-1])}
        line |= {"unknown": len(scores[-1]) - len(known), "spearman": rho, "low": low, "high": high}
        report["pairs"].append(line)
    if len(models) == 2:
        both = [
            (first, second, given)
            for (first, given), (second, _) in zip(*scores, strict=True)
            if first is not None and second is not None
        ]
        line = {"file": path.name, "section": "Spearman", "questions": len(both)}
        report["differences"].append(line | _correlations_differ(np.array(both, float).reshape(-1, 3)))


def wilson_interval(right: int, total: int) -> tuple[float | None, float | None]:
    """Of a share, at 95 % (Wilson 1927)."""
    if total == 0:
        return None, None
    share, spread = right / total, Z_95**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return middle - half, middle + half


def spearman_interval(rho: float, pairs: int) -> tuple[float | None, float | None]:
    """Of a rank correlation, at 95 %."""
    if pairs < 4 or abs(rho) >= 1:
        return None, None
    error = math.sqrt((1 + rho**2 / 2) / (pairs - 3))
    return math.tanh(math.atanh(rho) - Z_95 * error), math.tanh(math.atanh(rho) + Z_95 * error)


def _shares_differ(both: list[tuple[bool, bool]]) -> dict[str, float | None]:
    if not both:
        return {"difference": None, "low": None, "high": None}
    changes = np.array([int(second) - int(first) for first, second in both], float)
    half = Z_95 * float(changes.std()) / math.sqrt(len(both))
    return {"difference": float(changes.mean()), "low": changes.mean() - half, "high": changes.mean() + half}


def _correlations_differ(scores: Floats) -> dict[str, float | None]:
    """`scores`: (pairs, 3), both models' and the people's."""
    if len(scores) < 4:
        return {"difference": None, "low": None, "high": None}
    chosen = np.random.default_rng(0).integers(0, len(scores), (RESAMPLES, len(scores)))
    everything = np.concatenate([np.arange(len(scores))[None], chosen])
    first, second, given = (scores[everything, column] for column in range(3))
    differences = _spearman(second, given) - _spearman(first, given)
    low, high = np.nanquantile(differences[1:], [0.025, 0.975])
    return {"difference": float(differences[0]), "low": float(low), "high": float(high)}


def _spearman(first: Floats, second: Floats) -> Floats:
    """Rank correlations, one for each row."""
    from scipy.stats import rankdata

    ranks = [rankdata(scores, axis=1) for scores in (first, second)]
    centred = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    sizes = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    with np.errstate(invalid="ignore"):  # of equal scores only: no correlation
        found: Floats = (centred[0] * centred[1]).sum(axis=1) / sizes
    return found


def write_page(report: Report, path: Path) -> None:
    """The report as one page that needs nothing but itself."""
    import jinja2

    template = importlib.resources.files("nlpkit.embeddings") / "templates" / "evaluation.html.j2"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    write_text(path, environment.from_string(template.read_text(encoding="utf-8")).render(report=report))
