"""UTF-8 in, text out: what happens to the bytes that are not UTF-8, and lines without newline translation."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from nlpkit.errors import CorruptFileError, UsageError

BLOCK_BYTES = 2**17
"""Bytes read at once: the fastest size measured (a block stays in the cache), and no memory to speak of."""

_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_BINARY_HEAD = 8192  # where a NUL byte tells a binary file: git and grep look this far
_SURROGATE = re.compile("[\ud800-\udfff]")
_CODEC_ERRORS = {"strict": "strict", "replace": "replace", "skip": "surrogateescape"}


class Utf8Decoder:
    """Decodes the bytes of documents by one rule for invalid UTF-8.

    `skip` drops the document rather than the bytes: bytes taken out of the middle would join text that
    never stood together, and a corpus has other documents.

    Attributes:
        errors: `strict`, `replace` or `skip`.
        skipped: documents left out so far because of invalid UTF-8.
    """

    def __init__(self, errors: str = "strict") -> None:
        if errors not in _CODEC_ERRORS:
            raise UsageError(f"--errors {errors} is unknown: choose strict, replace or skip.")
        self.errors = errors
        self.skipped = 0
        self._codec_errors = _CODEC_ERRORS[errors]

    def decode(self, data: bytes, name: str, offset: int = 0) -> str:
        """The text of `data`, which starts at byte `offset` of file `name`.

        With `skip`, invalid bytes come through as lone surrogates, for `clean` to find.

        Raises:
            CorruptFileError: `data` is not UTF-8 and the rule is `strict`.
        """
        try:
            return data.decode("utf-8", self._codec_errors)
        except UnicodeDecodeError as error:
            raise CorruptFileError(
                f"{name} is not UTF-8 at byte {offset + error.start} (0x{data[error.start]:02x}): "
                "convert it to UTF-8, or pass --errors replace or --errors skip."
            ) from error

    def decode_document(self, data: bytes, name: str, offset: int = 0) -> str:
        """As `decode`, where `data` is all of one document: with `skip`, empty where it is to be left out."""
        if self.errors != "skip":
            return self.decode(data, name, offset)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.skipped += 1
            return ""

    def clean(self, text: str, where: str) -> str:
        """A document's text as encodable Unicode; empty where the document is to be left out.

        Lone surrogates come from JSON's escapes (`"\\ud800"`) and, with `skip`, from invalid bytes.

        Raises:
            CorruptFileError: the text holds a lone surrogate and the rule is `strict`.
        """
        if text.isascii():
            return text
        try:
            text.encode("utf-16-le")  # refuses surrogates as UTF-8 does, and is several times as fast
        except UnicodeEncodeError as error:
            if self.errors == "replace":
                return _SURROGATE.sub("\ufffd", text)
            if self.errors == "skip":
                self.skipped += 1
                return ""
            raise CorruptFileError(
                f"{where} holds the lone surrogate \\u{ord(text[error.start]):04x}, which is no character: "
                "mend it, or pass --errors replace or --errors skip."
            ) from error
        return text

    def text_start(self, head: bytes, name: str) -> int | None:
        """Where the text starts in a file whose first bytes are `head`: after the byte order mark.

        None where the file is binary and to be left out.

        Raises:
            CorruptFileError: the file is not text, and the rule is not `skip`.
        """
        found = _binary_sign(head)
        if found is None:
            return len(_BOM) if head.startswith(_BOM) else 0
        if self.errors == "skip":
            self.skipped += 1
            return None
        raise CorruptFileError(f"{name} {found}.")


def _binary_sign(head: bytes) -> str | None:
    if head.startswith(_UTF16_BOMS):
        return "is UTF-16 text: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8"
    nul = head.find(b"\0", 0, _BINARY_HEAD)
    if nul >= 0:
        return f"is a binary file (NUL at byte {nul}): give UTF-8 text"
    return None


def read_whole(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> str:
    """All text of a stream, without its byte order mark; empty where it is left out."""
    data = stream.read()
    start = decoder.text_start(data[:_BINARY_HEAD], name)
    if start is None:
        return ""
    return decoder.decode_document(data[start:], name, start)


def read_parts(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[str]:
    """As `read_whole`, a block at a time; the parts end anywhere between two characters.

    With `skip`, for a stream that `is_utf8`: otherwise all of it has to be seen before one can tell.
    """
    head = stream.read(BLOCK_BYTES)
    offset = decoder.text_start(head[:_BINARY_HEAD], name) or 0
    data = head[offset:]
    while chunk := stream.read(BLOCK_BYTES):
        end = _character_end(data)
        if end:
            yield decoder.decode(data[:end], name, offset)
        offset += end
        data = data[end:] + chunk
    if data:
        yield decoder.decode(data, name, offset)


def is_utf8(stream: BinaryIO, name: str) -> bool:
    """Whether a stream is text to its end."""
    try:
        for _ in read_parts(stream, name, Utf8Decoder()):
            pass
    except CorruptFileError:
        return False
    return True


def _character_end(data: bytes) -> int:
    """Where to cut data so that decoding its parts is decoding the whole: before one of the last four bytes
    that no character begun before can hold, or else at the end."""
    for place in range(len(data) - 1, max(-1, len(data) - 5), -1):
        if data[place] & 0xC0 != 0x80:  # a first byte, or one of ASCII
            return place
    return len(data)


def read_blocks(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[str]:
    r"""The text of a stream in pieces that end at a `\n`, except perhaps the last.

    A piece is about `BLOCK_BYTES` long, or one line where that is longer. With `skip`, a piece may hold
    lone surrogates: its documents go through `Utf8Decoder.clean`.
    """
    for offset, block in read_byte_blocks(stream, name, decoder):
        yield decoder.decode(block, name, offset)


def read_byte_blocks(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[tuple[int, bytes]]:
    """The bytes of `read_blocks`, and where each piece lies in the file."""
    head = stream.read(BLOCK_BYTES)
    offset = decoder.text_start(head[:_BINARY_HEAD], name)
    if offset is None:
        return
    for block in _line_blocks(head[offset:], stream):
        yield offset, block
        offset += len(block)


def _line_blocks(chunk: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """`chunk` and the rest of the stream, cut behind line ends."""
    unfinished: list[bytes] = []  # pieces of a line that has not ended yet
    while chunk:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*unfinished, chunk[:end]])
            unfinished = []
        unfinished.append(chunk[end:])
        chunk = stream.read(BLOCK_BYTES)
    if last := b"".join(unfinished):
        yield last
