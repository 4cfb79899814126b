"""`compare_runs`: the learning curves of several runs, beside each other at equal bytes of text read.

Steps and tokens of runs with different vocabularies do not compare; bytes of text and bits per byte do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlpkit.errors import UsageError
from nlpkit.files import atomic_file
from nlpkit.lm.model import count_parameters
from nlpkit.lm.run import read_run_config
from nlpkit.training.metrics import read_metrics


@dataclass(frozen=True)
class Curve:
    """How a run learnt."""

    run: Path
    parameters: int
    n_vocab: int
    vocabulary: str
    """The fingerprint."""
    bytes_per_token: float
    """Of the training text."""
    training: tuple[tuple[float, float], ...]
    """Bytes of text read (repeats counted) and bits per byte on what was being read, step by step."""
    validation: tuple[tuple[float, float], ...]
    """The same on the held-out text, at each evaluation."""
    tokens_per_second: float
    """The median over the steps."""
    seconds: float
    """Spent in steps."""

    def validation_at(self, text_bytes: float) -> float | None:
        """The best held-out bits per byte by the time that `text_bytes` were read; None before the first."""
        seen = [bits for read, bits in self.validation if read <= text_bytes * (1 + 1e-9)]
        return min(seen, default=None)


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other."""

    curves: tuple[Curve, ...]
    equal_bytes: float
    """Bytes of text that every run has read: the least that one of them has."""


def read_curve(run: Path) -> Curve:
    """The curve of a run folder.

    Raises:
        UsageError: the folder holds no run, or one without a finished step.
        CorruptFileError: a file of the run is damaged.
    """
    config = read_run_config(run)
    training = config.begun(run)
    records = read_metrics(run / "metrics.jsonl")
    if not records:
        raise UsageError(f"{run} has no finished step: train it first, with `nlpkit lm train`.")
    plan, train = training.plan, training.train
    bytes_per_token = train["text_bytes"] / train["tokens"]
    step_bytes = plan.batch_size * plan.model.context_length * bytes_per_token
    bits = 1 / (math.log(2) * bytes_per_token)
    speeds = sorted(record["tokens_per_second"] for record in records)
    return Curve(
        run=run,
        parameters=count_parameters(plan.model),
        n_vocab=plan.model.n_vocab,
        vocabulary=config.fingerprint,
        bytes_per_token=bytes_per_token,
        training=tuple((record["step"] * step_bytes, record["loss"] * bits) for record in records),
        validation=tuple(
            (record["step"] * step_bytes, record["validation_bits_per_byte"])
            for record in records
            if "validation_bits_per_byte" in record
        ),
        tokens_per_second=speeds[len(speeds) // 2],
        seconds=sum(plan.batch_size * plan.model.context_length / speed for speed in speeds),
    )


def compare_runs(runs: Sequence[Path]) -> Comparison:
    """The curves of several runs, and the bytes at which all of them compare.

    Example:
        >>> compare_runs([Path("runs/a"), Path("runs/b")]).equal_bytes  # doctest: +SKIP
        2048000.0

    Raises:
        UsageError: a folder holds no run, or one without a finished step.
    """
    curves = tuple(read_curve(run) for run in runs)
    return Comparison(curves, min(curve.training[-1][0] for curve in curves))


def plot_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw learning curves as PNG, SVG or PDF, by the name's ending: bits per byte by bytes of text read.

    Raises:
        UsageError: the ending is none of these.
    """
    endings = (".png", ".svg", ".pdf")
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path} is no picture that can be drawn: name it .png, .svg or .pdf.")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for index, curve in enumerate(curves):
        color = f"C{index % 10}"
        axes.plot(*_columns(_smoothed(curve.training)), color=color, linewidth=1, alpha=0.45)
        if curve.validation:
            axes.plot(*_columns(curve.validation), color=color, marker="o", markersize=4)
        last = (curve.validation or curve.training)[-1]
        axes.annotate(
            f"{curve.run.name} {last[1]:.3f}", last, xytext=(6, 0), textcoords="offset points",
            color=color, va="center", fontsize=9,
        )  # fmt: skip
    axes.set_xlabel("text read, MB")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g}")
    axes.set_ylabel("bits per byte")
    axes.set_title("held out (dots) and while training (thin, smoothed)", fontsize=10, loc="left")
    axes.margins(x=0.16)
    axes.set_ylim(*_limits(curves))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest point to where the curves come from, without the first steps' cliff."""
    ends = [bits for curve in curves for _, bits in (*curve.validation, *_smoothed(curve.training))]
    late = [bits for curve in curves for _, bits in _smoothed(curve.training)[len(curve.training) // 20 :]]
    low, high = min(ends), max(late)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means over some 200 stretches."""
    every = -(-len(points) // 200)
    pieces = [points[begin : begin + every] for begin in range(0, len(points), every)]
    return [(piece[-1][0], sum(bits for _, bits in piece) / len(piece)) for piece in pieces]


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
