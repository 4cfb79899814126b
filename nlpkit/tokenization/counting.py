"""How many tokens the parts of a corpus have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Document
from nlpkit.text.batches import gather
from nlpkit.tokenization.encoding import utf8_size
from nlpkit.tokenization.vocabulary import Vocabulary


@dataclass(slots=True)
class TokenCount:
    """The tokens of one source."""

    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text for one token; 0 without tokens."""
        return self.text_bytes / self.tokens if self.tokens else 0.0


def count_corpus(
    corpus: Iterable[Document],
    vocabulary: Vocabulary,
    *,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> dict[str, TokenCount]:
    """The tokens of each file of a corpus, in order, and of all of them under "total".

    Args:
        corpus: the documents; those of one file (`path:1`, `path:2`, …) are counted together.
        vocabulary: a `Tokenizer` or `WordVocabulary`.
        threads: 0 means all.
        progress: called with the bytes of text done.
    """
    counts: dict[str, TokenCount] = {}
    total = TokenCount()
    for batch in batches(corpus):
        texts = [document.text for document in batch]
        offsets = vocabulary.encode_documents(texts, threads=threads).offsets.tolist()
        for document, begin, end in zip(batch, offsets, offsets[1:], strict=False):
            size = utf8_size(document.text)
            for count in (counts.setdefault(file_of(document.source), TokenCount()), total):
                count.documents += 1
                count.tokens += end - begin
                count.text_bytes += size
        progress("count", total.text_bytes, 0)
    return counts | {"total": total}


def file_of(source: str) -> str:
    """The path of a document's source, `path` or `path:line`."""
    path, colon, line = source.rpartition(":")
    return path if colon and line.isdigit() else source


def batches(corpus: Iterable[Document]) -> Iterator[list[Document]]:
    """The documents of a corpus in lists of some megabytes, to be encoded at once."""
    return gather(corpus, lambda document: len(document.text))
