"""Text in batches, read ahead while the batch before is encoded."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from nlpkit._core import TextBatch
from nlpkit.text import Corpus, Document
from nlpkit.text.batches import BatchBuilder

BATCH_BYTES = 2**23
"""Text encoded at once: enough to keep all threads busy, little beside everything else in memory."""


@dataclass(frozen=True, slots=True)
class Read:
    """A batch, and how far reading was with it."""

    texts: TextBatch
    done: int  # bytes: of the files for a `Corpus`, else of text


def read_batches(corpus: Iterable[Document], nbytes: int) -> Iterator[Read]:
    """The documents of a corpus in batches of about `nbytes`."""
    if isinstance(corpus, Corpus):
        for batch in corpus.batches(nbytes):
            yield Read(batch, corpus.bytes_read)
        return
    builder = BatchBuilder(nbytes)
    done = 0
    for batch in builder.add_documents(corpus):
        done += batch.nbytes
        yield Read(batch, done)
    if len(builder.batch):
        yield Read(builder.batch, done + builder.batch.nbytes)


@contextmanager
def read_ahead(batches: Iterator[Read]) -> Iterator[Iterator[Read]]:
    """The same batches, read by a thread that is one batch ahead and ends with the block."""
    ready: queue.Queue[Read | BaseException | None] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def put(item: Read | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def read() -> None:
        try:
            for batch in batches:
                put(batch)
                if stopped.is_set():
                    return
        except BaseException as error:  # raised again where the batch is wanted
            put(error)
        put(None)

    def received() -> Iterator[Read]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=read, name="nlpkit-reader", daemon=True)
    thread.start()
    try:
        yield received()
    finally:
        stopped.set()
        thread.join()


def utf8_size(text: str) -> int:
    """The bytes of a text in UTF-8, surrogates counted as the U+FFFD that they become."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
