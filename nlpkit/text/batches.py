r"""Documents in batches of bytes, for work that needs no Python string for each: `Corpus.batches`.

The plain lines of .jsonl and of .txt with one document a line, nearly all of them in practice, are read by
the compiled core at a gigabyte a second; any other line, and any other format, goes through the readers of
`readers.py`, which know what to say about it. The documents are the same.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeVar

from nlpkit._core import TextBatch
from nlpkit.text.readers import Document, read_json_line
from nlpkit.text.utf8 import Utf8Decoder, read_byte_blocks

_AppendLines = Callable[[TextBatch, bytes, int, int], int]
_ReadLine = Callable[[str, str], str]
_Item = TypeVar("_Item")

BATCH_CHARACTERS = 2**22
"""Text to work on at once: enough to keep all threads busy, little beside everything else in memory."""


def gather(
    items: Iterable[_Item], size: Callable[[_Item], int], enough: int = BATCH_CHARACTERS
) -> Iterator[list[_Item]]:
    """Items in lists, each ended by the item with which the sizes in it reach `enough`.

    Example:
        >>> list(gather(["a", "bcd", "e"], len, enough=3))
        [['a', 'bcd'], ['e']]
    """
    batch: list[_Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= enough:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


class BatchBuilder:
    """Fills batches one after the other, over the borders of files.

    Args:
        nbytes: a batch is full once its documents have this many bytes.
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.batch = TextBatch()

    def take(self) -> TextBatch:
        """The batch under way; another one begins."""
        batch, self.batch = self.batch, TextBatch()
        return batch

    def add_documents(self, documents: Iterable[Document]) -> Iterator[TextBatch]:
        """Add documents; yields the batches that become full."""
        for document in documents:
            self.batch.append(document.text)
            if self.batch.nbytes >= self.nbytes:
                yield self.take()

    def add_jsonl(self, stream: BinaryIO, name: str, decoder: Utf8Decoder, field: str) -> Iterator[TextBatch]:
        """As `read_jsonl`."""
        return self._add_lines(
            stream,
            name,
            decoder,
            lambda batch, block, begin, enough: batch.append_jsonl(block, begin, field, enough),
            lambda line, where: read_json_line(line, where, decoder, field),
        )

    def add_lines(self, stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[TextBatch]:
        """As `read_line_documents`."""
        return self._add_lines(
            stream, name, decoder, TextBatch.append_lines, lambda line, where: decoder.clean(line, name)
        )

    def _add_lines(
        self, stream: BinaryIO, name: str, decoder: Utf8Decoder, append: _AppendLines, read: _ReadLine
    ) -> Iterator[TextBatch]:
        """The core reads on until a line is not plain, which `read` then reads."""
        number = 1
        for offset, block in read_byte_blocks(stream, name, decoder):
            begin = 0
            while begin < len(block):
                begin = append(self.batch, block, begin, self.nbytes)
                number += self.batch.lines
                if self.batch.nbytes < self.nbytes and begin < len(block):
                    end = block.find(b"\n", begin) + 1 or len(block)
                    line = decoder.decode(block[begin:end].removesuffix(b"\n"), name, offset + begin)
                    if text := read(line.removesuffix("\r"), f"{name}:{number}"):
                        self.batch.append(text)
                    begin = end
                    number += 1
                if self.batch.nbytes >= self.nbytes:
                    yield self.take()
