"""`WordVocabulary`: whole words, pre-tokens or characters as units, with counts.

Word-level and character-level benchmarks and word2vec's words want it. Units seen fewer than `min_count`
times become `<unk>`, so unlike a `Tokenizer` it can lose text.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nlpkit._core import WordCounts, WordIds, word_ends
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import atomic_folder, sha256_file
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.batches import gather
from nlpkit.tokenization import patterns, vocabulary_files
from nlpkit.tokenization.ragged import RaggedIds, Texts

Unit: TypeAlias = Literal["word", "pretoken", "character"]
"""What one id stands for: a whitespace-separated word, a piece of the split pattern, or a character."""

UNKNOWN = "<unk>"
"""Stands for every unit that the vocabulary lacks; id 0."""

DOCUMENT_END = "<eos>"
"""Ends a document; id 1. The name is the one of the word-level language-model benchmarks."""

KIND = "words"
WORDS_FILE = "words.jsonl"


class WordVocabulary:
    """Units and their ids, in order of falling count.

    Args:
        name: what to call it.
        counts: how often each unit occurred, in the order of the ids; the first two are `<unk>` (the
            occurrences of all that is not listed) and `<eos>` (the documents).
        unit: what a unit is.
        lowercase: whether text is lower-cased first.
        pat_str: the split pattern, for unit "pretoken".

    Raises:
        NlpkitError: the first two units are others.
        UsageError: an unknown unit or pattern.
    """

    def __init__(
        self,
        name: str,
        *,
        counts: Mapping[str, int],
        unit: Unit = "word",
        lowercase: bool = False,
        pat_str: str = "cl100k",
    ) -> None:
        if unit not in get_args(Unit):
            raise UsageError(f"there is no unit {unit!r}: use {', '.join(get_args(Unit))}.")
        self.name = name
        self.unit: Unit = unit
        self.lowercase = lowercase
        self.pat_str = patterns.pattern_string(pat_str)
        self.tokens = list(counts)
        if self.tokens[:2] != [UNKNOWN, DOCUMENT_END]:
            raise NlpkitError(f"a word vocabulary begins with {UNKNOWN} and {DOCUMENT_END}.")
        self.counts: npt.NDArray[np.int64] = np.fromiter(counts.values(), dtype=np.int64)  # (n_vocab,)
        self._ids = {token: id for id, token in enumerate(self.tokens)}
        self._split, self._joint = _splitter(unit, self.pat_str)

    def __repr__(self) -> str:
        return f"<WordVocabulary {self.name!r}>"

    @classmethod
    def train(
        cls,
        documents: Iterable[str],
        *,
        unit: Unit = "word",
        min_count: int = 5,
        lowercase: bool = False,
        pattern: str = "cl100k",
        max_size: int | None = None,
        name: str = "words",
        threads: int = 0,
        progress: ProgressCallback = no_progress,
    ) -> "WordVocabulary":
        """Count the units of `documents` and keep those that come at least `min_count` times.

        Args:
            documents: texts.
            unit: "word", "pretoken" or "character".
            min_count: units seen fewer times become `<unk>` (5: word2vec's default).
            lowercase: lower-case all text first.
            pattern: the split pattern's name or regex, for unit "pretoken".
            max_size: the most ids to have, `<unk>` and `<eos>` included.
            name: what to call the vocabulary.
            threads: for unit "word"; 0 means all. The vocabulary is the same for any number.
            progress: called with the characters counted so far.

        Raises:
            NlpkitError: no unit is left.
        """
        split, _ = _splitter(unit, patterns.pattern_string(pattern))
        prepared = _Prepared(documents, lowercase, progress)
        if unit == "word":
            found = _count_words(prepared, threads)
        else:
            found = Counter(chain.from_iterable(map(split, prepared)))
        n_documents, total = prepared.documents, sum(found.values())
        found.pop(UNKNOWN, 0)  # a corpus may write them itself, as WikiText does
        written_end = found.pop(DOCUMENT_END, 0)
        kept = sorted(
            (item for item in found.items() if item[1] >= min_count), key=lambda item: (-item[1], item[0])
        )
        if max_size is not None:
            kept = kept[: max(0, max_size - 2)]
        if not kept:
            raise NlpkitError(
                f"no {unit} comes {min_count} times or more in the corpus ({len(found):,} different ones, "
                f"{total:,} in all): lower --min-count or bring more text."
            )
        unknown = total - written_end - sum(count for _, count in kept)
        counts = {UNKNOWN: unknown, DOCUMENT_END: n_documents + written_end, **dict(kept)}
        return cls(name, counts=counts, unit=unit, lowercase=lowercase, pat_str=pattern)

    # ====================
    # Encoding and decoding
    # ====================

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of the units of `text`; 0 for the unknown ones."""
        look_up = self._ids.get
        return [look_up(unit, 0) for unit in self._split(_prepare(text, self.lowercase))]

    def encode_documents(self, texts: Texts, *, document_end: bool = False, threads: int = 0) -> RaggedIds:
        """`encode_ordinary` of several texts as arrays, each ended by `<eos>` if asked.

        Words are looked up on `threads` threads (0 means all), other units on one.
        """
        if self.unit == "word":
            prepared = [_prepare(text, True) for text in texts] if self.lowercase else texts
            return RaggedIds(*self._word_ids.encode(prepared, 0, 1 if document_end else None, threads))
        tail = [1] if document_end else []
        parts = [np.array(self.encode_ordinary(text) + tail, dtype=np.uint32) for text in texts]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.uint64)
        return RaggedIds(np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32), offsets)

    def token_ends(self, texts: Texts, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
        """Where each of the ids that `encode_documents` made of texts ends in the bytes of all of them."""
        if self.unit == "word":
            return word_ends(texts)
        ends = []
        begin = 0
        for text in texts:
            of_characters = _character_ends(_prepare(text, False), self.lowercase)
            lengths = [len(unit) for unit in self._split(_prepare(text, self.lowercase))]
            units = np.cumsum(lengths, dtype=np.int64)
            ends.append(of_characters[units - 1] + np.uint64(begin))
            begin += int(of_characters[-1]) if len(of_characters) else 0
        return np.concatenate([np.empty(0, np.uint64), *ends])

    @cached_property
    def _word_ids(self) -> WordIds:
        return WordIds(self.tokens)

    def decode(self, tokens: Iterable[int]) -> str:
        """The units of ids, words joined by a space.

        Raises:
            KeyError: an id stands for nothing.
        """
        return self._joint.join(self._token(token) for token in tokens)

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The UTF-8 of one unit.

        Raises:
            KeyError: the id stands for nothing.
        """
        return self._token(token).encode("utf-8")

    def encode_single_token(self, text: str) -> int:
        """The id of a unit.

        Raises:
            KeyError: the vocabulary lacks it.
        """
        return self._ids[text]

    def _token(self, token: int) -> str:
        if not 0 <= token < len(self.tokens):
            raise KeyError(f"Invalid token for decoding: {token}")
        return self.tokens[token]

    # ====================
    # The vocabulary
    # ====================

    @property
    def n_vocab(self) -> int:
        """The number of ids."""
        return len(self.tokens)

    @property
    def document_end(self) -> int | None:
        """The id of `<eos>`."""
        return 1

    @property
    def unknown(self) -> int | None:
        """The id of `<unk>`."""
        return 0

    def is_special_token(self, token: int) -> bool:
        """Whether an id is that of `<unk>` or `<eos>`, which stand for no text."""
        return token in (0, 1)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the units, how text is cut into them, and the case."""
        return vocabulary_files.fingerprint_of({"tokens": self.tokens, **self._settings()})

    def _settings(self) -> dict[str, str | bool]:
        settings: dict[str, str | bool] = {"unit": self.unit, "lowercase": self.lowercase}
        return settings | ({"pat_str": self.pat_str} if self.unit == "pretoken" else {})

    # ====================
    # Files
    # ====================

    def save(self, folder: Path) -> None:
        """Write `words.jsonl` (`["unit", count]` a line, in the order of the ids) and `nlpkit.json`."""
        with atomic_folder(Path(folder)) as temporary:
            path = temporary / WORDS_FILE
            with path.open("w", encoding="utf-8", newline="\n") as file:
                for token, count in zip(self.tokens, self.counts.tolist(), strict=True):
                    file.write(json.dumps([token, count], ensure_ascii=False) + "\n")
            vocabulary_files.write_description(
                temporary,
                KIND,
                {
                    "name": self.name,
                    **self._settings(),
                    "words_sha256": sha256_file(path),
                    "fingerprint": self.fingerprint,
                },
            )

    @classmethod
    def load(cls, folder: Path) -> "WordVocabulary":
        """Read a folder written by `save`.

        Raises:
            UsageError: `folder` holds no word vocabulary.
            CorruptFileError: a file is damaged.
        """
        folder = Path(folder)
        description = vocabulary_files.read_description(folder, KIND)
        path = folder / WORDS_FILE
        content = vocabulary_files.read_bytes(path)
        try:
            vocabulary_files.check_sha256(
                path, description["words_sha256"], hashlib.sha256(content).hexdigest()
            )
            counts = dict(json.loads(line) for line in content.splitlines())
            vocabulary = cls(
                description["name"],
                counts=counts,
                unit=description["unit"],
                lowercase=description["lowercase"],
                pat_str=description.get("pat_str", "cl100k"),
            )
            if vocabulary.fingerprint != description["fingerprint"]:
                raise ValueError("its fingerprint does not fit its other fields")
        except CorruptFileError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(
                f"{folder} is damaged ({error}): restore it or make the vocabulary again."
            ) from error
        return vocabulary


def _prepare(text: str, lowercase: bool) -> str:
    if not text.isascii():  # lone surrogates cannot be written to a file: U+FFFD, as for a Tokenizer
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.lower() if lowercase else text


def _character_ends(text: str, lowercase: bool) -> npt.NDArray[np.uint64]:
    """Where the characters of a text end in its bytes, or those, maybe more, of the lower-cased text."""
    ends = np.cumsum([len(character.encode()) for character in text], dtype=np.uint64)
    if not lowercase or text.isascii():
        return ends
    return np.repeat(ends, [len(character.lower()) for character in text])


class _Prepared:
    """The texts of documents, ready to be split, while their number is counted and told."""

    def __init__(self, documents: Iterable[str], lowercase: bool, progress: ProgressCallback) -> None:
        self._source, self._lowercase, self._progress = documents, lowercase, progress
        self.documents = self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for text in self._source:
            yield _prepare(text, self._lowercase)
            self.documents += 1
            self.characters += len(text)
            self._progress("count", self.characters, 0)


def _count_words(texts: Iterable[str], threads: int) -> dict[str, int]:
    """The words that `str.split` finds, counted in the core by batches of texts."""
    counts = WordCounts()
    for batch in gather(texts, len):
        counts.add(batch, threads)
    return dict(counts.items())


def _splitter(unit: Unit, pat_str: str) -> tuple[Callable[[str], list[str]], str]:
    """How text is cut into units, and what stands between them when they are joined again."""
    if unit == "word":
        return str.split, " "
    if unit == "character":
        return list, ""
    return lambda text: patterns.split(text, pat_str), ""
