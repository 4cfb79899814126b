"""A folder of vectors on disk (docs/formats.md): what it holds, written once and memory-mapped ever after."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.search import Table, Vector, row_norms
from nlpkit.embeddings.token_table import TokenTable, load_array
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import read_json, write_json

FORMAT = "nlpkit-vectors"
VERSION = 1

Precision: TypeAlias = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True)
class VectorFolder:
    """What a folder holds, mapped: names, vectors and norms by row, counts where known, and the settings."""

    tokens: TokenTable
    vectors: Table
    norms: Vector
    counts: npt.NDArray[np.uint64] | None
    config: dict[str, Any]


def read_folder(folder: Path) -> VectorFolder:
    """Map a folder's files.

    Raises:
        UsageError: it is no folder of vectors.
        CorruptFileError: a file is damaged, or they do not fit each other.
    """
    config = _read_config(folder)
    vectors, norms, counts = (load_array(folder / f"{name}.npy") for name in ("vectors", "norms", "counts"))
    rows = len(vectors)
    if (
        vectors.ndim != 2
        or vectors.dtype.name not in ("float32", "float16")
        or norms.dtype.name != "float32"
        or norms.shape != (rows,)
        or len(counts) not in (0, rows)
    ):
        raise CorruptFileError(f"{folder}: its arrays do not fit each other: make it again or restore it.")
    return VectorFolder(
        TokenTable.load(folder, rows), vectors, norms, counts if len(counts) else None, config
    )


def write_folder(
    folder: Path,
    tokens: TokenTable,
    vectors: Table,
    counts: npt.NDArray[np.uint64] | None,
    config: Mapping[str, Any],
    *,
    precision: Precision | None = None,
) -> None:
    """Write the files into an existing folder.

    Raises:
        NlpkitError: a number is too large for the precision.
    """
    with np.errstate(over="ignore"):  # a sentence of our own follows
        vectors = vectors.astype(precision or vectors.dtype, copy=False)
    norms = row_norms(vectors)
    if not np.isfinite(norms).all():
        raise NlpkitError("The vectors hold numbers that are infinite, or would be in this precision.")
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "norms.npy", norms)
    np.save(
        folder / "counts.npy",
        np.empty(0, np.uint64) if counts is None else counts.astype(np.uint64, copy=False),
    )
    tokens.save(folder)
    write_json(folder / "config.json", {"format": FORMAT, "version": VERSION, **config})


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise UsageError(
            f"{folder} is no folder of vectors (it has no config.json): make one with `nlpkit embeddings "
            "train`."
        )
    config = read_json(path)
    if config.pop("format", None) != FORMAT:
        raise UsageError(f"{folder} holds no vectors: make some with `nlpkit embeddings train`.")
    if (version := config.pop("version", None)) != VERSION:
        raise CorruptFileError(f"{path} has version {version}, this nlpkit reads {VERSION}: update nlpkit.")
    return config
