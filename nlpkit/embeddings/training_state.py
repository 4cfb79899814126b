"""How far a training has come, and the checkpoint from which it goes on to the same bits.

A checkpoint is the folder `OUT.checkpoint` beside the result (docs/formats.md): `input.npy` and `output.npy`,
the matrices as float32; `best.npy`, the input matrix of the epoch with the least held-out loss, where early
stopping was asked for; and `state.json`. Random numbers need no saving: all are functions of the seed and the
position in the corpus. It is written whole or not at all, and removed when training ends.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlpkit._core import EpochStatistics, Word2Vec
from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import atomic_folder, read_json, write_json

FORMAT = "nlpkit-word2vec-checkpoint"
VERSION = 1


@dataclass(slots=True)
class Tally:
    """What an epoch has come to so far: a loss in nats, summed in double precision, and what it sums over."""

    loss: float = 0.0
    predictions: int = 0
    words: int = 0
    kept: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, statistics: EpochStatistics, seconds: float, cpu_seconds: float) -> None:
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
    model: Word2Vec,
    state: TrainingState,
    best: npt.NDArray[np.float32] | None,
    settings: Mapping[str, Any],
) -> None:
    """Write a checkpoint over the one before."""
    with atomic_folder(folder) as temporary:
        np.save(temporary / "input.npy", model.input)
        np.save(temporary / "output.npy", model.output)
        if best is not None:
            np.save(temporary / "best.npy", best)
        described = {"format": FORMAT, "version": VERSION, "settings": dict(settings), **asdict(state)}
        write_json(temporary / "state.json", described)


def load_checkpoint(
    folder: Path, model: Word2Vec, settings: Mapping[str, Any]
) -> tuple[TrainingState, npt.NDArray[np.float32] | None]:
    """Put a checkpoint's matrices into `model`; returns where it stood, and the best vectors where kept.

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
        for name, matrix in (("input", model.input), ("output", model.output)):
            matrix[:] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        best_file = folder / "best.npy"
        best = np.load(best_file, allow_pickle=False) if best_file.is_file() else None
        fields = {name: described[name] for name in ("epoch", "position", "metrics")}
        return TrainingState(tally=Tally(**described["tally"]), **fields), best
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{folder} is damaged ({error}): leave out --resume to train anew.") from error


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, if there is one."""
    if (folder / "state.json").is_file():
        shutil.rmtree(folder)
