"""`Tokenizer`: byte-level BPE with tiktoken's `Encoding` surface, on the compiled core.

Ids equal those of `tiktoken.Encoding` built from the same arguments. What differs on purpose is listed in
docs/tokenization.md: errors are ordinary exceptions, and no text is ever dropped silently.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit._core import SpecialMatcher, utf8_runs
from nlpkit.errors import NlpkitError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization import patterns, unstable, vocabulary_files
from nlpkit.tokenization.limits import Cuts
from nlpkit.tokenization.offsets import Offsets, find_offsets
from nlpkit.tokenization.special_tokens import Allowed, Disallowed, Part, SpecialTokens, repair_surrogates
from nlpkit.tokenization.streaming import StreamDecoder
from nlpkit.tokenization.training import train_bpe
from nlpkit.tokenization.vocabulary import RaggedIds, as_ids

if TYPE_CHECKING:
    import tiktoken

END_OF_TEXT = "<|endoftext|>"
"""The special token that ends a document, by tiktoken's name."""

_ALL: Literal["all"] = "all"
_NONE: frozenset[str] = frozenset()
_BATCH_THREADS = 8  # tiktoken's default for num_threads


class Tokenizer:
    """Text to ids and back.

    Example:
        >>> tokenizer = Tokenizer(
        ...     "bytes",
        ...     pat_str=r"(?s:.)+",
        ...     mergeable_ranks={bytes([i]): i for i in range(256)} | {b"ab": 256},
        ...     special_tokens={"<|endoftext|>": 257},
        ... )
        >>> tokenizer.encode("cab")
        [99, 256]
        >>> tokenizer.decode([99, 256])
        'cab'

    Args:
        name: what to call it; vocabularies with other special tokens should have another name.
        pat_str: the regex that splits text into pieces (a name of `PATTERNS` stands for its regex). The
            known ones run in the compiled core.
        mergeable_ranks: the rank of each token's bytes, which is both merge priority and id. Gaps are legal.
        special_tokens: the id of each special token's text.
        explicit_n_vocab: checked, where given: the tokens' number, without gaps.

    Raises:
        NlpkitError: a byte without a token, a rank twice, an empty token, a special token's id that is a
            rank too, or a wrong `explicit_n_vocab`.
        UsageError: `pat_str` is neither a valid regex nor the name of a pattern.
    """

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        self.name = name
        self._pat_str = patterns.pattern_string(pat_str)
        self._mergeable_ranks = mergeable_ranks
        self._special_tokens = special_tokens
        self._special = SpecialTokens(special_tokens)
        self._scheme = patterns.named_scheme(self._pat_str)
        try:
            self._core = _core.BpeEncoder(mergeable_ranks, self._scheme)
            self._table = _core.TokenTable(mergeable_ranks, special_tokens)
        except ValueError as error:
            raise NlpkitError(f"vocabulary {name!r}: {error}.") from error
        self.max_token_value: int = max(
            max(mergeable_ranks.values()), max(special_tokens.values(), default=0)
        )
        if explicit_n_vocab is not None and not len(self._table) == self.n_vocab == explicit_n_vocab:
            raise NlpkitError(
                f"vocabulary {name!r} has {len(self._table)} tokens up to id {self.max_token_value}, which "
                f"does not make explicit_n_vocab={explicit_n_vocab}."
            )

    def __repr__(self) -> str:
        return f"<Tokenizer {self.name!r}>"

    # ====================
    # Encoding
    # ====================

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
        self, text: str, *, allowed_special: Allowed = _NONE, disallowed_special: Disallowed = _ALL
    ) -> list[int]:
        """The ids of `text`.

        Text that spells a special token is refused unless the caller says what it means there:

        - `allowed_special`: these become their ids ("all": every special token);
        - `disallowed_special`: these raise ("all": every special token that is not allowed; `()`: none, so
          that they are encoded as ordinary text).

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
        """
        allowed = self._special.check(text, allowed_special, disallowed_special)
        if self._scheme is not None:
            return self._core.encode(text, allowed)
        return self._encode_array(text, allowed).tolist()  # type: ignore[no-any-return]

    def encode_to_numpy(
        self, text: str, *, allowed_special: Allowed = _NONE, disallowed_special: Disallowed = _ALL
    ) -> npt.NDArray[np.uint32]:
        """As `encode`, without Python objects: an array of uint32."""
        return self._encode_array(text, self._special.check(text, allowed_special, disallowed_special))

    def encode_ordinary_batch(
        self, text: Sequence[str], *, num_threads: int = _BATCH_THREADS
    ) -> list[list[int]]:
        """`encode_ordinary` of several texts, on several threads."""
        if self._scheme is None:
            return [self.encode_ordinary(one) for one in text]
        return self._core.encode_batch_lists(text, threads=num_threads)

    def encode_batch(
        self,
        text: Sequence[str],
        *,
        num_threads: int = _BATCH_THREADS,
        allowed_special: Allowed = _NONE,
        disallowed_special: Disallowed = _ALL,
    ) -> list[list[int]]:
        """`encode` of several texts, on several threads."""
        allowed = [self._special.check(one, allowed_special, disallowed_special) for one in text]
        if any(matcher is not None for matcher in allowed):
            return [
                self._encode_array(one, matcher).tolist() for one, matcher in zip(text, allowed, strict=True)
            ]
        return self.encode_ordinary_batch(text, num_threads=num_threads)

    def encode_documents(
        self, texts: Sequence[str], *, document_end: bool = False, threads: int = 0
    ) -> RaggedIds:
        """`encode_ordinary` of several texts as arrays, each ended by `eot_token` if asked.

        Args:
            texts: the documents.
            document_end: append the id of `<|endoftext|>` to each.
            threads: 0 means all; a long document is shared among them. The result is the same for any number.

        Raises:
            KeyError: `document_end`, but the vocabulary has no `<|endoftext|>`.
        """
        after = self.eot_token if document_end else None
        if self._scheme is not None:
            return RaggedIds(*self._core.encode_batch(texts, after=after, threads=threads))
        tail = np.empty(0, dtype=np.uint32) if after is None else np.array([after], dtype=np.uint32)
        parts = [np.concatenate([self._encode_array(text), tail]) for text in texts]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.uint64)
        return RaggedIds(np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32), offsets)

    def encode_parts(self, parts: Iterable[Part]) -> list[int]:
        """The ids of a text of which some parts are trusted: only there special tokens become their ids.

        Between special tokens the parts are one text, so for harmless parts the ids are those of the parts
        joined; but no special token comes out of an untrusted part, nor out of two parts together.

        ```
        >>> tokenizer.encode_parts([Part("<|user|>", trusted=True), Part(whatever_the_user_typed)])
        ```
        """
        ids: list[int] = []
        ordinary: list[str] = []
        for part in parts:
            for piece in self._special.split(part.text, _ALL if part.trusted else _NONE):
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
        self, text: str, *, allowed_special: Allowed = _NONE, disallowed_special: Disallowed = _ALL
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
        if isinstance(text_or_bytes, str):
            text_or_bytes = text_or_bytes.encode("utf-8")
        rank = self._mergeable_ranks.get(text_or_bytes)
        return self._special_tokens[text_or_bytes.decode("utf-8", "replace")] if rank is None else rank

    def _encode_array(self, text: str, allowed: SpecialMatcher | None = None) -> npt.NDArray[np.uint32]:
        """The ids of `text`; where the pattern has no scanner, the `regex` module splits."""
        if self._scheme is not None:
            return self._core.encode_array(text, allowed)
        parts = [
            np.array([part], dtype=np.uint32)
            if isinstance(part, int)
            else self._core.encode_pieces(patterns.split(repair_surrogates(part), self._pat_str))
            for part in ([text] if allowed is None else allowed.split(text))
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)

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

    # ====================
    # Counting and cutting
    # ====================

    def count(
        self, text: str, *, allowed_special: Allowed = _NONE, disallowed_special: Disallowed = _ALL
    ) -> int:
        """`len(encode(text, ...))` without the list.

        Raises:
            NlpkitError: the text holds a disallowed special token.
        """
        allowed = self._special.check(text, allowed_special, disallowed_special)
        if self._scheme is not None and allowed is None:
            return self._core.count(text)
        return len(self._encode_array(text, allowed))

    def count_until(self, text: str, limit: int) -> int | None:
        """How many ids `encode_ordinary` gives, or None for more than `limit`: it then stops there."""
        if limit < 0:
            return None
        count = self._core.count(text, limit) if self._scheme is not None else len(self._encode_array(text))
        return count if count <= limit else None

    def truncate(self, text: str, max_tokens: int) -> str:
        """The longest beginning of `text` that ends with a token and has at most `max_tokens` of them.

        Raises:
            UsageError: `max_tokens` is negative.
        """
        return self._cuts(text, enough=max(0, max_tokens) + 1).truncate(max_tokens)

    def split(self, text: str, max_tokens: int, *, overlap: int = 0) -> list[str]:
        """`text` in pieces of at most `max_tokens` tokens, cut between tokens and between characters.

        Args:
            text: the text; joined, pieces without overlap give it back.
            max_tokens: the most tokens that a piece may have.
            overlap: tokens of the piece before that each piece begins with.

        Raises:
            UsageError: `max_tokens` is below 1, or `overlap` is not below it.
            NlpkitError: some character alone has more tokens than that.
        """
        return self._cuts(text).split(max_tokens, overlap)

    def _cuts(self, text: str, enough: int | None = None) -> Cuts:
        """Where `text` can be cut, or its beginning of `enough` tokens."""
        text = repair_surrogates(text)
        if enough is None or self._scheme is None:
            ids = self._encode_array(text)
        else:
            ids = self._core.encode_array(text, None, enough)
        return Cuts(text, self._table.ends(ids), lambda part: self.count(part, disallowed_special=()))

    # ====================
    # Decoding
    # ====================

    def decode_bytes(self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]]) -> bytes:
        """The bytes of ids.

        Raises:
            KeyError: an id stands for nothing; names it.
            OverflowError: an id is negative or past 32 bits.
        """
        return self._table.decode_bytes(as_ids(tokens) if isinstance(tokens, np.ndarray) else tokens)

    def decode(self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]], errors: str = "replace") -> str:
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

    def offsets(self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Offsets:
        """Where each of `tokens` lies in `decode_bytes(tokens)`, and in the characters of `decode(tokens)`.

        Right also for tokens that hold part of a character, and for bytes that are no UTF-8.
        """
        ids = as_ids(np.asarray(tokens) if len(tokens) else np.empty(0, dtype=np.uint32))
        return find_offsets(self._table.decode_bytes(ids), self._table.ends(ids))

    def decoder(self, errors: str = "replace") -> StreamDecoder:
        """A decoder for ids that come one at a time; it never shows half a character."""
        return StreamDecoder(self.decode_bytes, errors)

    def decode_batch(
        self, batch: Sequence[Sequence[int]], *, errors: str = "replace", num_threads: int = _BATCH_THREADS
    ) -> list[str]:
        """`decode` of several sequences; `num_threads` is there for callers of tiktoken, one is used."""
        return [self.decode(tokens, errors=errors) for tokens in batch]

    def decode_bytes_batch(
        self, batch: Sequence[Sequence[int]], *, num_threads: int = _BATCH_THREADS
    ) -> list[bytes]:
        """`decode_bytes` of several sequences."""
        return [self.decode_bytes(tokens) for tokens in batch]

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

    @cached_property
    def special_tokens_set(self) -> set[str]:
        """The texts of the special tokens."""
        return set(self._special_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the ranks, the pattern and the special tokens: all that decides the ids."""
        ranks = vocabulary_files.sha256_of_ranks(self._mergeable_ranks)
        return vocabulary_files.fingerprint(ranks, self._pat_str, self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Whether an id is a special token's."""
        if not isinstance(token, int):
            raise TypeError(f"a token id is an int, not {type(token).__name__}")
        return token in self._special.values

    def token_byte_values(self) -> list[bytes]:
        """The bytes of every token but the special ones, sorted, as tiktoken gives them."""
        return list(self._sorted_tokens)

    @cached_property
    def _sorted_tokens(self) -> list[bytes]:
        return sorted(self._mergeable_ranks)

    # ====================
    # Files and pickling
    # ====================

    @classmethod
    def train(
        cls,
        documents: Iterable[str],
        *,
        vocab_size: int,
        pattern: str = "cl100k",
        special_tokens: Sequence[str] = (END_OF_TEXT,),
        min_count: int = 1,
        threads: int = 0,
        name: str = "bpe",
        progress: ProgressCallback = no_progress,
    ) -> "Tokenizer":
        """Learn a vocabulary from texts; see `nlpkit.tokenization.training.train_bpe`.

        Args:
            documents: the texts, read once.
            vocab_size: the number of ids: 256 bytes, merges and special tokens together.
            pattern: the split pattern, by name or as a regex.
            special_tokens: get the ids after the tokens, in this order.
            min_count: a pair must occur this often to be merged.
            threads: 0 means all; the result is the same for any number.
            name: what to call the vocabulary.
            progress: called with the phases "counting" (bytes read) and "merging" (merges made).

        Raises:
            UsageError: an argument is invalid.
            NlpkitError: the texts offer fewer merges than asked for; says how many.
        """
        tokens = train_bpe(
            documents,
            vocab_size=vocab_size,
            pattern=pattern,
            special_tokens=special_tokens,
            min_count=min_count,
            threads=threads,
            progress=progress,
        )
        return cls.from_tokens(name, tokens, pattern=pattern, special_tokens=special_tokens)

    @classmethod
    def from_tokens(
        cls,
        name: str,
        tokens: Sequence[bytes],
        *,
        pattern: str = "cl100k",
        special_tokens: Sequence[str] = (END_OF_TEXT,),
    ) -> "Tokenizer":
        """A tokenizer from tokens in the order of their ranks; the special tokens get the ids after them."""
        return cls(
            name,
            pat_str=patterns.pattern_string(pattern),
            mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
            special_tokens={text: len(tokens) + place for place, text in enumerate(special_tokens)},
        )

    @classmethod
    def load(cls, path: Path, *, pattern: str | None = None) -> "Tokenizer":
        """A vocabulary folder written by `save`, or a `.tiktoken` file and the pattern that goes with it.

        Raises:
            UsageError: there is nothing at `path`, or a file came without `pattern` or a folder with one.
            CorruptFileError: a file is damaged; names the line, or the checksum that does not fit.
        """
        name, fields = vocabulary_files.read_bpe(Path(path), pattern)
        return cls(name, **fields)

    def save(self, folder: Path) -> None:
        """Write `vocabulary.tiktoken` and `nlpkit.json` (docs/formats.md), replacing `folder` as a whole."""
        vocabulary_files.write_bpe(
            Path(folder), self.name, self._pat_str, self._mergeable_ranks, self._special_tokens
        )

    def to_tiktoken(self) -> "tiktoken.Encoding":
        """The same vocabulary as a `tiktoken.Encoding`, with equal ids."""
        import tiktoken

        return tiktoken.Encoding(
            self.name,
            pat_str=self._pat_str,
            mergeable_ranks=self._mergeable_ranks,
            special_tokens=self._special_tokens,
        )

    @classmethod
    def from_tiktoken(cls, encoding: "tiktoken.Encoding") -> "Tokenizer":
        """The vocabulary of a `tiktoken.Encoding`, with equal ids.

        Raises:
            NlpkitError: two of its special tokens share an id, as in o200k_harmony.
        """
        return cls(
            encoding.name,
            pat_str=encoding._pat_str,
            mergeable_ranks=encoding._mergeable_ranks,
            special_tokens=encoding._special_tokens,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
