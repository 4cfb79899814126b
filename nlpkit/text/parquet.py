"""Documents from .parquet files, through pyarrow (the extra `data`)."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

from nlpkit.errors import CorruptFileError, NlpkitError
from nlpkit.text.readers import Document, no_such_field
from nlpkit.text.utf8 import Utf8Decoder

_BATCH_ROWS = 1024


def read_parquet(stream: BinaryIO, name: str, decoder: Utf8Decoder, field: str) -> Iterator[Document]:
    """The text column `field`, a batch of rows at a time; nulls count as empty. `stream` must be seekable.

    Raises:
        CorruptFileError: the file is damaged, or the column does not hold text.
        UsageError: there is no such column.
        NlpkitError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise NlpkitError(
            "Reading .parquet files needs the package pyarrow: pip install 'nlpkit[data]'."
        ) from error
    try:
        file = parquet.ParquetFile(stream)
        if field not in file.schema_arrow.names:
            raise no_such_field(name, field, file.schema_arrow.names)
        _require_text(file.schema_arrow.field(field).type, name, field)
        batches = file.iter_batches(_BATCH_ROWS, columns=[field])
        values = chain.from_iterable(_column_bytes(batch.column(0)) for batch in batches)
        for row, value in enumerate(values, start=1):
            where = f"{name}:{row}"
            if value and (text := decoder.decode_document(value, f"{where}, column {field!r},")):
                yield Document(text, where)
    except pyarrow.ArrowException as error:
        raise _damaged(name, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> CorruptFileError:
    return CorruptFileError(f"{name} is no valid Parquet file ({str(error).rstrip('.')}): make it again.")


def _require_text(kind: Any, name: str, field: str) -> None:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    if not any(
        is_text(value)
        for is_text in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    ):
        raise CorruptFileError(f"{name}: column {field!r} holds {kind}, not text: choose another --field.")


def _column_bytes(column: Any) -> list[bytes | None]:
    """The column's values undecoded, so that invalid UTF-8 is met by the rule of `Utf8Decoder`."""
    import pyarrow

    return column.cast(pyarrow.large_binary()).to_pylist()  # type: ignore[no-any-return]
