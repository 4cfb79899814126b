"""How far a training has come, and the checkpoint from which it goes on to the same bits.

A checkpoint is the folder `OUT.checkpoint` beside the result (docs/formats.md): `input.npy`, `output.npy`
and whatever else a trainer changes, as float32; `best.npy`, the input matrix of the epoch with the least
held-out loss, where early stopping was asked for; and `state.json`. Random numbers need no saving: all are
functions of the seed and the position in the corpus. It is written whole or not at all, and removed when
training ends.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import atomic_folder, read_json, write_json

FORMAT = "nlpkit-word2vec-checkpoint"
VERSION = 1

Matrix: TypeAlias = npt.NDArray[np.float32]


class Statistics(Protocol):
    """What a stretch of a corpus amounted to: a summed loss in nats, and what it sums over."""

    @property
    def loss(self) -> float:
        """Summed over the predictions."""

    @property
    def predictions(self) -> int:
        """(centre, context) pairs; centres for CBOW."""

    @property
    def words(self) -> int:
        """Tokens that have a row."""

    @property
    def kept(self) -> int:
        """Of these, what subsampling left."""


@dataclass(slots=True)
class Tally:
    """What an epoch has come to so far, the loss summed in double precision."""

    loss: float = 0.0
    predictions: int = 0
    words: int = 0
    kept: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, statistics: Statistics, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        """Add a stretch of the corpus."""
        self.loss += statistics.loss
        self.predictions += statistics.predictions
        self.words += statistics.words
        self.kept += statistics.kept
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds


@dataclass(slots=True)
class TrainingState:
    """Where training stands: `position` tokens into `epoch`, after the epochs whose lines are `metrics`."""

    epoch: int = 0
    position: int = 0
    tally: Tally = field(default_factory=Tally)
    metrics: list[dict[str, Any]] = field(default_factory=list)

    def epochs_since_best(self) -> int:
        """How many epochs have gone by since the held-out loss was least."""
        losses = [line["held_out_loss"] for line in self.metrics]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def checkpoint_folder(out: Path) -> Path:
    """Where the checkpoint of a training that writes `out` lies."""
    return out.with_name(f"{out.name}.checkpoint")


def save_checkpoint(
    folder: Path,
    matrices: Mapping[str, Matrix],
    state: TrainingState,
    best: Matrix | None,
    settings: Mapping[str, Any],
) -> None:
    """Write a checkpoint over the one before."""
    with atomic_folder(folder) as temporary:
        for name, matrix in matrices.items():
            np.save(temporary / f"{name}.npy", matrix)
        if best is not None:
            np.save(temporary / "best.npy", best)
        described = {"format": FORMAT, "version": VERSION, "settings": dict(settings), **asdict(state)}
        write_json(temporary / "state.json", described)


def load_checkpoint(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, Any]
) -> tuple[TrainingState, dict[str, Matrix], Matrix | None]:
    """Where a checkpoint stood, its matrices (mapped), and the best input matrix where it was kept.

    Args:
        folder: the checkpoint's.
        shapes: of each matrix that it must hold.
        settings: what it must have been made with.

    Raises:
        UsageError: it is the checkpoint of other settings or another corpus.
        CorruptFileError: it is damaged.
    """
    described = read_json(folder / "state.json")
    if (described.get("format"), described.get("version")) != (FORMAT, VERSION):
        raise CorruptFileError(f"{folder} is no checkpoint that this nlpkit reads: leave out --resume.")
    for name, value in settings.items():
        if (found := described["settings"].get(name)) != value:
            raise UsageError(
                f"{folder} was made with {name} {found!r}, not {value!r}: give the same settings and corpus, "
                "or leave out --resume."
            )
    try:
        matrices = {name: _load_matrix(folder / f"{name}.npy", shape) for name, shape in shapes.items()}
        best_file = folder / "best.npy"
        best = np.array(_load_matrix(best_file, shapes["input"])) if best_file.is_file() else None
        fields = {name: described[name] for name in ("epoch", "position", "metrics")}
        return TrainingState(tally=Tally(**described["tally"]), **fields), matrices, best
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{folder} is damaged ({error}): leave out --resume to train anew.") from error


def _load_matrix(path: Path, shape: tuple[int, ...]) -> Matrix:
    matrix: Matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    if matrix.shape != shape or matrix.dtype != np.float32:
        raise ValueError(f"{path.name} is {matrix.dtype} of shape {matrix.shape}")
    return matrix


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, if there is one."""
    if (folder / "state.json").is_file():
        shutil.rmtree(folder)
