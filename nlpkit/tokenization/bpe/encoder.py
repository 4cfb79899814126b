"""Text to ids: what `Tokenizer` adds to `BpeDecoder` with a split pattern."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit._core import BpeVocabulary, SpecialMatcher, utf8_runs
from nlpkit.tokenization import patterns
from nlpkit.tokenization.bpe import unstable
from nlpkit.tokenization.bpe.decoder import BATCH_THREADS, BpeDecoder, up_to_all
from nlpkit.tokenization.bpe.dropout import Dropout
from nlpkit.tokenization.bpe.special_tokens import Allowed, Disallowed, Part, repair_surrogates
from nlpkit.tokenization.ragged import PaddedIds, RaggedIds, Side, Texts

ALL: Literal["all"] = "all"
NONE: frozenset[str] = frozenset()


class BpeEncoder(BpeDecoder):
    """Text to ids and back; `Tokenizer` describes the arguments."""

    def __init__(
        self,
        name: str,
        mergeable_ranks: dict[bytes, int] | BpeVocabulary,
        special_tokens: dict[str, int],
        pat_str: str,
    ) -> None:
        self._pat_str = patterns.pattern_string(pat_str)
        self._scheme = patterns.named_scheme(self._pat_str)
        super().__init__(name, mergeable_ranks, special_tokens)
        self._core = _core.BpeEncoder(self._vocabulary, self._scheme)

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of `text`; what looks like a special token in it is ordinary text.

        ```
        >>> tokenizer.encode_ordinary("hello world")
        [31373, 995]
        ```
        """
        if self._scheme is not None:
            return self._core.encode(text)
        return self._encode_array(text).tolist()  # type: ignore[no-any-return]

    def encode(
        self,
        text: str,
        *,
        allowed_special: Allowed = NONE,
        disallowed_special: Disallowed = ALL,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> list[int]:
        """The ids of `text`.

        Text that spells a special token is refused unless the caller says what it means there:

        - `allowed_special`: these become their ids ("all": every special token);
        - `disallowed_special`: these raise ("all": every special token that is not allowed; `()`: none, so
          that they are encoded as ordinary text).

        `dropout` leaves each merge out with that probability, by the random numbers of `seed`: another
        segmentation of the same text (see `bpe/dropout.py`), to train language models on.

        ```
        >>> tokenizer.encode("<|endoftext|>", allowed_special={"<|endoftext|>"})
        [50256]
        >>> tokenizer.encode("<|endoftext|>", disallowed_special=())
        [27, 91, 437, 1659, 5239, 91, 29]
        >>> tokenizer.encode("<|endoftext|>")
        Traceback (most recent call last):
        nlpkit.errors.NlpkitError: the text holds '<|endoftext|>', which is a disallowed special token: ...
        ```

        Raises:
            NlpkitError: (a ValueError) the text holds a disallowed special token.
            UsageError: `dropout` is no probability, or `seed` does not fit 64 bits.
        """
        allowed = self._special.check(text, allowed_special, disallowed_special)
        if dropout:
            return self._encode_ragged([text], allowed, dropout=Dropout(dropout, seed)).ids.tolist()  # type: ignore[no-any-return]
        if self._scheme is not None:
            return self._core.encode(text, allowed)
        return self._encode_array(text, allowed).tolist()  # type: ignore[no-any-return]

    def encode_to_numpy(
        self, text: str, *, allowed_special: Allowed = NONE, disallowed_special: Disallowed = ALL
    ) -> npt.NDArray[np.uint32]:
        """As `encode`, without Python objects: an array of uint32."""
        return self._encode_array(text, self._special.check(text, allowed_special, disallowed_special))

    def encode_ordinary_batch(
        self, text: Sequence[str], *, num_threads: int = BATCH_THREADS
    ) -> list[list[int]]:
        """`encode_ordinary` of several texts, on several threads."""
        if self._scheme is None:
            return [self.encode_ordinary(one) for one in text]
        return self._core.encode_batch_lists(text, threads=up_to_all(num_threads))

    def encode_batch(
        self,
        text: Sequence[str],
        *,
        num_threads: int = BATCH_THREADS,
        allowed_special: Allowed = NONE,
        disallowed_special: Disallowed = ALL,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> list[list[int]]:
        """`encode` of several texts, on several threads; with `dropout`, each has its own random numbers."""
        allowed = None
        for one in text:
            allowed = self._special.check(one, allowed_special, disallowed_special)
        if allowed is None and not dropout:
            return self.encode_ordinary_batch(text, num_threads=num_threads)
        if self._scheme is not None and not dropout:
            return self._core.encode_batch_lists(text, allowed, threads=up_to_all(num_threads))
        drops = Dropout(dropout, seed) if dropout else None
        return [
            ids.tolist() for ids in self._encode_ragged(text, allowed, threads=num_threads, dropout=drops)
        ]

    def encode_documents(
        self,
        texts: Texts,
        *,
        document_end: bool = False,
        threads: int = 0,
        dropout: float = 0.0,
        seed: int = 0,
        first_document: int = 0,
    ) -> RaggedIds:
        """`encode_ordinary` of several texts as arrays, each ended by `eot_token` if asked.

        Args:
            texts: the documents.
            document_end: append the id of `<|endoftext|>` to each.
            threads: 0 means all; a long document is shared among them. The result is the same for any number.
            dropout: how likely each merge is left out, as in `encode`.
            seed: fixes what is left out.
            first_document: the number of the first text among all that are encoded with the seed: text i
                comes out as text 0 of a call with `first_document + i`.

        Raises:
            KeyError: `document_end`, but the vocabulary has no `<|endoftext|>`.
            UsageError: `dropout` is no probability, or `seed` does not fit 64 bits.
        """
        after = self.eot_token if document_end else None
        drops = Dropout(dropout, seed, first_document) if dropout else None
        return self._encode_ragged(texts, None, after=after, threads=threads, dropout=drops)

    def encode_to_matrix(
        self,
        texts: Texts,
        *,
        pad_id: int,
        max_length: int | None = None,
        pad: Side = "right",
        truncate: Side = "right",
        document_end: bool = False,
        threads: int = 0,
    ) -> PaddedIds:
        """`encode_documents` as a matrix with a row a text, and its attention mask.

        ```
        >>> tokenizer.encode_to_matrix(["hello world", "hello"], pad_id=tokenizer.eot_token).ids
        array([[31373,   995],
               [31373, 50256]], dtype=uint32)
        ```

        Args:
            texts: the documents; nothing in them is special.
            pad_id: what fills the rows.
            max_length: longer texts are cut to this many ids, the one that ends a document included.
            pad: the side that the padding is on, "right" or "left".
            truncate: the side that ids are cut from.
            document_end: append the id of `<|endoftext|>` to each.
            threads: 0 means all.

        Raises:
            KeyError: `document_end`, but the vocabulary has no `<|endoftext|>`.
            UsageError: `max_length` is negative, `pad_id` is no id, or a side is neither left nor right.
        """
        ragged = self.encode_documents(texts, document_end=document_end, threads=threads)
        return ragged.to_matrix(pad_id, max_length=max_length, pad=pad, truncate=truncate)

    def encode_parts(self, parts: Iterable[Part]) -> list[int]:
        """The ids of a text of which some parts are trusted: only there special tokens become their ids.

        Between special tokens the parts are one text, so for harmless parts the ids are those of the parts
        joined; but no special token comes out of an untrusted part, nor out of two parts together.

        ```
        >>> tokenizer.encode_parts([Part("<|endoftext|>", trusted=True), Part("<|endoftext|>")])
        [50256, 27, 91, 437, 1659, 5239, 91, 29]
        ```
        """
        ids: list[int] = []
        ordinary: list[str] = []
        for part in parts:
            for piece in self._special.split(part.text, ALL if part.trusted else NONE):
                if isinstance(piece, str):
                    ordinary.append(piece)
                else:
                    ids += self.encode_ordinary("".join(ordinary))
                    ids.append(piece)
                    ordinary.clear()
        return ids + self.encode_ordinary("".join(ordinary))

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes; decoding gives the same bytes back.

        Stretches of valid UTF-8 are encoded as text; each stretch of bytes that are not is one piece.
        """
        ids: list[int] = []
        begin = 0
        for run, end in enumerate(utf8_runs(data).tolist()):
            stretch = data[begin:end]
            is_text = run % 2 == 0
            ids += (
                self.encode_ordinary(stretch.decode("utf-8")) if is_text else self._core.encode_piece(stretch)
            )
            begin = end
        return ids

    def encode_with_unstable(
        self, text: str, *, allowed_special: Allowed = NONE, disallowed_special: Disallowed = ALL
    ) -> tuple[list[int], list[list[int]]]:
        """The ids that no continuation of `text` changes, and the ways it may go on after them.

        As in tiktoken: the stable ids decode to a beginning of `text`, and each completion, put after them,
        decodes to something that begins with `text`.
        """
        self._special.check(text, allowed_special, disallowed_special)
        return unstable.encode_with_unstable(self, repair_surrogates(text), allowed_special)

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """The id of exactly this token; special tokens count too.

        Raises:
            KeyError: it is not in the vocabulary.
        """
        token = text_or_bytes.encode("utf-8") if isinstance(text_or_bytes, str) else text_or_bytes
        found = self._vocabulary.find(token)
        if found is None:
            found = self._special_bytes.get(token)
        if found is None:
            raise KeyError(text_or_bytes)
        return found

    @cached_property
    def _special_bytes(self) -> dict[bytes, int]:
        return {text.encode("utf-8"): token for text, token in self._special_tokens.items()}

    def _encode_array(self, text: str, allowed: SpecialMatcher | None = None) -> npt.NDArray[np.uint32]:
        """The ids of `text`; where the pattern has no scanner, the `regex` module splits."""
        if self._scheme is not None:
            return self._core.encode_array(text, allowed)
        text = repair_surrogates(text)
        parts = [
            np.array([part], dtype=np.uint32)
            if isinstance(part, int)
            else self._core.encode_pieces(patterns.split(part, self._pat_str))
            for part in ([text] if allowed is None else allowed.split(text))
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)

    def _encode_ragged(
        self,
        texts: Texts,
        allowed: SpecialMatcher | None,
        *,
        after: int | None = None,
        threads: int = 0,
        dropout: Dropout | None = None,
    ) -> RaggedIds:
        """The ids of several texts, each ended by `after` if there is one."""
        if self._scheme is not None and dropout is not None:
            return dropout.encode(self._core, texts, allowed, after=after, threads=threads)
        if self._scheme is not None:
            return RaggedIds(*self._core.encode_batch(texts, allowed, after=after, threads=threads))
        end = np.array([] if after is None else [after], dtype=np.uint32)
        parts = []
        for index, text in enumerate(texts):
            if dropout is None:
                ids = self._encode_array(text, allowed)
            else:
                ids = dropout.encode_with_regex(self._core, text, index, allowed, self._pat_str)
            parts += [ids, end]
        lengths = [len(ids) + len(end) for ids in parts[::2]]
        offsets = np.cumsum([0, *lengths], dtype=np.uint64)
        return RaggedIds(np.concatenate([*parts, end[:0]]), offsets)

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        """The ids of text taken as one piece, unsplit."""
        if isinstance(text_or_bytes, str):
            text_or_bytes = text_or_bytes.encode("utf-8")
        return self._core.encode_piece(text_or_bytes)

    def _encode_only_native_bpe(self, text: str) -> list[int]:
        """`encode_ordinary` with the `regex` module instead of the scanner."""
        pieces = patterns.split(repair_surrogates(text), self._pat_str)
        return self._core.encode_pieces(pieces).tolist()  # type: ignore[no-any-return]

    def _encode_bytes(self, text: bytes) -> list[int]:
        """tiktoken's way with bytes, which is not `encode_bytes`."""
        return unstable.encode_bytes_as_tiktoken(self, text)
