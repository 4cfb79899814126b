"""`train_lm`: from an encoded corpus to a run folder."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import torch

from nlpkit.errors import UsageError
from nlpkit.files import atomic_folder
from nlpkit.lm.compare import plot_curves, read_curve
from nlpkit.lm.data import TrainingData, open_data
from nlpkit.lm.estimate import TrainingEstimate, check_memory, estimate_training
from nlpkit.lm.initial import InitialWeights, open_initial
from nlpkit.lm.model import count_parameters
from nlpkit.lm.placement import Placement, place_model
from nlpkit.lm.presets import (
    FINE_TUNING_PRESET,
    LmOptions,
    TrainingPlan,
    plan_options,
    plan_training,
)
from nlpkit.lm.run import RunConfig, read_run_config, write_run_config
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.training import LogCallback, no_log, refuse_unknown, run_training
from nlpkit.training.checkpoints import latest_checkpoint
from nlpkit.training.device import choose_device
from nlpkit.training.loop import Figures
from nlpkit.training.memory import parse_bytes
from nlpkit.training.processes import Processes, join_processes

DescribeCallback: TypeAlias = Callable[[TrainingEstimate, Placement], None]
"""Called before a run begins, with its size and where it will run."""


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
    depth: int | None = None,
    init: Path | None = None,
    resume: bool = False,
    memory: str | None = None,
    device: str = "auto",
    dtype: str | None = None,
    compiled: bool | None = None,
    shard: bool = False,
    tensorboard: bool = False,
    describe: DescribeCallback | None = None,
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
        preset: where every option that is not given comes from; see `PRESETS`. "demo", or "fine-tune" with
            `init`.
        depth: instead of a preset, a number of layers from which all follows; see `depth_options`.
        init: a run folder of the same vocabulary whose weights to begin with; its model is taken over.
        resume: go on with the run in `out` from its newest checkpoint, to the same bits as if it had never
            stopped; an option that is given must be the run's. Begins a new run where there is none yet.
        memory: the most that the process may take, as "4GB"; a run that is estimated to take more is refused.
        device: auto, cpu, cuda or mps; auto takes the fastest kind that is there.
        dtype: of the matrix products: float32, bfloat16, or auto, which runs a step in each and takes
            bfloat16 where it is worthwhile. By default that of the run to go on with, else auto, but float32
            on a CPU, so that the same options always give the same bits.
        compiled: whether torch.compile is used; by default on CUDA only.
        shard: under torchrun, keep a part of the weights in each process (FSDP2) instead of all in every one.
        tensorboard: write the figures of each step to out/tensorboard too.
        describe: called with the run's size and where it will run before it begins.
        progress: called after each step as ("train", step, steps).
        log: called with each step's record of metrics.jsonl.
        options: see `LmOptions`.

    Raises:
        UsageError: an option is unknown or cannot be, the data are too short, `out` holds a run already, or
            `memory` is not enough (what would fit is named).
        VocabularyMismatchError: the splits, the vocabulary, `init` or the run to go on with do not belong
            together.
        CorruptFileError: a file of the shards or the run is damaged.
        NlpkitError: a loss is not finite.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
    """
    data = open_data(shards)
    initial = None if init is None else open_initial(init)
    with join_processes(choose_device(device)) as processes:
        begun = _find_run(out, resume=resume, processes=processes)
        plan = _plan(data, out, begun, preset, depth, initial, options)
        if memory is not None:
            check_memory(plan, len(data.train), parse_bytes(memory))
        run = _Run(data, out, plan, begun, initial, processes, describe, log, progress)
        # It makes the model, so that the model is gone, and with it what holds the processes' group, when
        # the group ends here.
        figures = run.train(
            dtype=_dtype(dtype, out, begun, processes.device),
            compiled=compiled,
            shard=shard,
            tensorboard=tensorboard,
        )
        if processes.first:
            plot_curves([read_curve(out)], out / "curve.png")
    return _summary(plan, figures)


@dataclass(frozen=True)
class _Run:
    """A run whose options are settled."""

    data: TrainingData
    out: Path
    plan: TrainingPlan
    begun: RunConfig | None
    """What is gone on with; None: a new run."""
    initial: InitialWeights | None
    processes: Processes
    describe: DescribeCallback | None
    log: LogCallback
    progress: ProgressCallback

    def train(self, *, dtype: str, compiled: bool | None, shard: bool, tensorboard: bool) -> Figures:
        """Make the model and train it."""
        placement = place_model(
            self.plan, self.processes, dtype=dtype, compiled=compiled, shard=shard, initial=self.initial
        )
        task = self.data.task(self.plan, placement, self.processes)
        if self.describe is not None and self.processes.first:
            self.describe(estimate_training(self.plan, len(self.data.train)), placement)
        if self.begun is None and self.processes.first:
            self._begin(placement)
        self.processes.wait()
        writer = tensorboard and self.processes.first
        with _to_tensorboard(self.out, self.log) if writer else nullcontext(self.log) as log:
            return run_training(
                task,
                self.plan.loop,
                self.out,
                resume=self.begun is not None,
                processes=self.processes,
                progress=self.progress,
                log=log,
            )

    def _begin(self, placement: Placement) -> None:
        """Make the run folder with its config and its copy of the vocabulary."""
        initial = None if self.initial is None else self.initial.sha256
        vocabulary = self.data.train.folder.parent / "vocabulary"
        with atomic_folder(self.out) as folder:
            shutil.copytree(vocabulary, folder / "vocabulary")
            write_run_config(folder, self.data.config(self.plan, placement.precision.dtype, initial))


def _summary(plan: TrainingPlan, figures: Figures) -> TrainSummary:
    best = figures.best or {}
    return TrainSummary(
        steps=figures.step,
        parameters=count_parameters(plan.model),
        tokens=figures.step * plan.batch_size * plan.model.context_length,
        seconds=figures.seconds,
        best_step=figures.best_step,
        nats_per_token=best.get("validation_nats_per_token"),
        bits_per_byte=best.get("validation_bits_per_byte"),
    )


def _find_run(out: Path, *, resume: bool, processes: Processes) -> RunConfig | None:
    """The config of the run to go on with; None where a new one begins.

    Raises:
        UsageError: there is something else in the folder.
    """
    begun = read_run_config(out) if resume and (out / "config.json").is_file() else None
    if begun is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty: go on with its run by --resume, or choose another --out.")
    processes.wait()  # all have looked before the first one begins the run
    return begun


def _plan(
    data: TrainingData,
    out: Path,
    begun: RunConfig | None,
    preset: str | None,
    depth: int | None,
    initial: InitialWeights | None,
    options: Mapping[str, Any],
) -> TrainingPlan:
    """The plan of a new run, or of the one begun, which must be of the same data, weights and options."""
    refuse_unknown(options, LmOptions.__annotations__, "the training options")
    n_vocab = data.train.index.n_vocab
    asked = options
    if initial is not None:
        if depth is not None:
            raise UsageError("--init brings a model with it: leave --depth out.")
        data.check_vocabulary(initial.config, initial.run)
        asked = initial.options(options)
    if begun is None:
        if initial is not None and preset is None:
            preset = FINE_TUNING_PRESET
        return plan_training(preset, asked, n_vocab=n_vocab, depth=depth)
    data.check_belongs(begun, out)
    _check_initial(out, begun, initial)
    plan = begun.begun(out).plan
    wanted = options
    if preset is not None or depth is not None:
        wanted = plan_options(plan_training(preset, asked, n_vocab=n_vocab, depth=depth))
    old = plan_options(plan)
    for key, value in wanted.items():
        if value != old.get(key):
            raise UsageError(
                f"{out} was begun with {key} {old.get(key)}, not {value}: go on with the options that it "
                "was begun with, or choose another --out."
            )
    return plan


def _check_initial(out: Path, begun: RunConfig, initial: InitialWeights | None) -> None:
    """Raise where a run to go on with began with other weights, or lacks those that it should begin with."""
    sha256 = begun.begun(out).initial
    if initial is not None and initial.sha256 != sha256:
        raise UsageError(
            f"{out} was not begun with the weights that are in {initial.run} now: leave --init out to go on "
            "from its checkpoint, or choose another --out."
        )
    if sha256 is not None and initial is None and latest_checkpoint(out / "checkpoints") is None:
        raise UsageError(
            f"{out} has no checkpoint yet, so it begins anew: give --init with the weights that it was begun "
            "with."
        )


def _dtype(given: str | None, out: Path, begun: RunConfig | None, device: torch.device) -> str:
    """The dtype to choose: the given one, which must be that of a run begun."""
    if begun is None:
        # What is measured may come out otherwise next time: on a CPU the same command gives the same bits.
        return given or ("float32" if device.type == "cpu" else "auto")
    old = begun.begun(out).dtype
    if given not in (None, "auto", old):
        raise UsageError(
            f"{out} was begun in {old}, not {given}: leave --dtype out, or choose another --out."
        )
    return old


@contextmanager
def _to_tensorboard(out: Path, log: LogCallback) -> Iterator[LogCallback]:
    """`log`, and TensorBoard's event files in out/tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("--tensorboard needs its package: pip install 'nlpkit[track]'.") from error
    with SummaryWriter(out / "tensorboard") as writer:

        def both(record: Mapping[str, Any]) -> None:
            for name, value in record.items():
                if isinstance(value, int | float) and name != "step":
                    writer.add_scalar(name, value, record["step"])
            log(record)

        yield both
