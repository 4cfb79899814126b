"""Images of vocabularies: the same vocabulary sooner, whatever happens to the files."""

import multiprocessing
import os
import random
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit._core import BpeVocabulary
from nlpkit.tokenization import Tokenizer, images
from nlpkit.tokenization.images import image_folder, through_image

BYTES = {bytes([value]): value for value in range(256)}
INCONSISTENT = BYTES | {b"abc": 300, b"\xe4\xb8": 400}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where images are kept, also those of small vocabularies."""
    monkeypatch.setenv("NLPKIT_IMAGES", str(tmp_path / "images"))
    monkeypatch.setattr(images, "LEAST_BYTES", 0)
    return tmp_path / "images"


@pytest.fixture
def ranks_file(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    tokenizer.save(tmp_path / "vocabulary")
    return tmp_path / "vocabulary" / "vocabulary.tiktoken"


def refuse() -> BpeVocabulary:
    raise AssertionError("the vocabulary was made again")


def test_an_image_gives_the_same_vocabulary(
    folder: Path,
    ranks_file: Path,
    tokenizer: Tokenizer,
    sample_texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):  # making the image, and from it
        loaded = Tokenizer.load(ranks_file.parent)
        assert loaded.fingerprint == tokenizer.fingerprint
        assert loaded._mergeable_ranks == tokenizer._mergeable_ranks
        assert loaded._vocabulary.consistent
        for text in [*sample_texts, "a" * 500, "ab" * 300, "中文" * 100]:
            assert loaded.encode(text) == tokenizer.encode(text)
            assert loaded.decode(loaded.encode(text)) == text
        assert len(list(folder.iterdir())) == 1
        monkeypatch.setattr(BpeVocabulary, "parse", refuse)


@pytest.mark.parametrize("ranks", [BYTES, INCONSISTENT, BYTES | {b"ab": 2**32 - 2}])
def test_images_hold_any_rank_table(ranks: dict[bytes, int]) -> None:
    made = BpeVocabulary(ranks)
    restored = BpeVocabulary.restore(made.image())
    assert restored is not None
    assert restored.ranks() == ranks
    assert restored.consistent == made.consistent
    assert restored.image() == made.image()
    ours, theirs = (
        Tokenizer("x", pat_str="cl100k", mergeable_ranks=v, special_tokens={}) for v in (restored, made)
    )
    for text in ("abcab" * 60, "abcab", "中" * 50):
        assert ours.encode(text) == theirs.encode(text)


def test_a_damaged_image_is_made_again(folder: Path) -> None:
    through_image(1, "name", lambda: BpeVocabulary(BYTES))
    image = (folder / f"name{images.SUFFIX}").read_bytes()
    generator = random.Random(1)
    damaged = [b"", image[:-1], image + b"x", image[: len(image) // 2], b"nlpkitVI", bytes(len(image))]
    for place in [*range(64), *(generator.randrange(len(image)) for _ in range(200))]:
        damaged.append(
            image[:place] + bytes([image[place] ^ 1 << generator.randrange(8)]) + image[place + 1 :]
        )
    for content in damaged:
        assert BpeVocabulary.restore(content) is None
        (folder / f"name{images.SUFFIX}").write_bytes(content)
        assert through_image(1, "name", lambda: BpeVocabulary(BYTES)).ranks() == BYTES
        assert (folder / f"name{images.SUFFIX}").read_bytes() == image
    through_image(1, "name", refuse)


def test_a_folder_that_cannot_be_written_changes_nothing(folder: Path) -> None:
    folder.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        if os.access(folder.parent, os.W_OK):
            folder.touch()  # root may write anywhere: a file in the folder's place then
        assert through_image(1, "name", lambda: BpeVocabulary(BYTES)).ranks() == BYTES
    finally:
        folder.parent.chmod(stat.S_IRWXU)


def test_images_can_be_turned_off_and_small_files_have_none(
    folder: Path, ranks_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "LEAST_BYTES", 10**9)
    Tokenizer.load(ranks_file.parent)
    monkeypatch.setattr(images, "LEAST_BYTES", 0)
    monkeypatch.setenv("NLPKIT_IMAGES", "off")
    Tokenizer.load(ranks_file.parent)
    assert not folder.exists()


def test_images_are_in_the_cache_folder_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NLPKIT_IMAGES")
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    assert image_folder() == tmp_path / "images"


def test_the_oldest_images_are_removed_and_nothing_else(folder: Path) -> None:
    folder.mkdir()
    for name in ("disk.image", "notes.txt"):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    (folder / f"torn{images.SUFFIX}.tmp").touch()
    os.utime(folder / f"torn{images.SUFFIX}.tmp", (0, 0))
    for number in range(images.MOST_IMAGES + 3):
        through_image(1, f"{number:02}", lambda: BpeVocabulary(BYTES))
        os.utime(folder / f"{number:02}{images.SUFFIX}", (number, number))
    kept = [f"{number:02}{images.SUFFIX}" for number in range(3, images.MOST_IMAGES + 3)]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*kept, "disk.image", "notes.txt"])


def test_a_changed_rank_file_is_refused_though_there_is_an_image(folder: Path, ranks_file: Path) -> None:
    Tokenizer.load(ranks_file.parent)
    ranks_file.write_bytes(ranks_file.read_bytes().replace(b"A", b"B", 1))
    with pytest.raises(ValueError, match="does not match its checksum"):
        Tokenizer.load(ranks_file.parent)


def _load_many_times(path: Path) -> str:
    return {Tokenizer.load(path).fingerprint for _ in range(10)}.pop()


@pytest.mark.skipif(sys.platform == "win32", reason="starts processes by fork")
def test_processes_at_the_same_time_agree(folder: Path, ranks_file: Path, tokenizer: Tokenizer) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.map(_load_many_times, [ranks_file.parent] * 8)
    assert set(found) == {tokenizer.fingerprint}
    assert [path.suffix for path in folder.iterdir()] == [images.SUFFIX]


def test_loading_makes_no_python_objects_of_the_tokens(
    folder: Path, ranks_file: Path, real_ranks: Callable[[str], dict[bytes, int]], tmp_path: Path
) -> None:
    tokenizer = Tokenizer.load(ranks_file.parent)
    tokenizer.decode(tokenizer.encode("Tokenization"))
    assert "_mergeable_ranks" not in vars(tokenizer)
    assert tokenizer.encode_single_token(b"a") == tokenizer._mergeable_ranks[b"a"]
    path = tmp_path / "cl100k.tiktoken"
    path.write_bytes(BpeVocabulary(real_ranks("cl100k_base")).tiktoken())
    ranks = real_ranks("cl100k_base")
    assert all(Tokenizer.load(path, pattern="cl100k")._mergeable_ranks == ranks for _ in range(2))
