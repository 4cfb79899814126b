"""`train_lm`: from an encoded corpus to a run folder."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import torch

from nlpkit.errors import UsageError
from nlpkit.files import atomic_folder
from nlpkit.lm.estimate import TrainingEstimate, check_memory, estimate_training
from nlpkit.lm.model import count_parameters
from nlpkit.lm.placement import Placement, place_model
from nlpkit.lm.presets import DEFAULT_PRESET, LmOptions, TrainingPlan, plan_options, plan_training
from nlpkit.lm.run import RunConfig, check_vocabulary, read_run_config, write_run_config
from nlpkit.lm.task import LanguageModelTask
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.shards import TokenShards
from nlpkit.tokenization import Vocabulary, load_vocabulary
from nlpkit.training import LogCallback, no_log, refuse_unknown, run_training
from nlpkit.training.device import choose_device
from nlpkit.training.memory import parse_bytes
from nlpkit.training.processes import Processes, join_processes


@dataclass(frozen=True)
class TrainSummary:
    """What a training run came to."""

    steps: int
    parameters: int
    tokens: int
    """Trained on, repeats counted."""
    seconds: float
    """Spent in steps."""
    best_step: int
    """Whose weights model.safetensors holds."""
    nats_per_token: float | None
    """Of those weights on the validation split; None when there is none."""
    bits_per_byte: float | None


def train_lm(
    shards: Path,
    out: Path,
    *,
    preset: str | None = None,
    resume: bool = False,
    memory: str | None = None,
    device: str = "auto",
    dtype: str | None = None,
    compiled: bool | None = None,
    shard: bool = False,
    describe: Callable[[TrainingEstimate, Placement], None] | None = None,
    progress: ProgressCallback = no_progress,
    log: LogCallback = no_log,
    **options: Unpack[LmOptions],
) -> TrainSummary:
    """Train a language model on an encoded corpus.

    Example:
        >>> train_lm(Path("shards"), Path("runs/lm"), preset="demo", steps=200)  # doctest: +SKIP

    Args:
        shards: a folder that `encode_corpus` wrote: train/, vocabulary/ and, for the figures, validation/.
        out: the run folder to make.
        preset: where every option that is not given comes from; see `PRESETS`. "demo" for a new run.
        resume: go on with the run in `out` from its newest checkpoint, to the same bits as if it had never
            stopped; an option that is given must be the run's. Begins a new run where there is none yet.
        memory: the most that the process may take, as "4GB"; a run that is estimated to take more is refused.
        device: auto, cpu, cuda or mps; auto takes the fastest kind that is there.
        dtype: of the matrix products: float32, bfloat16, or auto, which runs a step in each and takes
            bfloat16 where it is worthwhile. By default auto, or that of the run to go on with.
        compiled: whether torch.compile is used; by default on CUDA only.
        shard: under torchrun, keep a part of the weights in each process (FSDP2) instead of all in every one.
        describe: called with the run's size and where it will run before it begins.
        progress: called after each step as ("train", step, steps).
        log: called with each step's record of metrics.jsonl.
        options: see `LmOptions`.

    Raises:
        UsageError: an option is unknown or cannot be, the data are too short, `out` holds a run already, or
            `memory` is not enough (what would fit is named).
        VocabularyMismatchError: the splits, the vocabulary or the run to go on with do not belong together.
        CorruptFileError: a file of the shards or the run is damaged.
        NlpkitError: a loss is not finite.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
    """
    data = _open_data(shards)
    with join_processes(choose_device(device)) as processes:
        begun = resume and (out / "config.json").is_file()
        if not begun:
            _refuse_taken(out)
        processes.wait()  # all have looked before the first one begins the run
        plan = _plan(data, out if begun else None, preset, options)
        if memory is not None:
            check_memory(plan, len(data.train), parse_bytes(memory))
        dtype = _dtype(dtype, out if begun else None)
        placement = place_model(plan, processes, dtype=dtype, compiled=compiled, shard=shard)
        if describe is not None and processes.first:
            describe(estimate_training(plan, len(data.train)), placement)
        task = data.task(plan, placement, processes)
        if not begun and processes.first:
            _begin_run(out, data.config(plan, placement.precision.dtype), shards / "vocabulary")
        processes.wait()
        figures = run_training(
            task, plan.loop, out, resume=resume, processes=processes, progress=progress, log=log
        )
    best = figures.best or {}
    return TrainSummary(
        steps=figures.step,
        parameters=count_parameters(task.module),
        tokens=figures.step * plan.batch_size * plan.model.context_length,
        seconds=figures.seconds,
        best_step=figures.best_step,
        nats_per_token=best.get("validation_nats_per_token"),
        bits_per_byte=best.get("validation_bits_per_byte"),
    )


@dataclass(frozen=True)
class _Data:
    train: TokenShards
    validation: TokenShards | None
    vocabulary: Vocabulary

    @property
    def sizes(self) -> dict[str, int]:
        """Of the training split."""
        index = self.train.index
        return {"tokens": index.tokens, "documents": index.documents, "text_bytes": index.text_bytes}

    def config(self, plan: TrainingPlan, dtype: torch.dtype) -> RunConfig:
        """What config.json says of a run on these data."""
        fingerprint = self.train.index.fingerprint
        return RunConfig(plan, fingerprint, self.sizes, str(dtype).removeprefix("torch."))

    def task(self, plan: TrainingPlan, placement: Placement, processes: Processes) -> LanguageModelTask:
        """Training a placed model on these data."""
        return LanguageModelTask(
            placement.model,
            plan,
            self.train,
            self.validation,
            self.vocabulary.document_end,
            dtype=placement.precision.dtype,
            network=placement.network,
            processes=processes,
        )


def _open_data(shards: Path) -> _Data:
    """The splits and the vocabulary, all of one fingerprint."""
    train = TokenShards(shards / "train")
    fingerprint = train.index.fingerprint
    validation = None
    if (shards / "validation").is_dir():
        validation = TokenShards(shards / "validation", fingerprint=fingerprint)
        if not len(validation):
            raise UsageError(
                f"{shards / 'validation'} is empty: encode the corpus with a larger --validation, with "
                "--split tail, or with --validation 0 to train without one."
            )
    vocabulary = load_vocabulary(shards / "vocabulary")
    check_vocabulary(vocabulary, fingerprint, shards / "vocabulary", shards / "train")
    return _Data(train, validation, vocabulary)


def _plan(data: _Data, begun: Path | None, preset: str | None, options: Mapping[str, Any]) -> TrainingPlan:
    """The plan of a new run, or of one begun, which must be of the same data and options."""
    refuse_unknown(options, LmOptions.__annotations__, "the training options")
    n_vocab = data.train.index.n_vocab
    if begun is None:
        return plan_training(preset or DEFAULT_PRESET, options, n_vocab=n_vocab)
    config = read_run_config(begun)
    plan = config.plan
    check_vocabulary(data.vocabulary, config.fingerprint, data.train.folder.parent / "vocabulary", begun)
    if config.train != data.sizes:
        raise UsageError(f"{begun} was begun with other shards: bring those, or choose another --out.")
    wanted = plan_options(plan_training(preset, options, n_vocab=n_vocab)) if preset else options
    old = plan_options(plan)
    for key, value in wanted.items():
        if value != old.get(key):
            raise UsageError(
                f"{begun} was begun with {key} {old.get(key)}, not {value}: go on with the options that it "
                "was begun with, or choose another --out."
            )
    return plan


def _dtype(given: str | None, begun: Path | None) -> str:
    """The dtype to choose: the given one, which must be that of a run begun."""
    if begun is None:
        return given or "auto"
    old = read_run_config(begun).dtype
    if given not in (None, "auto", old):
        raise UsageError(
            f"{begun} was begun in {old}, not {given}: leave --dtype out, or choose another --out."
        )
    return old


def _refuse_taken(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty: go on with its run by --resume, or choose another --out.")


def _begin_run(out: Path, config: RunConfig, vocabulary: Path) -> None:
    """Make the run folder with its config and its copy of the vocabulary."""
    with atomic_folder(out) as folder:
        shutil.copytree(vocabulary, folder / "vocabulary")
        write_run_config(folder, config)
