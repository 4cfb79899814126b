"""What every vocabulary offers, whatever its units: the face that encoding and the trainers see."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nlpkit.tokenization.ragged import RaggedIds, Texts


def as_ids(ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint32]:
    """An array of integers as the core takes ids.

    Raises:
        TypeError: the array is not of integers in one dimension.
        OverflowError: a number is negative or past 32 bits.
    """
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"ids are a one-dimensional array of integers, not {ids.dtype} of shape {ids.shape}")
    if ids.dtype != np.uint32 and len(ids):
        for extreme in (int(ids.min()), int(ids.max())):
            if not 0 <= extreme < 2**32:
                raise OverflowError(f"token id {extreme} does not fit 32 bits")
    return np.ascontiguousarray(ids, dtype=np.uint32)


@runtime_checkable
class Vocabulary(Protocol):
    """Text to ids and back: `Tokenizer` and `WordVocabulary`."""

    name: str

    @property
    def n_vocab(self) -> int:
        """One more than the largest id."""
        ...

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over all that decides the ids; artefacts with different ones do not fit together."""
        ...

    @property
    def document_end(self) -> int | None:
        """The id that ends a document, if there is one."""
        ...

    @property
    def unknown(self) -> int | None:
        """The id that stands for whatever the vocabulary lacks; None where it lacks nothing."""
        ...

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text; nothing in it is special."""
        ...

    def encode_documents(self, texts: Texts, *, document_end: bool = False, threads: int = 0) -> RaggedIds:
        """The ids of several texts, each ended by `document_end` if asked; no thread count changes them."""
        ...

    def token_ends(self, texts: Texts, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
        """Where each of the ids that `encode_documents` made of texts ends in the bytes of all of them."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ids."""
        ...

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of one id.

        Raises:
            KeyError: the id stands for nothing.
        """
        ...

    def is_special_token(self, token: int) -> bool:
        """Whether an id marks something (a document's end, an unknown word) rather than text."""
        ...

    def save(self, folder: Path) -> None:
        """Write a vocabulary folder that `load_vocabulary` reads."""
        ...
