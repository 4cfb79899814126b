"""Token ids as one NumPy file (.npy): a one-dimensional array that `numpy.load` reads."""

import io
import math
from tokenize import TokenError
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from nlpkit.errors import CorruptFileError
from nlpkit.tokenization.vocabulary import as_ids

_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

_BAD_HEADER = (KeyError, ValueError, SyntaxError, TokenError, RecursionError, MemoryError)
"""What NumPy raises on headers that are none: it parses them as Python's literals."""


def write_ids(ids: npt.NDArray[np.uint32], n_vocab: int, file: BinaryIO) -> None:
    """Write ids as .npy: little-endian uint16 where a vocabulary of `n_vocab` ids fits it, else uint32."""
    np.save(file, ids.astype("<u2" if n_vocab <= 2**16 else "<u4"), allow_pickle=False)


def read_ids(data: bytes, name: str) -> npt.NDArray[np.uint32]:
    """The ids in the content of a .npy file.

    Args:
        data: the whole file.
        name: what the file is called in errors.

    Raises:
        CorruptFileError: it is no .npy file, is cut short, or holds something else than ids in one dimension.
    """
    stream = io.BytesIO(data)
    try:
        shape, _, dtype = _READ_HEADER[np.lib.format.read_magic(stream)](stream)
    except _BAD_HEADER as error:
        raise CorruptFileError(f"{name} is no .npy file that nlpkit reads ({error}).") from error
    if dtype.hasobject or len(shape) != 1:
        raise CorruptFileError(
            f"{name} holds an array of {dtype} of shape {shape}: token ids are integers in one dimension."
        )
    there = len(data) - stream.tell()
    if there != math.prod(shape) * dtype.itemsize:
        raise CorruptFileError(
            f"{name} is damaged: {shape[0]:,} ids of {dtype.itemsize} bytes are announced, {there:,} bytes "
            "follow."
        )
    try:
        return as_ids(np.frombuffer(data, dtype, offset=stream.tell()))
    except (TypeError, OverflowError, ValueError) as error:
        raise CorruptFileError(f"{name} holds no token ids: {error}.") from error
