"""Ids to text: the half of `Tokenizer` that needs no split pattern."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit._core import BpeVocabulary
from nlpkit.errors import NlpkitError
from nlpkit.tokenization.bpe.offsets import Offsets, find_offsets
from nlpkit.tokenization.bpe.special_tokens import END_OF_TEXT, SpecialTokens
from nlpkit.tokenization.bpe.streaming import StreamDecoder
from nlpkit.tokenization.ragged import Texts
from nlpkit.tokenization.vocabulary import as_ids

BATCH_THREADS = 8  # tiktoken's default for num_threads

IdSequence: TypeAlias = Sequence[int] | npt.NDArray[np.integer[Any]]


def up_to_all(num_threads: int) -> int:
    """tiktoken's default is more threads than most machines have, and more than those only cost."""
    return max(1, min(num_threads, _core.resolve_threads()))


def _arrays_as_ids(batch: Sequence[IdSequence]) -> list[Sequence[int] | npt.NDArray[np.uint32]]:
    return [as_ids(tokens) if isinstance(tokens, np.ndarray) else tokens for tokens in batch]


class BpeDecoder:
    """The tokens of a vocabulary, and their bytes; `Tokenizer` describes the arguments."""

    def __init__(
        self, name: str, mergeable_ranks: dict[bytes, int] | BpeVocabulary, special_tokens: dict[str, int]
    ) -> None:
        self.name = name
        self._special_tokens = special_tokens
        self._special = SpecialTokens(special_tokens)
        try:
            if not isinstance(mergeable_ranks, BpeVocabulary):
                mergeable_ranks = BpeVocabulary(mergeable_ranks)
            self._vocabulary = mergeable_ranks
            shown = {text: token for token, text in self._special.by_id.items()}
            self._table = _core.TokenTable(self._vocabulary, shown)
        except ValueError as error:
            raise NlpkitError(f"vocabulary {name!r}: {error}.") from error
        self.max_token_value: int = max(self._vocabulary.max_rank, *special_tokens.values(), 0)

    @cached_property
    def _mergeable_ranks(self) -> dict[bytes, int]:
        """The ranks as Python objects, which nothing here needs; tiktoken's name for them."""
        return self._vocabulary.ranks()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def decode_bytes(self, tokens: IdSequence) -> bytes:
        """The bytes of ids.

        Raises:
            KeyError: an id stands for nothing; names it.
            OverflowError: an id is negative or past 32 bits.
        """
        return self._table.decode_bytes(as_ids(tokens) if isinstance(tokens, np.ndarray) else tokens)

    def decode(self, tokens: IdSequence, errors: str = "replace") -> str:
        """The text of ids; bytes that are not UTF-8 become U+FFFD unless `errors` says otherwise.

        ```
        >>> tokenizer.decode([31373, 995])
        'hello world'
        ```
        """
        return self._table.decode_text(as_ids(tokens) if isinstance(tokens, np.ndarray) else tokens, errors)

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of one id, special tokens included.

        Raises:
            KeyError: the id stands for nothing.
        """
        return self._table.token_bytes(token)

    def token_bytes(self) -> dict[int, bytes]:
        """The bytes of every id, special tokens included, in the order of the ids.

        ```
        >>> lengths = {token: len(data) for token, data in tokenizer.token_bytes().items()}
        ```
        """
        special = {token: text.encode("utf-8") for token, text in self._special.by_id.items()}
        ordinary = {rank: token for token, rank in self._mergeable_ranks.items()}
        return dict(sorted((ordinary | special).items()))

    def decode_tokens_bytes(self, tokens: Sequence[int]) -> list[bytes]:
        """The bytes of each id.

        ```
        >>> tokenizer.decode_tokens_bytes([31373, 995])
        [b'hello', b' world']
        ```
        """
        return [self._table.token_bytes(token) for token in tokens]

    def decode_with_offsets(self, tokens: Sequence[int]) -> tuple[str, list[int]]:
        """The text of ids, and for each the index of the first character that has bytes of it.

        ```
        >>> tokenizer.decode_with_offsets([31373, 995])
        ('hello world', [0, 5])
        ```

        Raises:
            UnicodeDecodeError: the ids' bytes are not valid UTF-8.
        """
        text = self.decode(tokens, errors="strict")
        return text, self.offsets(tokens).characters[:, 0].tolist()

    def offsets(self, tokens: IdSequence) -> Offsets:
        """Where each of `tokens` lies in `decode_bytes(tokens)`, and in the characters of `decode(tokens)`.

        Right also for tokens that hold part of a character, and for bytes that are no UTF-8.
        """
        ids = as_ids(np.asarray(tokens) if len(tokens) else np.empty(0, dtype=np.uint32))
        return find_offsets(self._table.decode_bytes(ids), self._table.ends(ids))

    def token_ends(self, texts: Texts, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
        """Where each of the ids that `encode_documents` made of texts ends in the bytes of all of them."""
        return self._table.ends(ids)

    def decoder(self, errors: str = "replace") -> StreamDecoder:
        """A decoder for ids that come one at a time; it never shows half a character."""
        return StreamDecoder(self.decode_bytes, errors)

    def decode_batch(
        self, batch: Sequence[IdSequence], *, errors: str = "replace", num_threads: int = BATCH_THREADS
    ) -> list[str]:
        """`decode` of several sequences, on several threads."""
        return self._table.decode_batch(_arrays_as_ids(batch), errors, up_to_all(num_threads))

    def decode_bytes_batch(
        self, batch: Sequence[IdSequence], *, num_threads: int = BATCH_THREADS
    ) -> list[bytes]:
        """`decode_bytes` of several sequences, on several threads."""
        return self._table.decode_bytes_batch(_arrays_as_ids(batch), up_to_all(num_threads))

    # ====================
    # The vocabulary
    # ====================

    @property
    def n_vocab(self) -> int:
        """One more than the largest id."""
        return self.max_token_value + 1

    @property
    def eot_token(self) -> int:
        """The id of `<|endoftext|>`.

        Raises:
            KeyError: the vocabulary has none.
        """
        return self._special_tokens[END_OF_TEXT]

    @property
    def document_end(self) -> int | None:
        """The id of `<|endoftext|>`, or None."""
        return self._special_tokens.get(END_OF_TEXT)

    @property
    def unknown(self) -> None:
        """No id stands for what the vocabulary lacks: there are all bytes."""
        return None

    @cached_property
    def special_tokens_set(self) -> set[str]:
        """The texts of the special tokens."""
        return set(self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Whether an id is a special token's."""
        if not isinstance(token, int):
            raise TypeError(f"a token id is an int, not {type(token).__name__}")
        return token in self._special.by_id

    def token_byte_values(self) -> list[bytes]:
        """The bytes of every token but the special ones, sorted, as tiktoken gives them."""
        return list(self._sorted_tokens)

    @cached_property
    def _sorted_tokens(self) -> list[bytes]:
        return sorted(self._mergeable_ranks)
