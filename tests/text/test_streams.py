"""Compressed files: every format, files of several parts, and what is cut off or damaged."""

import bz2
import gzip
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from nlpkit.errors import CorruptFileError
from nlpkit.text import Corpus

Write = Callable[[str, bytes | str], Path]

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
# Text that stays large when compressed, so that a cut falls into the middle of it
TEXT = "".join(f"line {number} {number * number * 7919 % 100003}\n" for number in range(50_000))


def texts(path: Path, **options: bool) -> list[str]:
    return [document.text for document in Corpus([path], **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_file_reads_as_its_content(write: Write, suffix: str) -> None:
    path = write(f"a.txt{suffix}", COMPRESS[suffix](TEXT.encode()))
    assert texts(path) == [TEXT]
    assert texts(path, lines=True) == TEXT.splitlines()


@pytest.mark.parametrize("suffix", COMPRESS)
def test_parts_end_to_end_read_as_one(write: Write, suffix: str) -> None:
    compress = COMPRESS[suffix]
    path = write(f"a.jsonl{suffix}", compress(b'{"text": "on') + compress(b'e"}\n{"text": "two"}'))
    assert texts(path) == ["one", "two"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_empty_file_holds_no_text(write: Write, suffix: str) -> None:
    empty, full = write(f"a.txt{suffix}", COMPRESS[suffix](b"")), write("b.txt", "b")
    assert [document.text for document in Corpus([empty, full])] == ["b"]


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("kept", [0.5, 0.999])
@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_file_that_is_cut_off_is_named(write: Write, suffix: str, kept: float, lines: bool) -> None:
    data = COMPRESS[suffix](TEXT.encode())
    path = write(f"a.txt{suffix}", data[: int(kept * len(data))])
    with pytest.raises(
        CorruptFileError, match=r"is truncated or damaged .*: fetch or make it again"
    ) as caught:
        texts(path, lines=lines)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_changed_byte_is_found(write: Write, suffix: str) -> None:
    data = bytearray(COMPRESS[suffix](TEXT.encode()))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(CorruptFileError, match="is truncated or damaged"):
        texts(write(f"a.txt{suffix}", bytes(data)))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_plain_text_under_a_compressed_name_is_refused(write: Write, suffix: str) -> None:
    with pytest.raises(CorruptFileError, match=r"a\.txt\.\w+ is truncated or damaged"):
        texts(write(f"a.txt{suffix}", "plain text, not compressed at all\n"))


def test_offsets_of_invalid_bytes_count_the_decompressed_stream(write: Write) -> None:
    path = write("a.txt.gz", gzip.compress(b"x" * 3_000_000 + b"\xff"))
    with pytest.raises(CorruptFileError, match=r"not UTF-8 at byte 3000000 \(0xff\)"):
        texts(path)


def test_progress_counts_the_compressed_bytes(write: Write) -> None:
    corpus = Corpus([write("a.txt.gz", gzip.compress(TEXT.encode()))], lines=True)
    read = [corpus.bytes_read for _ in corpus]
    assert sorted(read) == read
    assert corpus.bytes_read == corpus.total_bytes < len(TEXT) / 2


def test_the_data_extra_is_named_where_it_is_missing(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zstandard", "pyarrow"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("a.txt.zst", "a.parquet"):
        with pytest.raises(ValueError, match=r"needs the package \w+: pip install 'nlpkit\[data\]'"):
            texts(write(name, b"content"))


def test_lines_are_read_in_constant_memory(write: Write) -> None:
    path = write("a.jsonl.gz", gzip.compress(b'{"text": "' + b"x" * 1000 + b'"}\n', 1) * 100_000)
    code = (
        "import sys, resource; from nlpkit.text import Corpus\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"documents = iter(Corpus([{str(path)!r}])); next(documents); before = peak()\n"
        "assert sum(1 for _ in documents) == 99_999\n"
        "print((peak() - before) * (1 if sys.platform == 'darwin' else 1024))"
    )
    if sys.platform == "win32":
        pytest.skip("the resource module is POSIX only")
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 16 * 2**20  # of 100 MB of text
