"""nlpkit's compiled kernels; use the Python packages above them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final, overload

import numpy
import numpy.typing
from numpy.typing import NDArray

def simd_level() -> str:
    """The instruction level that the kernels run at on this machine."""

def compiler() -> str:
    """The compiler that built this module."""

def resolve_threads(requested: int = 0) -> int:
    """
    The number of threads used for a request; 0 asks for all that this process may run on.
    """

def release_freed_memory() -> None:
    """
    Give memory that was freed back to the system, where the C library keeps it (glibc).
    """

@overload
def pretokenize(
    scheme: str, text: str
) -> Annotated[NDArray[numpy.uint64], dict(shape=(None,), order="C", device="cpu")]:
    """The ends of the pre-tokens of a text, as byte offsets into its UTF-8."""

@overload
def pretokenize(
    scheme: str, text: bytes
) -> Annotated[NDArray[numpy.uint64], dict(shape=(None,), order="C", device="cpu")]:
    """The same for UTF-8 in bytes."""

def pretokenize_into(
    scheme: str,
    text: str,
    begin: int,
    ends: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order="C", device="cpu")],
) -> int:
    """
    Write ends of the pre-tokens from byte `begin` on into `ends`; returns how many.

    Go on with `begin` = the last end; 0 says that the text is done. Room for 64 or more is fast.
    """

def find_safe_cut(text: str, from_: int, limit: int) -> int:
    """
    The first byte in [from, limit) where text can be cut so that both sides split as the whole, or limit.
    """

def class_bits(
    code_points: Annotated[
        NDArray[numpy.uint32], dict(shape=(None,), order="C", device="cpu", writable=False)
    ],
) -> Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu")]:
    """
    The classes of code points in the Unicode version of the scanners, as sums of unicode_classes().
    """

def unicode_classes() -> dict[str, int]:
    """The bit of each class that class_bits tells."""

UNICODE_VERSION: str = "16.0.0"

class DamagedRecords(ValueError):
    pass

class MemoryNeeded(MemoryError):
    """
    Training would take more than max_memory. Its arguments: the bytes that would do, the prune_below that would (0: none), the unique pre-tokens, how many of them that drops, the occurrences of pre-tokens, and how many of those.
    """

class PretokenCounts:
    """Unique pre-tokens and how often each occurs."""

    def __init__(self, max_memory: int = 18446744073709551615, prefix: str = "") -> None:
        """
        Tables of more than `max_memory` bytes together move to sorted files named `prefix` and a number.
        """

    def add_documents(
        self, documents: list, scheme: str, weight: int = 1, threads: int = 0, progress: object | None = None
    ) -> None:
        """
        Split UTF-8 texts by a named scanner and count each pre-token `weight` times.
        """

    def add_pieces(self, pieces: list, counts: Sequence[int]) -> None:
        """Add counted pre-tokens that were split elsewhere."""

    def read_records(self, range: tuple[str, int, int]) -> None:
        """Add the records in (path, begin, end)."""

    def append_records(self, path: str) -> int:
        """
        Write what is in memory as sorted records behind what the file holds; returns how many.
        """

    def spill(self) -> None:
        """Move what is in memory to files."""

    def take_runs(self) -> list[tuple[str, int, int]]:
        """The (path, begin, end) of each file written since the last call."""

    def clear(self) -> None:
        """Forget everything."""

    @property
    def memory(self) -> int:
        """The bytes of memory in use."""

    def __len__(self) -> int: ...
    def items(self) -> list[tuple[bytes, int]]:
        """All (pre-token, count), in order of the bytes."""

    def learn_merges(
        self,
        wanted: int,
        min_count: int = 1,
        max_token_bytes: int = 4294967295,
        prune_below: int = 1,
        max_memory: int = 18446744073709551615,
        ranks: dict[bytes, int] | None = None,
        first_id: int = 256,
        progress: object | None = None,
    ) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None, 2))], int, int]:
        """
        Learn merges, on top of the bytes in GPT-2's order or of `ranks` (then the first new id is `first_id`); returns the (n, 2) merged ids, and the text's tokens and bytes.
        """

def next_cut(text: bytes, start: int) -> int:
    """
    The first place of UTF-8 text from `start` on where every scanner ends a piece, or its end.
    """

def last_cut(text: bytes, start: int, stop: int) -> int:
    """
    The last such place between `start` and `stop`, or 0 where there is none.
    """

def merge_records(ranges: Sequence[tuple[str, int, int]], path: str, progress: object | None = None) -> int:
    """
    Add up the sorted records in each (path, begin, end) and write them behind what a file holds; returns how many.
    """

def learn_merges_of_records(
    range: tuple[str, int, int],
    wanted: int,
    min_count: int = 1,
    max_token_bytes: int = 4294967295,
    prune_below: int = 1,
    max_memory: int = 18446744073709551615,
    ranks: dict[bytes, int] | None = None,
    first_id: int = 256,
    progress: object | None = None,
) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None, 2))], int, int]:
    """
    Learn merges, on top of the bytes in GPT-2's order or of `ranks` (then the first new id is `first_id`); returns the (n, 2) merged ids, and the text's tokens and bytes.
    """

class EpochStatistics:
    """What one pass over a corpus amounted to."""

    @property
    def loss(self) -> float:
        """Summed over the predictions, in nats."""

    @property
    def predictions(self) -> int:
        """(centre, context) pairs; centres for CBOW."""

    @property
    def words(self) -> int:
        """Tokens that have a row."""

    @property
    def kept(self) -> int:
        """Of these, what subsampling left."""

class Word2Vec:
    """
    word2vec's two matrices and the loop that trains them; see nlpkit.embeddings.
    """

    def __init__(
        self,
        counts: Annotated[
            NDArray[numpy.uint64], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
        *,
        dim: int,
        window: int,
        negative: int,
        epochs: int,
        lr: float,
        sample: float,
        architecture: str,
        objective: str,
        negatives: str,
        seed: int,
        hogwild: bool = False,
    ) -> None: ...
    def train(
        self,
        shards: Sequence[numpy.typing.NDArray[numpy.uint16] | numpy.typing.NDArray[numpy.uint32]],
        document_offsets: numpy.typing.NDArray[numpy.uint64],
        row_of_id: numpy.typing.NDArray[numpy.int32],
        *,
        epoch: int,
        begin: int,
        end: int,
        threads: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> EpochStatistics:
        """
        Trains from one position of an epoch to another, each a multiple of `chunk_tokens` or the corpus' size; `progress(done, total)` counts the tokens of all epochs.
        """

    def evaluate(
        self,
        shards: Sequence[numpy.typing.NDArray[numpy.uint16] | numpy.typing.NDArray[numpy.uint32]],
        document_offsets: numpy.typing.NDArray[numpy.uint64],
        row_of_id: numpy.typing.NDArray[numpy.int32],
        *,
        threads: int = 0,
    ) -> EpochStatistics:
        """
        The loss on another corpus, with the same random choices at every call; nothing changes.
        """

    chunk_tokens: Final[int] = ...
    """Training may pause where so many tokens end."""

    def learning_rate(self, epoch: int, position: int, corpus_size: int) -> float:
        """The learning rate at a position."""

    @property
    def input(self) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None))]:
        """The word vectors, (rows, dim): a writable view."""

    @property
    def output(self) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None))]:
        """
        The output rows: centres and negatives, or a tree's inner nodes, (rows, dim): a writable view.
        """

class TextBatch:
    """Documents as UTF-8, end to end; see nlpkit.text.batches."""

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int:
        """The size of all documents in UTF-8."""

    @property
    def lines(self) -> int:
        """How many lines the last append_jsonl or append_lines passed."""

    def append(self, text: str) -> None:
        """
        Append a document; pairs of surrogates are joined, lone ones become U+FFFD.
        """

    def append_jsonl(self, block: bytes, begin: int, field: str, enough: int) -> int:
        """
        Append the texts in `field` of a block's lines from `begin` on; returns where the first line begins that is not plain, or that comes after `nbytes` has reached `enough`, or the block's size.
        """

    def append_lines(self, block: bytes, begin: int, enough: int) -> int:
        """The same, each line being a document."""

    def __iter__(self) -> Iterator[str]:
        """The texts of the documents."""

    def __getitem__(self, index: int) -> str:
        """The text of one document."""

    def select(self, mask: NDArray[numpy.bool_], value: bool) -> TextBatch:
        """The documents where the mask, one bool a document, has the value."""

    def document(self, index: int) -> bytes:
        """The UTF-8 of one document."""

class WordCounts:
    """How often each word (between white space, as str.split) came."""

    def __init__(self) -> None: ...
    def add(self, texts: Sequence[str] | TextBatch, threads: int = 0) -> None:
        """Counts the words of some texts."""

    def items(self) -> list[tuple[str, int]]:
        """Each word and its count, in no order to rely on."""

class WordIds:
    """The ids of a vocabulary's words."""

    def __init__(self, words: Sequence[str]) -> None: ...
    def encode(
        self, texts: Sequence[str] | TextBatch, unknown: int, end: int | None = None, threads: int = 0
    ) -> tuple[numpy.typing.NDArray[numpy.uint32], numpy.typing.NDArray[numpy.uint64]]:
        """
        The ids of several texts end to end, and the offsets at which each begins; words between white space.
        """

class SpecialMatcher:
    """Finds special tokens in text: leftmost, then longest."""

    def __init__(self, ids: dict[str, int]) -> None: ...
    def find(self, text: str) -> str | None:
        """The first special token in a text, or None."""

    def split(self, text: str) -> list[str | int]:
        """
        The parts of a text in order: ordinary text, and the ids of special tokens.
        """

class BpeVocabulary:
    """Tokens and their ranks, ready for merging; never changes."""

    def __init__(self, ranks: dict[bytes, int]) -> None:
        """
        ranks: {token bytes: rank}. Raises ValueError, with a sentence, where they make no vocabulary.
        """

    @staticmethod
    def parse(content: bytes) -> BpeVocabulary:
        """
        From the content of a .tiktoken file. Raises ValueError for a damaged one.
        """

    @staticmethod
    def restore(image: bytes | memoryview) -> BpeVocabulary | None:
        """
        From what `image` gave; None where the bytes are damaged or of another version.
        """

    def image(self) -> bytes:
        """Bytes from which the vocabulary is ready sooner than from its ranks."""

    def tiktoken(self) -> bytes:
        """The content of its .tiktoken file."""

    def ranks(self) -> dict[bytes, int]:
        """A new dictionary, in rank order."""

    def find(self, token: bytes) -> int | None:
        """The rank of a token, or None."""

    def __len__(self) -> int: ...
    @property
    def max_rank(self) -> int: ...
    @property
    def consistent(self) -> bool:
        """
        Whether plain merging rebuilds every token, as in any trained vocabulary.
        """

MAX_TOKENS: int = 2097151

class BpeEncoder:
    """
    Byte-pair encoding with a vocabulary; see nlpkit.tokenization.Tokenizer.
    """

    def __init__(self, vocabulary: BpeVocabulary, scheme: str | None = None) -> None:
        """
        scheme: a name of csrc/pretokenizer/pretokenizer.hpp, or None to encode pieces only.
        """

    def encode(self, text: str, specials: SpecialMatcher | None = None) -> list[int]:
        """
        The ids of a str, as a list; what `specials` finds in it becomes its ids.
        """

    def encode_array(
        self, text: str, specials: SpecialMatcher | None = None, enough: int = ...
    ) -> NDArray[numpy.uint32]:
        """
        The ids of a str, as a uint32 array; without specials, may end once there are `enough`.
        """

    def count(self, text: str, limit: int = ...) -> int:
        """
        How many ids a str has, or some number above `limit` once they are more.
        """

    def encode_pieces(self, pieces: Sequence[str]) -> NDArray[numpy.uint32]:
        """The ids of strings that are already split into pieces."""

    def encode_piece(self, piece: bytes) -> list[int]:
        """The ids of bytes taken as one piece."""

    def encode_batch(
        self,
        texts: Sequence[str] | TextBatch,
        specials: SpecialMatcher | None = None,
        after: int | None = None,
        threads: int = 0,
    ) -> tuple[NDArray[numpy.uint32], NDArray[numpy.uint64]]:
        """
        Documents on several threads: all ids, and the offsets of each document; `after` ends each one.
        """

    def encode_batch_lists(
        self, texts: Sequence[str], specials: SpecialMatcher | None = None, threads: int = 0
    ) -> list[list[int]]:
        """Documents on several threads: a list of ids for each."""

    def encode_with_dropout(
        self,
        texts: Sequence[str] | TextBatch,
        probability: float,
        seed: int,
        first: int = 0,
        specials: SpecialMatcher | None = None,
        after: int | None = None,
        threads: int = 0,
    ) -> tuple[NDArray[numpy.uint32], NDArray[numpy.uint64]]:
        """
        As encode_batch, with merges left out by chance; text i draws the random numbers of document first + i.
        """

    def encode_pieces_with_dropout(
        self, pieces: Sequence[str], offset: int, probability: float, seed: int, document: int
    ) -> NDArray[numpy.uint32]:
        """
        As encode_pieces, with merges left out by chance; the pieces begin at that byte of the document.
        """

def utf8_runs(bytes: bytes) -> NDArray[numpy.uint64]:
    """
    The ends of the stretches of bytes, by turns valid UTF-8 (the first may be empty) and not.
    """

class TokenTable:
    """The bytes of every id."""

    def __init__(self, vocabulary: BpeVocabulary, special_tokens: dict[str, int]) -> None: ...
    def __len__(self) -> int: ...
    @overload
    def decode_bytes(self, ids: NDArray[numpy.uint32]) -> bytes:
        """The bytes of ids, a uint32 array or a sequence of int."""

    @overload
    def decode_bytes(self, ids: Sequence[int]) -> bytes: ...
    @overload
    def decode_text(self, ids: NDArray[numpy.uint32], errors: str) -> str:
        """The text of ids; `errors` as for bytes.decode."""

    @overload
    def decode_text(self, ids: Sequence[int], errors: str) -> str: ...
    def decode_batch(
        self, batch: Sequence[Sequence[int] | NDArray[numpy.uint32]], errors: str, threads: int
    ) -> list[str]:
        """decode_text of several sequences, on up to so many threads."""

    def decode_bytes_batch(
        self, batch: Sequence[Sequence[int] | NDArray[numpy.uint32]], threads: int
    ) -> list[bytes]:
        """decode_bytes of several sequences, on up to so many threads."""

    def ends(self, ids: NDArray[numpy.uint32]) -> NDArray[numpy.uint64]:
        """Where each id's bytes end in the bytes of all."""

    def token_bytes(self, id: object) -> bytes:
        """The bytes of one id."""

def row_dots(
    vectors: numpy.typing.NDArray[numpy.float32] | numpy.typing.NDArray[numpy.float16],
    query: numpy.typing.NDArray[numpy.float32],
    *,
    threads: int = 0,
) -> numpy.typing.NDArray[numpy.float32]:
    """The dot product of each row with the query."""

class TopRows:
    """
    The best rows of several queries, found while scores come in block by block.
    """

    def __init__(self, queries: int, most: int) -> None: ...
    def add(
        self,
        scores: numpy.typing.NDArray[numpy.float32],
        norms: numpy.typing.NDArray[numpy.float32],
        first_row: int,
        *,
        threads: int = 0,
    ) -> None:
        """
        Scores of the rows from `first_row` on, (queries, rows), each to be divided by its row's norm.
        """

    def best(self) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32]]:
        """
        Rows and scores, (queries, most), the best first; row -1 where there were too few.
        """

def read_text_rows(
    lines: bytes, *, dim: int, most: int, threads: int = 0
) -> tuple[list[bytes], numpy.typing.NDArray[numpy.float32], tuple[int, str] | None]:
    """
    Words and vectors, (words, dim), of up to `most` lines that are not blank; then nothing, or the first bad line's number from 0 and what is wrong with it.
    """

def read_binary_rows(
    block: bytes, *, dim: int, most: int
) -> tuple[list[bytes], numpy.typing.NDArray[numpy.float32], int, tuple[int, str] | None]:
    """
    Words and vectors of up to `most` whole rows, and how many bytes they take; then nothing, or the first bad row's number from 0 and what is wrong with it.
    """

SCRIPTS: tuple = ...

def script_runs(
    texts: Sequence[str] | TextBatch, threads: int = 0
) -> tuple[
    NDArray[numpy.uint64],
    NDArray[numpy.uint64],
    NDArray[numpy.uint64],
    NDArray[numpy.uint64],
    NDArray[numpy.uint64],
]:
    """
    The runs of one script in texts: the number of the text, of the script in SCRIPTS, where the run ends in the texts laid end to end, its characters and words.
    """

def tokens_by_stretch(
    texts: Sequence[str] | TextBatch, ends: NDArray[numpy.uint64], stretches: NDArray[numpy.uint64]
) -> tuple[NDArray[numpy.uint64], NDArray[numpy.uint64]]:
    """
    How many tokens end in each stretch of texts laid end to end, and how many characters end a token inside themselves; both are given by where they end.
    """

def word_ends(texts: Sequence[str] | TextBatch) -> NDArray[numpy.uint64]:
    """Where each word between white space ends in texts laid end to end."""
