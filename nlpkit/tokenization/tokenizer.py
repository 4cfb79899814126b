"""`Tokenizer`: byte-level BPE with tiktoken's `Encoding` surface, on the compiled core.

Ids equal those of `tiktoken.Encoding` built from the same arguments. What differs on purpose is listed in
docs/tokenization.md: errors are ordinary exceptions, and no text is ever dropped silently.

The surface stands in three classes, each in a file that can be read alone: `bpe/decoder.py` turns ids into
text, `bpe/encoder.py` text into ids, and this one counts and cuts text, trains, and reads and writes files.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from nlpkit._core import BpeVocabulary
from nlpkit.errors import NlpkitError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Corpus
from nlpkit.tokenization import patterns, vocabulary_files
from nlpkit.tokenization.bpe.encoder import ALL, NONE, BpeEncoder
from nlpkit.tokenization.bpe.limits import Cuts
from nlpkit.tokenization.bpe.special_tokens import END_OF_TEXT, Allowed, Disallowed, repair_surrogates
from nlpkit.tokenization.encoding.corpus import EncodeOptions, EncodeSummary, encode_corpus
from nlpkit.tokenization.formats.agreement import Agreement, Check
from nlpkit.tokenization.formats.definition import BpeDefinition
from nlpkit.tokenization.formats.gpt2 import read_gpt2, write_gpt2
from nlpkit.tokenization.formats.huggingface import write_huggingface
from nlpkit.tokenization.formats.huggingface_reading import read_huggingface
from nlpkit.tokenization.training import train_bpe

if TYPE_CHECKING:
    import tiktoken


class Tokenizer(BpeEncoder):
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
            (What `vocabulary_files` reads is such a table already made.)
        special_tokens: the id of each special token's text.
        explicit_n_vocab: checked, where given: the tokens' number, without gaps.

    Raises:
        NlpkitError: a byte without a token, a rank twice, an empty token, a special token's id that is a
            rank too, or a wrong `explicit_n_vocab`.
        UsageError: `pat_str` is neither a valid regex nor the name of a pattern.
    """

    _remake: "Callable[[], Tokenizer] | None" = None  # set by `get_encoding`: what gives the same one again

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int] | BpeVocabulary,
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        super().__init__(name, mergeable_ranks, special_tokens, pat_str)
        if explicit_n_vocab is not None and not len(self._table) == self.n_vocab == explicit_n_vocab:
            raise NlpkitError(
                f"vocabulary {name!r} has {len(self._table)} tokens up to id {self.max_token_value}, which "
                f"does not make explicit_n_vocab={explicit_n_vocab}."
            )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the ranks, the pattern and the special tokens: all that decides the ids."""
        ranks = vocabulary_files.sha256_of_ranks(self._vocabulary)
        return vocabulary_files.fingerprint(ranks, self._pat_str, self._special_tokens)

    # ====================
    # Counting and cutting
    # ====================

    def count(
        self, text: str, *, allowed_special: Allowed = NONE, disallowed_special: Disallowed = ALL
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
    # Corpora
    # ====================

    def encode_files(
        self,
        inputs: Sequence[str | Path],
        out: Path,
        *,
        field: str = "text",
        lines: bool = False,
        errors: str = "strict",
        **options: Unpack[EncodeOptions],
    ) -> EncodeSummary:
        """Encode text files to token shards in `out`, in constant memory, on all threads.

        ```
        >>> tokenizer.encode_files(["corpus:sample"], Path("shards"), validation=0).train.documents
        24
        ```

        Args:
            inputs: what `nlpkit.text.Corpus` reads: files, folders, globs, `-`, `corpus:NAME`.
            out: the folder to write; an existing one is replaced.
            field: where the text is in .jsonl, .csv, .tsv and .parquet.
            lines: in plain text, one document a line instead of one a file.
            errors: on invalid UTF-8, `strict`, `replace` or `skip`.
            options: those of `nlpkit.tokenization.encode_corpus`, which says what is written and raised.
        """
        return encode_corpus(Corpus(inputs, field=field, lines=lines, errors=errors), self, out, **options)

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
            Path(folder), self.name, self._pat_str, self._vocabulary, self._special_tokens
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
        """The vocabulary of a `tiktoken.Encoding`, with equal ids."""
        return cls(
            encoding.name,
            pat_str=encoding._pat_str,
            mergeable_ranks=encoding._mergeable_ranks,
            special_tokens=encoding._special_tokens,
        )

    @property
    def definition(self) -> BpeDefinition:
        """All that decides the ids, as the readers and writers of other formats take it."""
        return BpeDefinition(self.name, self._pat_str, self._mergeable_ranks, self._special_tokens)

    def check(self, texts: Iterable[str] = ()) -> Check:
        """What conversions of this vocabulary are checked with; the texts come on top of made-up ones."""
        return Check(partial(self.encode, allowed_special="all"), texts)

    def to_huggingface(self, folder: Path, *, texts: Iterable[str] = ()) -> Agreement | None:
        """Write the two files that `transformers.AutoTokenizer.from_pretrained` loads, with equal ids.

        Args:
            folder: where to write; other files in it stay.
            texts: encoded on both sides, beside 2,000 made-up texts.

        Returns:
            how many texts were encoded equally by both sides; None where `tokenizers` is not installed.

        Raises:
            NlpkitError: the vocabulary cannot be said in a tokenizer.json; names what is in the way.
        """
        return write_huggingface(self.definition, Path(folder), self.check(texts))

    @classmethod
    def from_huggingface(cls, path: Path) -> "Tokenizer":
        """The byte-level BPE of a `tokenizer.json`, or of the one in a folder.

        Ids are those of Hugging Face's `encode(text, add_special_tokens=False)`, given
        `allowed_special="all"`; where `tokenizers` is installed, both sides encode the same texts to make
        sure. docs/formats.md lists what is refused.

        Raises:
            UsageError: nothing is there.
            CorruptFileError: the file is damaged.
            NlpkitError: it needs what nlpkit does not do, such as a normalizer; names it.
        """
        file = read_huggingface(Path(path))
        tokenizer = cls(**file.definition.arguments())
        file.compare(tokenizer.check())
        return tokenizer

    def to_gpt2(self, folder: Path, *, texts: Iterable[str] = ()) -> Agreement | None:
        """Write GPT-2's two files, `vocab.json` and `merges.txt`; returns and raises as `to_huggingface`."""
        return write_gpt2(self.definition, Path(folder), self.check(texts))

    @classmethod
    def from_gpt2(cls, folder: Path) -> "Tokenizer":
        """The vocabulary of GPT-2's two files, also under their first names, encoder.json and vocab.bpe.

        Raises:
            UsageError: one of them is not there.
            CorruptFileError: a file is damaged.
            NlpkitError: merges and ids do not fit together, such as merges in another order than the ids.
        """
        files = read_gpt2(Path(folder))
        tokenizer = cls(**files.definition.arguments())
        files.compare(tokenizer.check())
        return tokenizer

    def __reduce__(self) -> tuple[Callable[..., "Tokenizer"], tuple[Any, ...]]:
        """Pickles of a published vocabulary hold its name alone, those of another one all that makes it."""
        if self._remake is not None:
            return self._remake, ()
        remake = partial(
            type(self),
            pat_str=self._pat_str,
            mergeable_ranks=self._mergeable_ranks,
            special_tokens=self._special_tokens,
        )
        return remake, (self.name,)
