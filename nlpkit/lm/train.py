"""`train_lm`: from an encoded corpus to a run folder."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import torch

from nlpkit.errors import UsageError
from nlpkit.files import atomic_folder
from nlpkit.lm.compare import plot_curves, read_curve
from nlpkit.lm.data import TrainingData, open_data
from nlpkit.lm.estimate import TrainingEstimate, check_memory, estimate_training
from nlpkit.lm.model import count_parameters
from nlpkit.lm.placement import Placement, place_model
from nlpkit.lm.presets import DEFAULT_PRESET, LmOptions, TrainingPlan, plan_options, plan_training
from nlpkit.lm.run import RunConfig, read_run_config, write_run_config
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.training import LogCallback, no_log, refuse_unknown, run_training
from nlpkit.training.device import choose_device
from nlpkit.training.memory import parse_bytes
from nlpkit.training.processes import join_processes


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
    tensorboard: bool = False,
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
        VocabularyMismatchError: the splits, the vocabulary or the run to go on with do not belong together.
        CorruptFileError: a file of the shards or the run is damaged.
        NlpkitError: a loss is not finite.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
    """
    data = open_data(shards)
    with join_processes(choose_device(device)) as processes:
        begun = resume and (out / "config.json").is_file()
        if not begun:
            _refuse_taken(out)
        processes.wait()  # all have looked before the first one begins the run
        plan = _plan(data, out if begun else None, preset, options)
        if memory is not None:
            check_memory(plan, len(data.train), parse_bytes(memory))
        dtype = _dtype(dtype, out if begun else None, processes.device)
        placement = place_model(plan, processes, dtype=dtype, compiled=compiled, shard=shard)
        if describe is not None and processes.first:
            describe(estimate_training(plan, len(data.train)), placement)
        task = data.task(plan, placement, processes)
        if not begun and processes.first:
            _begin_run(out, data.config(plan, placement.precision.dtype), shards / "vocabulary")
        processes.wait()
        with _to_tensorboard(out, log) if tensorboard and processes.first else nullcontext(log) as log:
            figures = run_training(
                task, plan.loop, out, resume=resume, processes=processes, progress=progress, log=log
            )
        if processes.first:
            plot_curves([read_curve(out)], out / "curve.png")
        del task, placement  # their wrapped model holds on to the group of processes, which ends here
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


def _plan(
    data: TrainingData, begun: Path | None, preset: str | None, options: Mapping[str, Any]
) -> TrainingPlan:
    """The plan of a new run, or of one begun, which must be of the same data and options."""
    refuse_unknown(options, LmOptions.__annotations__, "the training options")
    n_vocab = data.train.index.n_vocab
    if begun is None:
        return plan_training(preset or DEFAULT_PRESET, options, n_vocab=n_vocab)
    config = read_run_config(begun)
    plan = config.plan
    data.check_belongs(config, begun)
    wanted = plan_options(plan_training(preset, options, n_vocab=n_vocab)) if preset else options
    old = plan_options(plan)
    for key, value in wanted.items():
        if value != old.get(key):
            raise UsageError(
                f"{begun} was begun with {key} {old.get(key)}, not {value}: go on with the options that it "
                "was begun with, or choose another --out."
            )
    return plan


def _dtype(given: str | None, begun: Path | None, device: torch.device) -> str:
    """The dtype to choose: the given one, which must be that of a run begun."""
    if begun is None:
        # What is measured may come out otherwise next time: on a CPU the same command gives the same bits.
        return given or ("float32" if device.type == "cpu" else "auto")
    old = read_run_config(begun).dtype
    if given not in (None, "auto", old):
        raise UsageError(
            f"{begun} was begun in {old}, not {given}: leave --dtype out, or choose another --out."
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


def _refuse_taken(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty: go on with its run by --resume, or choose another --out.")


def _begin_run(out: Path, config: RunConfig, vocabulary: Path) -> None:
    """Make the run folder with its config and its copy of the vocabulary."""
    with atomic_folder(out) as folder:
        shutil.copytree(vocabulary, folder / "vocabulary")
        write_run_config(folder, config)
