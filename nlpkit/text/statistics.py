"""What a corpus holds, in figures."""

import hashlib
import unicodedata
from collections import Counter
from dataclasses import dataclass

from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.documents import Corpus

_SCRIPTS_BY_OTHER_NAMES = {"CJK": "Han", "IDEOGRAPHIC": "Han", "MODIFIER": "Common"}
_DOCUMENTS_BETWEEN_CALLS = 64


@dataclass(frozen=True, slots=True)
class CorpusStats:
    """The figures of `corpus_stats`.

    Attributes:
        documents: how many.
        bytes: of their text as UTF-8.
        characters: Unicode code points.
        words: pieces between white space.
        lines: line ends, and a last line without one.
        distinct_characters: the size of a character vocabulary.
        longest_document: the most characters in one document.
        longest_source: where that one is.
        duplicates: documents whose text came before.
        skipped: documents left out because of invalid UTF-8.
        scripts: share of the letters by script, largest first.
    """

    documents: int
    bytes: int
    characters: int
    words: int
    lines: int
    distinct_characters: int
    longest_document: int
    longest_source: str
    duplicates: int
    skipped: int
    scripts: dict[str, float]


def corpus_stats(corpus: Corpus, *, progress: ProgressCallback = no_progress) -> CorpusStats:
    """Read a corpus once and count. Memory: 16 bytes (and Python's share) a document, for the duplicates.

    Args:
        corpus: what to read.
        progress: called with phase `read` and bytes of the files.
    """
    total_bytes = corpus.total_bytes
    text_bytes = words = lines = longest = documents = 0
    longest_source = ""
    characters: Counter[str] = Counter()
    seen: set[bytes] = set()
    for documents, document in enumerate(corpus, start=1):
        text = document.text
        data = text.encode()
        text_bytes += len(data)
        words += len(text.split())
        lines += text.count("\n") + (not text.endswith("\n"))
        characters.update(text)
        seen.add(hashlib.blake2b(data, digest_size=16).digest())
        if len(text) > longest:
            longest, longest_source = len(text), document.source
        if documents % _DOCUMENTS_BETWEEN_CALLS == 0:
            progress("read", corpus.bytes_read, total_bytes)
    return CorpusStats(
        documents=documents,
        bytes=text_bytes,
        characters=characters.total(),
        words=words,
        lines=lines,
        distinct_characters=len(characters),
        longest_document=longest,
        longest_source=longest_source,
        duplicates=documents - len(seen),
        skipped=corpus.skipped,
        scripts=script_shares(characters),
    )


def script_shares(characters: Counter[str]) -> dict[str, float]:
    """The share of each script among the letters, largest first, by the first word of the letters' names.

    Example:
        >>> script_shares(Counter("abc дом, 12"))
        {'Latin': 0.5, 'Cyrillic': 0.5}
    """
    scripts: Counter[str] = Counter()
    for character, count in characters.items():
        if unicodedata.category(character).startswith("L"):
            scripts[_script(character)] += count
    return {script: count / scripts.total() for script, count in scripts.most_common()}


def _script(letter: str) -> str:
    # Unicode names a letter after its script ("CYRILLIC SMALL LETTER A"), once its width and style are off
    name = unicodedata.name(unicodedata.normalize("NFKC", letter)[0], "UNNAMED")
    first = name.split()[0].split("-")[0]
    return _SCRIPTS_BY_OTHER_NAMES.get(first, first.capitalize())
