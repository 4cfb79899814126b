"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is a folder `step-00000200` (docs/formats.md):

- `model.safetensors`: the module's weights;
- `optimizer.safetensors`: the optimizers' tensors, named `loss/index/parameter/key`;
- `carried.safetensors`: what the task carries from step to step (hidden states), where it carries anything;
- `average.safetensors`: the moving average of the weights, where the run keeps one;
- `state.json`: the step, the run's figures so far, and the SHA-256 of the files above; its presence with
  matching sums is what makes a checkpoint valid.

Random numbers and the position in the data need no saving: both are functions of (seed, step). The tensors
are whole, also where each of several processes holds a part, so a run may go on with another number of them.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.files import atomic_file, atomic_folder, read_json, sha256_file, write_json
from nlpkit.training.averaging import WeightAverage
from nlpkit.training.processes import ALONE, Processes, load_whole_state, placed_like, whole, whole_state
from nlpkit.training.task import Task

FORMAT = "nlpkit-checkpoint"
VERSION = 1

_NAME = re.compile(r"step-(\d{8})")
_TEMPORARY = re.compile(r"\.step-\d{8}\..*\.(tmp|old)")


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file, whole or not at all."""
    with atomic_file(path) as temporary:
        contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, temporary, metadata={"format": "pt"})  # transformers wants to be told


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU.

    Raises:
        UsageError: there is no such file.
        CorruptFileError: the file is truncated or no safetensors file.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: check the path.")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise CorruptFileError(f"{path} is damaged ({error}): restore it or train again.") from error
    return tensors


def load_weights(module: nn.Module, path: Path) -> None:
    """Put the weights of a safetensors file into `module`.

    Raises:
        UsageError: there is no such file.
        CorruptFileError: the file is damaged or holds the weights of another model.
    """
    tensors = load_tensors(path)
    try:
        load_whole_state(module, tensors)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:200]
        raise CorruptFileError(f"{path} does not fit the model of config.json ({detail}).") from error


def save_checkpoint(
    folder: Path,
    step: int,
    task: Task,
    figures: Mapping[str, Any],
    *,
    keep: int,
    average: WeightAverage | None = None,
    processes: Processes = ALONE,
) -> Path:
    """Write the checkpoint of `step` into `folder`; the newest `keep` stay, older ones are removed.

    The old ones go only after the new one is whole on the disk. Every process calls it, the first one writes.
    """
    path = folder / f"step-{step:08d}"
    tensors = {
        "model": whole_state(task.module),
        "optimizer": _optimizer_tensors(task),
        "carried": {name: processes.sum(tensor) for name, tensor in task.state().items()},
        "average": average.state() if average is not None else {},
    }
    if processes.first:
        _write(path, step, tensors, figures)
        for old in list_checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    processes.wait()
    return path


def _write(
    path: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], figures: Mapping[str, Any]
) -> None:
    with atomic_folder(path) as temporary:
        for name, values in tensors.items():
            if values:
                save_tensors(temporary / f"{name}.safetensors", values)
        sums = {file.name: sha256_file(file) for file in sorted(temporary.iterdir())}
        write_json(
            temporary / "state.json",
            {"format": FORMAT, "version": VERSION, "step": step, "figures": dict(figures), "sha256": sums},
        )


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest valid checkpoint of `folder`; half-written ones are passed over, None when there is none.

    Raises:
        CorruptFileError: there are checkpoints, but none is valid.
    """
    candidates = list_checkpoints(folder)
    for path in reversed(candidates):
        if _is_valid(path):
            return path
    if candidates:
        raise CorruptFileError(
            f"{folder} holds no undamaged checkpoint: remove it to train from the beginning."
        )
    return None


def load_checkpoint(path: Path, task: Task, average: WeightAverage | None = None) -> dict[str, Any]:
    """Put a checkpoint's weights, optimizer states, carried state and average in place; its state.json."""
    load_weights(task.module, path / "model.safetensors")
    if (path / "optimizer.safetensors").is_file():
        _load_optimizer_tensors(task, load_tensors(path / "optimizer.safetensors"))
    carried = path / "carried.safetensors"
    task.load_state(load_tensors(carried) if carried.is_file() else {})
    if average is not None:
        average.load_state(load_tensors(path / "average.safetensors"))
    return read_json(path / "state.json")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary folders that a killed run left behind."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoint folders, whole or not, oldest step first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir())


def _is_valid(path: Path) -> bool:
    try:
        state = read_json(path / "state.json")
    except (UsageError, CorruptFileError):
        return False
    sums = state.get("sha256")
    if state.get("format") != FORMAT or state.get("version") != VERSION or not isinstance(sums, dict):
        return False
    return all((path / name).is_file() and sha256_file(path / name) == value for name, value in sums.items())


def _optimizer_tensors(task: Task) -> dict[str, Tensor]:
    """Every tensor of every optimizer's state, as loss/index/parameter/key."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in task.module.named_parameters()}
    return {
        f"{loss}/{index}/{names[parameter]}/{key}": whole(value)
        for loss, optimizers in task.optimizers.items()
        for index, optimizer in enumerate(optimizers)
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def _load_optimizer_tensors(task: Task, tensors: Mapping[str, Tensor]) -> None:
    parameters = dict(task.module.named_parameters())
    for name, value in tensors.items():
        loss, index, parameter_name, key = name.split("/")
        parameter = parameters[parameter_name]
        # The step counter of fused AdamW lives where its parameter lives.
        placed = (
            placed_like(value, parameter) if value.shape == parameter.shape else value.to(parameter.device)
        )
        task.optimizers[loss][int(index)].state[parameter][key] = placed
