"""Token shards: what is written is read, over any number of files, and every damage is named."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import CorruptFileError, UsageError, VocabularyMismatchError
from nlpkit.text import ShardProgress, ShardWriter, TokenShards

FINGERPRINT = "ab" * 32


def write_shards(
    folder: Path, documents: Sequence[Sequence[int]], *, n_vocab: int = 1000, shard_tokens: int = 4
) -> Path:
    with ShardWriter(folder, fingerprint=FINGERPRINT, n_vocab=n_vocab, shard_tokens=shard_tokens) as writer:
        for document in documents:
            writer.write(np.array(document, dtype=np.int64), [len(document)], text_bytes=2 * len(document))
    return folder


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Ten ids in three files, in four documents, one of them empty."""
    return write_shards(tmp_path / "shards", [[1, 2, 3], [], [4, 5, 6, 7, 8], [999, 10]])


def change_index(folder: Path, **fields: Any) -> None:
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@settings(max_examples=40, deadline=None)
@given(
    documents=st.lists(st.lists(st.integers(0, 70_000), max_size=12), max_size=8),
    shard_tokens=st.integers(1, 9),
    wide=st.booleans(),
)
def test_what_is_written_is_read(
    documents: list[list[int]], shard_tokens: int, wide: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    n_vocab = 70_001 if wide else 2**16
    documents = [[token % n_vocab for token in document] for document in documents]
    folder = write_shards(
        tmp_path_factory.mktemp("shards"), documents, n_vocab=n_vocab, shard_tokens=shard_tokens
    )
    shards = TokenShards(folder, fingerprint=FINGERPRINT)
    ids = [token for document in documents for token in document]
    assert [shards.document(i).tolist() for i in range(len(documents))] == documents
    assert len(shards) == shards.index.tokens == len(ids)
    assert shards.index.documents == len(documents)
    assert shards.index.text_bytes == 2 * len(ids)
    assert shards.index.dtype == ("uint32" if wide else "uint16")
    assert len(shards.index.shards) == -(-len(ids) // shard_tokens)
    for start in range(len(ids) + 1):
        for stop in range(start, len(ids) + 1):
            assert shards.read(start, stop).tolist() == ids[start:stop]
    shards.verify()


def test_many_documents_can_be_written_at_once(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a", fingerprint=FINGERPRINT, n_vocab=10, shard_tokens=4) as writer:
        writer.write(np.array([1, 2, 3, 4, 5, 6], dtype=np.uint16), [2, 0, 4], text_bytes=11)
        writer.write(np.array([7], dtype=np.uint32), np.array([1]), text_bytes=1)
        assert (writer.tokens, writer.documents, writer.text_bytes) == (7, 4, 12)
    shards = TokenShards(tmp_path / "a")
    assert shards.document_offsets.tolist() == [0, 2, 2, 6, 7]
    assert shards.read(0, 7).tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_the_files_are_those_of_the_format(shards: Path) -> None:
    names = ["documents.npy", "index.json", "shard_00000.bin", "shard_00001.bin", "shard_00002.bin"]
    assert sorted(path.name for path in shards.iterdir()) == names
    assert (shards / "shard_00001.bin").read_bytes() == bytes([5, 0, 6, 0, 7, 0, 8, 0])
    index = json.loads((shards / "index.json").read_text())
    assert (index["format"], index["version"], index["tokens"], index["documents"]) == (
        "nlpkit-shards",
        1,
        10,
        4,
    )


def test_ids_within_one_file_are_a_read_only_view_of_it(shards: Path) -> None:
    opened = TokenShards(shards)
    first, second = opened.read(0, 4), opened.read(0, 4)
    assert np.shares_memory(first, second)
    assert type(first) is np.ndarray
    assert not first.flags.writeable


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 11)])
def test_ids_outside_the_sequence_are_refused(shards: Path, start: int, stop: int) -> None:
    with pytest.raises(IndexError):
        TokenShards(shards).read(start, stop)


@pytest.mark.parametrize(("ids", "lengths"), [([1000], [1]), ([-1], [1]), ([1, 2], [1]), ([1, 2], [1, 2])])
def test_ids_and_lengths_that_do_not_fit_are_refused(
    tmp_path: Path, ids: list[int], lengths: list[int]
) -> None:
    with (
        pytest.raises(ValueError, match=r"ids must lie in|lengths add up to"),
        ShardWriter(tmp_path / "a", fingerprint=FINGERPRINT, n_vocab=1000) as writer,
    ):
        writer.write(np.array(ids), lengths, text_bytes=1)


def test_an_interrupted_write_is_no_shard_folder(tmp_path: Path) -> None:
    def write_half() -> None:
        with ShardWriter(tmp_path / "a", fingerprint=FINGERPRINT, n_vocab=10) as writer:
            writer.write(np.array([1, 2]), [2], text_bytes=2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    with pytest.raises(UsageError, match=r"a is no shard folder \(it has no index\.json\)") as caught:
        TokenShards(tmp_path / "a")
    assert caught.value.exit_code == 2


def test_another_vocabulary_is_refused(shards: Path) -> None:
    with pytest.raises(
        VocabularyMismatchError, match="was encoded with vocabulary abababababab, not with cdcd"
    ):
        TokenShards(shards, fingerprint="cd" * 32)


@pytest.mark.parametrize(("cut", "found"), [(1, "has 7 bytes instead of 8"), (8, "has 0 bytes instead of 8")])
def test_a_truncated_shard_is_named(shards: Path, cut: int, found: str) -> None:
    path = shards / "shard_00001.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CorruptFileError, match=f"shard_00001.bin {found}: encode the corpus again"):
        TokenShards(shards)


def test_a_missing_shard_is_named(shards: Path) -> None:
    (shards / "shard_00002.bin").unlink()
    with pytest.raises(CorruptFileError, match=r"shard_00002\.bin is missing"):
        TokenShards(shards)


@pytest.mark.parametrize("name", ["shard_00000.bin", "shard_00002.bin", "documents.npy"])
def test_verify_finds_a_changed_byte(shards: Path, name: str) -> None:
    path = shards / name
    data = bytearray(path.read_bytes())
    data[-12 if name == "documents.npy" else -1] ^= 1  # an inner offset, or an id
    path.write_bytes(data)
    opened = TokenShards(shards)
    with pytest.raises(CorruptFileError, match=f"{name} does not match its checksum"):
        opened.verify()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"text", None])
def test_document_offsets_that_cannot_be_read_are_named(shards: Path, content: bytes | None) -> None:
    path = shards / "documents.npy"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"documents\.npy cannot be read .*: encode the corpus again"):
        TokenShards(shards)


@pytest.mark.parametrize(
    "offsets",
    [
        np.array([0, 3, 3, 10], dtype=np.uint64),
        np.array([0, 3, 3, 8, 10], dtype=np.int32),
        np.array([[0, 3, 3, 8, 10]], dtype=np.uint64),
    ],
)
def test_document_offsets_of_another_shape_are_refused(shards: Path, offsets: Any) -> None:
    np.save(shards / "documents.npy", offsets)
    with pytest.raises(CorruptFileError, match=r"documents\.npy does not fit index\.json"):
        TokenShards(shards)


@pytest.mark.parametrize("offsets", [[1, 3, 3, 8, 10], [0, 3, 3, 8, 9]])
def test_document_offsets_must_span_the_ids(shards: Path, offsets: list[int]) -> None:
    np.save(shards / "documents.npy", np.array(offsets, dtype=np.uint64))
    with pytest.raises(CorruptFileError, match=r"documents\.npy does not span the ids"):
        TokenShards(shards)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "other"}, "does not describe token shards"),
        ({"version": 2}, "has format version 2, this nlpkit reads 1"),
        ({"dtype": "float64"}, "is damaged"),
        ({"tokens": 11}, "is damaged"),
        ({"tokens": "ten"}, "is damaged"),
        ({"shards": 3}, "is damaged"),
        ({"shards": [{"file": "shard_00000.bin"}]}, "is damaged"),
        ({"surprise": 1}, "is damaged"),
    ],
)
def test_an_index_that_is_wrong_is_named(shards: Path, fields: dict[str, Any], message: str) -> None:
    change_index(shards, **fields)
    with pytest.raises(CorruptFileError, match=rf"index\.json {message}"):
        TokenShards(shards)


@pytest.mark.parametrize("content", ["", '{"format": "nlpkit', "[]", "\xff"])
def test_an_index_that_is_no_json_is_named(shards: Path, content: str) -> None:
    (shards / "index.json").write_text(content, encoding="latin-1")
    with pytest.raises(CorruptFileError, match=r"index\.json (is not valid JSON|holds no JSON object)"):
        TokenShards(shards)


# ====================
# Going on
# ====================


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=10),
    at=st.integers(0, 10),
    lost=st.integers(0, 3),
    shard_tokens=st.integers(1, 9),
)
def test_a_resumed_writer_writes_the_same_files(
    lengths: list[int], at: int, lost: int, shard_tokens: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The first writer stops some documents after its checkpoint, as a killed one would."""
    documents = [np.arange(10 * i, 10 * i + length) for i, length in enumerate(lengths)]
    at = min(at, len(documents))
    folder = tmp_path_factory.mktemp("shards")
    options = {"fingerprint": FINGERPRINT, "n_vocab": 1000, "shard_tokens": shard_tokens}
    write_shards(folder / "whole", [d.tolist() for d in documents], shard_tokens=shard_tokens)
    killed = ShardWriter(folder / "cut", **options)  # type: ignore[arg-type]
    for document in documents[:at]:
        killed.write(document, [len(document)], 2 * len(document))
    progress = ShardProgress.from_json(json.loads(json.dumps(asdict(killed.checkpoint()))))
    for document in documents[at : at + lost]:
        killed.write(document, [len(document)], 2 * len(document))
    killed.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with ShardWriter(folder / "cut", **options, resume=progress) as writer:  # type: ignore[arg-type]
        for document in documents[at:]:
            writer.write(document, [len(document)], 2 * len(document))
    written = {path.name: path.read_bytes() for path in (folder / "cut").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (folder / "whole").iterdir()}


def test_offsets_are_a_file_as_numpy_writes_it(shards: Path) -> None:
    offsets = np.load(shards / "documents.npy")
    np.save(shards / "again.npy", offsets)
    assert (shards / "documents.npy").read_bytes() == (shards / "again.npy").read_bytes()
    assert offsets.dtype == np.dtype("<u8")
