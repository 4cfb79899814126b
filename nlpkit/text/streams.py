"""Bytes out of files, decompressed on the way, with truncation and damage named.

Every reader above sees one plain stream of bytes, whatever the file's last suffix is.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from nlpkit.errors import CorruptFileError, NlpkitError

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
"""The suffixes of compressed files that can be read."""

_ZSTD_CHUNK = 2**16


def decompress(raw: BinaryIO, compression: str) -> BinaryIO:
    """The plain bytes of `raw`, whose suffix is `compression` (one of `COMPRESSIONS`, or empty).

    Reading raises what the format's module raises; `damage_named` turns that into one sentence.
    """
    match compression:
        case "":
            return raw
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
        case ".bz2":
            return cast(BinaryIO, bz2.BZ2File(raw))
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(raw))
        case ".zst":
            return io.BufferedReader(_ZstdFile(raw), _ZSTD_CHUNK)
    raise ValueError(f"unknown compression {compression!r}")


@contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Turn what truncated or damaged compressed files raise into a `CorruptFileError` that names the file."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise _damaged(name, error) from error
    except OSError as error:
        if error.errno is not None:  # the disk's or the system's own error, not a finding about the content
            error.filename = error.filename or name
            raise
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> CorruptFileError:
    reason = str(error).rstrip(".")
    return CorruptFileError(f"{name} is truncated or damaged ({reason}): fetch or make it again.")


class _ZstdFile(io.RawIOBase):
    """The content of a .zst file of any number of frames.

    `zstandard`'s own stream reader ends without a word where the file is cut off; a frame that is not
    finished at the end of the file raises here.
    """

    def __init__(self, raw: BinaryIO) -> None:
        try:
            import zstandard
        except ImportError as error:
            raise NlpkitError(
                "Reading .zst files needs the package zstandard: pip install 'nlpkit[data]'."
            ) from error
        self._raw = raw
        self._start_frame = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._start_frame()
        self._in_frame = False
        self._error = zstandard.ZstdError
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            data = self._frame.unused_data if self._frame.eof else b""
            data = data or self._raw.read(_ZSTD_CHUNK)
            if not data:
                if self._in_frame:
                    raise EOFError("the last frame is not finished")
                return 0
            if self._frame.eof:
                self._frame = self._start_frame()
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._error as error:
                raise EOFError(str(error)) from error
            self._in_frame = not self._frame.eof
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
