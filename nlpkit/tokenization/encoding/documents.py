"""How a document becomes the ids in a shard: what begins it, its text, what ends it."""

from typing import Any

import numpy as np

from nlpkit.errors import UsageError
from nlpkit.tokenization.bpe.dropout import Dropout
from nlpkit.tokenization.bpe.encoder import BpeEncoder
from nlpkit.tokenization.ragged import RaggedIds, Texts
from nlpkit.tokenization.vocabulary import Vocabulary


class DocumentEncoder:
    """Encodes batches of documents; `encode_corpus` describes the arguments.

    Raises:
        UsageError: `bos` is no special token of the vocabulary, or `dropout` is asked of words or is no
            probability.
    """

    def __init__(
        self, vocabulary: Vocabulary, *, bos: str | None, eos: bool, dropout: float, seed: int, threads: int
    ) -> None:
        self._vocabulary = vocabulary
        self._bos = None if bos is None else _special_token(vocabulary, bos)
        self._eos = eos and vocabulary.document_end is not None
        self._dropout = Dropout(dropout, seed)
        self._threads = threads
        if dropout and not isinstance(vocabulary, BpeEncoder):
            raise UsageError("--dropout leaves merges out, but this vocabulary has words: leave it away.")

    @property
    def identity(self) -> dict[str, Any]:
        """All that the ids follow from, beside the text."""
        return {
            "vocabulary": self._vocabulary.fingerprint,
            "bos": self._bos,
            "eos": self._eos,
            "dropout": self._dropout.probability,
            "seed": self._dropout.seed,
        }

    def encode(self, texts: Texts, *, first_document: int) -> RaggedIds:
        """The ids of documents; the first is number `first_document` of its split."""
        vocabulary = self._vocabulary
        if self._dropout.probability and isinstance(vocabulary, BpeEncoder):
            ragged = vocabulary.encode_documents(
                texts,
                document_end=self._eos,
                threads=self._threads,
                dropout=self._dropout.probability,
                seed=self._dropout.seed,
                first_document=first_document,
            )
        else:
            ragged = vocabulary.encode_documents(texts, document_end=self._eos, threads=self._threads)
        return ragged if self._bos is None else _with_start(ragged, self._bos)


def _with_start(ragged: RaggedIds, bos: int) -> RaggedIds:
    """Each document with `bos` before it."""
    ids = np.insert(ragged.ids, ragged.offsets[:-1].astype(np.int64), bos)
    return RaggedIds(ids, ragged.offsets + np.arange(len(ragged.offsets)).astype(np.uint64))


def _special_token(vocabulary: Vocabulary, text: str) -> int:
    if isinstance(vocabulary, BpeEncoder):
        if text in vocabulary.special_tokens_set:
            return vocabulary.encode_single_token(text)
        names = ", ".join(sorted(vocabulary.special_tokens_set)) or "it has none"
        raise UsageError(
            f"--bos {text} is no special token of this vocabulary: use one of its own ({names})."
        )
    raise UsageError("--bos needs a vocabulary with special tokens; this one has words.")
