"""A run folder: config.json, model.safetensors, vocabulary/, metrics.jsonl, checkpoints/ (docs/formats.md).

Made by `train_lm` or `import_lm`; everything that uses a trained model begins with `load_run`.
"""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import nlpkit
from nlpkit.errors import CorruptFileError, UsageError, VocabularyMismatchError
from nlpkit.files import read_json, write_json
from nlpkit.lm.config import ModelConfig
from nlpkit.lm.model import LanguageModel, build_model, model_fields, model_from_fields
from nlpkit.lm.presets import TrainingPlan
from nlpkit.tokenization import Vocabulary, load_vocabulary
from nlpkit.training import LoopConfig, OptimizerConfig, RecomputeConfig, config_from
from nlpkit.training.checkpoints import load_weights

FORMAT = "nlpkit-language-model"
VERSION = 3


@dataclass(frozen=True)
class Training:
    """How a run trains, and on what."""

    plan: TrainingPlan
    train: dict[str, Any]
    """Of the training split: tokens, documents, bytes of text."""
    dtype: str
    """Of the matrix products: float32 or bfloat16."""
    initial: str | None = None
    """The SHA-256 of the weights that the run began with; None: random ones."""


@dataclass(frozen=True)
class RunConfig:
    """What config.json says of a model."""

    model: ModelConfig
    fingerprint: str
    """The vocabulary's; shards made with another one are refused."""
    training: Training | None = None
    """None: the weights were imported."""

    def begun(self, run: Path) -> Training:
        """How the run of these weights trains.

        Raises:
            UsageError: the weights were imported.
        """
        if self.training is None:
            raise UsageError(
                f"{run} was imported, not trained here: train from its weights by `nlpkit lm train SHARDS "
                f"--init {run} --out RUN`."
            )
        return self.training


def write_run_config(out: Path, config: RunConfig) -> None:
    """Write config.json, with the versions of what makes the run."""
    write_json(
        out / "config.json",
        {
            "format": FORMAT,
            "version": VERSION,
            "model": model_fields(config.model),
            "vocabulary": config.fingerprint,
            "imported": config.training is None,
            **(_training_fields(config.training) if config.training is not None else {}),
            "versions": {
                "nlpkit": nlpkit.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        },
    )


def _training_fields(training: Training) -> dict[str, Any]:
    plan = training.plan
    return {
        "batch_size": plan.batch_size,
        "data": plan.data,
        "dtype": training.dtype,
        "training": asdict(plan.loop),
        "optimizer": asdict(plan.optimizer),
        "recompute": asdict(plan.recompute),
        "train": training.train,
        "initial": training.initial,
    }


def read_run_config(run: Path) -> RunConfig:
    """Read a run folder's config.json.

    Raises:
        UsageError: the folder holds no run, or the config has a key that is unknown or missing.
        CorruptFileError: the file is damaged or of another format.
    """
    path = run / "config.json"
    if not path.is_file():
        raise UsageError(
            f"{run} holds no language model (no config.json): train one by `nlpkit lm train`, or import one."
        )
    fields = read_json(path)
    if fields.get("format") != FORMAT or fields.get("version") != VERSION:
        raise CorruptFileError(f"{path} is not the config.json of a language model that this nlpkit reads.")
    try:
        model = model_from_fields(fields["model"], f"{path}, model")
        training = None if fields["imported"] else _read_training(fields, model, path)
        return RunConfig(model, fields["vocabulary"], training)
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is damaged (at {error}): restore it or train again.") from error


def _read_training(fields: dict[str, Any], model: ModelConfig, path: Path) -> Training:
    plan = TrainingPlan(
        model,
        config_from(LoopConfig, fields["training"], f"{path}, training"),
        config_from(OptimizerConfig, fields["optimizer"], f"{path}, optimizer"),
        config_from(RecomputeConfig, fields["recompute"], f"{path}, recompute"),
        fields["batch_size"],
        fields["data"],
    )
    return Training(plan, fields["train"], fields["dtype"], fields["initial"])


@dataclass(frozen=True)
class LoadedRun:
    """A trained model ready to use."""

    model: LanguageModel
    vocabulary: Vocabulary
    config: RunConfig


def load_run(run: Path) -> LoadedRun:
    """The model of a run folder with its best weights, in evaluation mode, and its vocabulary.

    Raises:
        UsageError: the folder holds no finished run.
        CorruptFileError: a file is damaged.
        VocabularyMismatchError: vocabulary/ is not the one that the model was trained with.
    """
    config = read_run_config(run)
    vocabulary = load_vocabulary(run / "vocabulary")
    check_vocabulary(vocabulary, config.fingerprint, run / "vocabulary", run / "config.json")
    weights = require_weights(run)
    model = build_model(config.model)
    load_weights(model, weights)
    return LoadedRun(model.eval(), vocabulary, config)


def require_weights(run: Path) -> Path:
    """The file of a run's best weights.

    Raises:
        UsageError: there is none yet.
    """
    weights = run / "model.safetensors"
    if not weights.is_file():
        raise UsageError(
            f"{weights} does not exist: the run has not come to its first evaluation; go on with "
            "`nlpkit lm train --resume`."
        )
    return weights


def check_vocabulary(vocabulary: Vocabulary, fingerprint: str, place: Path, expected_by: Path) -> None:
    """Raise a `VocabularyMismatchError` naming both fingerprints where they differ."""
    if vocabulary.fingerprint != fingerprint:
        raise VocabularyMismatchError(
            f"{place} is vocabulary {vocabulary.fingerprint[:12]}, but {expected_by} was made with "
            f"{fingerprint[:12]}: bring the vocabulary that it was made with."
        )
