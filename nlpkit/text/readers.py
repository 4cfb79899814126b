"""One reader a format: a stream of bytes in, documents out, in constant memory wherever the format allows.

Empty texts (no character at all) are no documents and are left out; text is never trimmed.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.text.utf8 import Utf8Decoder, read_blocks, read_parts, read_whole

_FIELD_LIMIT = 2**31 - 1  # of one CSV value, in characters: the largest that csv takes on every platform


@dataclass(frozen=True, slots=True)
class Document:
    """One text and where it came from: `path`, or `path:line` where a file holds many."""

    text: str
    source: str


def read_file_document(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[Document]:
    """The whole stream as one document."""
    text = read_whole(stream, name, decoder)
    if text:
        yield Document(text, name)


def read_file_parts(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[tuple[Document, bool]]:
    """The whole stream as one document, in parts, each with whether it is the last one."""
    parts = read_parts(stream, name, decoder)
    part = next(parts, "")
    for following in parts:
        yield Document(part, name), False
        part = following
    if part:
        yield Document(part, name), True


def read_line_documents(stream: BinaryIO, name: str, decoder: Utf8Decoder) -> Iterator[Document]:
    r"""One document a line; a line ends at `\n` or `\r\n`, which are not part of the document."""
    first = 1
    for block in read_blocks(stream, name, decoder):
        lines = _split_lines(block)
        if decoder.errors == "skip":
            lines = [decoder.clean(line, name) for line in lines]
        for number, line in enumerate(lines, start=first):
            if line:
                yield Document(line, f"{name}:{number}")
        first += len(lines)


def _split_lines(block: str) -> list[str]:
    """The lines of a block without their ends; `str.splitlines` would also split at U+2028 and others."""
    lines = block.split("\n")
    if not lines[-1]:
        lines.pop()
    if "\r" in block:
        lines = [line.removesuffix("\r") for line in lines]
    return lines


def read_jsonl(stream: BinaryIO, name: str, decoder: Utf8Decoder, field: str) -> Iterator[Document]:
    """The string in `field` of each line's JSON object; null counts as empty, blank lines are passed over.

    Raises:
        CorruptFileError: a line is not a JSON object, or its field is not a string.
        UsageError: a line's object has no such field.
    """
    first = 1
    for block in read_blocks(stream, name, decoder):
        lines = _split_lines(block)
        for number, line in enumerate(lines, start=first):
            where = f"{name}:{number}"
            if text := read_json_line(line, where, decoder, field):
                yield Document(text, where)
        first += len(lines)


_parse = json.JSONDecoder().decode  # json.loads without its checks of the argument


def read_json_line(line: str, where: str, decoder: Utf8Decoder, field: str) -> str:
    """The string in `field` of one line's JSON object; empty where there is no document.

    Raises:
        CorruptFileError: the line is not a JSON object, or its field is not a string.
        UsageError: the object has no such field.
    """
    try:
        text = _parse(line)[field]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        if not line or line.isspace():
            return ""
        raise _record_error(line, where, field, error) from error
    if isinstance(text, str):
        return decoder.clean(text, where)
    if text is not None:
        raise CorruptFileError(f"{where}: field {field!r} is not a string but {text!r:.60}.")
    return ""


def _record_error(line: str, where: str, field: str, error: Exception) -> UsageError | CorruptFileError:
    if isinstance(error, RecursionError):
        return CorruptFileError(f"{where} nests JSON too deeply to be read.")
    if isinstance(error, ValueError):
        return CorruptFileError(f"{where} is not valid JSON ({error}): .jsonl holds one JSON object a line.")
    record = json.loads(line)
    if not isinstance(record, dict):
        return CorruptFileError(f"{where} is no JSON object: .jsonl holds one JSON object a line.")
    return no_such_field(where, field, record)


def no_such_field(where: str, field: str, names: Iterable[Any]) -> UsageError:
    """The error for a field that a record or a table lacks, naming those there are."""
    there = ", ".join(repr(name) for name in names)
    return UsageError(
        f"{where} has no field {field!r}: choose --field among {there or 'none (it is empty)'}."
    )


def read_csv(
    stream: BinaryIO, name: str, decoder: Utf8Decoder, field: str, *, delimiter: str
) -> Iterator[Document]:
    """The column `field` of a table whose first row names the columns.

    Quoting is as spreadsheets write it (`"` around, `""` inside), in .tsv too; broken quoting and rows of
    another length than the first are refused, since they put text into the wrong documents.

    Raises:
        CorruptFileError: a row has the wrong number of columns, or the quoting is broken.
        UsageError: there is no such column.
    """
    csv.field_size_limit(_FIELD_LIMIT)  # the module's default refuses a text above 128 KiB
    blocks = read_blocks(stream, name, decoder)
    lines = chain.from_iterable(io.StringIO(block, newline="\n") for block in blocks)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(rows, None)
        if header is None:
            return
        if field not in header:
            raise no_such_field(name, field, header)
        column = header.index(field)
        line = rows.line_num
        for row in rows:
            where = f"{name}:{line + 1}"
            line = rows.line_num
            if not row:
                continue  # a blank line
            if len(row) != len(header):
                raise CorruptFileError(
                    f"{where} has {len(row)} columns instead of {len(header)}: "
                    f"quote texts that hold {delimiter!r}."
                )
            text = row[column]
            if decoder.errors == "skip":
                text = decoder.clean(text, where)
            if text:
                yield Document(text, where)
    except csv.Error as error:
        raise CorruptFileError(
            f"{name}:{rows.line_num} is not a valid row ({error}): mend its quoting."
        ) from error
