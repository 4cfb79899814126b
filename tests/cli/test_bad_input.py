"""The main job's bad inputs, through the real commands: one sentence, the right exit code, no residue."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Result = tuple[int, str, str]
Run = Callable[..., Result]

TEXT = "the cat sat on the mat and the dog sat on the cat\n" * 40


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vocabulary, another one, shards, and a language model made from them."""
    from nlpkit.lm import train_lm
    from nlpkit.text import Corpus
    from nlpkit.tokenization import Tokenizer, encode_corpus

    folder = tmp_path_factory.mktemp("made")
    for name, vocab_size in (("vocabulary", 268), ("other", 262)):
        Tokenizer.train([TEXT], vocab_size=vocab_size).save(folder / name)
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    for shards, name in (("shards", "vocabulary"), ("other-shards", "other")):
        vocabulary = Tokenizer.load(folder / name)
        encode_corpus(Corpus([folder / "text.txt"]), vocabulary, folder / shards, split="tail")
    train_lm(folder / "shards", folder / "lm", model="lstm", n_layer=1, n_embd=8, context_length=8,
             batch_size=2, steps=2)  # fmt: skip
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of `made` to damage."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def check(result: Result, code: int, *words: str) -> None:
    """The command ended with `code` and one sentence on stderr that holds `words`."""
    ended, out, err = result
    assert (ended, out) == (code, ""), err
    assert err.startswith("nlpkit: ")
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    "command", [["corpus", "stats"], ["tokenizer", "train", "--out", "new"]], ids=" ".join
)
class TestCorpora:
    @pytest.fixture(autouse=True)
    def _in_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def corpus(self, nlpkit: Run, command: list[str]) -> Callable[..., Result]:
        def call(*arguments: str) -> Result:
            result = nlpkit(*command, *arguments)
            assert not Path("new").exists()
            return result

        return call

    def test_missing_file(self, corpus: Callable[..., Result]) -> None:
        check(corpus("missing.txt"), 2, "missing.txt")

    def test_folder_without_text(self, corpus: Callable[..., Result]) -> None:
        Path("pictures").mkdir()
        Path("pictures/a.png").write_bytes(b"\x89PNG")
        check(corpus("pictures"), 2, "pictures")

    def test_empty_corpus(self, corpus: Callable[..., Result]) -> None:
        Path("empty.txt").touch()
        check(corpus("empty.txt"), 1, "empty.txt")

    def test_binary_file(self, corpus: Callable[..., Result]) -> None:
        Path("binary.txt").write_bytes(b"text \xff\xfe\x00\x01")
        check(corpus("binary.txt"), 1, "binary.txt", "byte 7")

    def test_invalid_utf8(self, corpus: Callable[..., Result]) -> None:
        Path("latin1.txt").write_bytes("déjà vu".encode("latin-1"))
        check(corpus("latin1.txt"), 1, "latin1.txt", "byte 1", "--errors")

    def test_wrong_field(self, corpus: Callable[..., Result]) -> None:
        Path("a.jsonl").write_text('{"body": "text"}\n', encoding="utf-8")
        check(corpus("a.jsonl"), 2, "a.jsonl", "body")

    def test_unknown_corpus(self, corpus: Callable[..., Result]) -> None:
        check(corpus("corpus:python-doc"), 2, "python-docs")

    def test_truncated_archive(self, corpus: Callable[..., Result]) -> None:
        import gzip

        Path("a.txt.gz").write_bytes(gzip.compress(os.urandom(1000).hex().encode())[:-20])
        check(corpus("a.txt.gz"), 1, "a.txt.gz")


def test_truncated_vocabulary(nlpkit: Run, copy: Path, tmp_path: Path) -> None:
    truncate(copy / "vocabulary" / "vocabulary.tiktoken")
    result = nlpkit(
        "tokenizer", "encode", copy / "text.txt", "-v", copy / "vocabulary", "-o", tmp_path / "new"
    )
    check(result, 1, "vocabulary.tiktoken")
    assert not (tmp_path / "new").exists()


def test_a_vocabulary_description_that_is_no_json(nlpkit: Run, copy: Path) -> None:
    (copy / "vocabulary" / "nlpkit.json").write_text('{"kind": ', encoding="utf-8")
    check(nlpkit("tokenizer", "count", copy / "text.txt", "-v", copy / "vocabulary"), 1, "nlpkit.json")


@pytest.mark.parametrize("command", [["lm", "train"], ["embeddings", "train"]], ids=" ".join)
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("train/shard_00000.bin", 1),
        ("train/documents.npy", 1),
        ("train/index.json", 1),
        ("vocabulary/nlpkit.json", 1),
    ],
)
def test_truncated_shards(
    nlpkit: Run, copy: Path, tmp_path: Path, command: list[str], file: str, code: int
) -> None:
    truncate(copy / "shards" / file)
    check(nlpkit(*command, copy / "shards", "--out", tmp_path / "new"), code, Path(file).name)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", [["lm", "train"], ["embeddings", "train"]], ids=" ".join)
def test_shards_beside_another_vocabulary(
    nlpkit: Run, copy: Path, tmp_path: Path, command: list[str]
) -> None:
    shutil.rmtree(copy / "shards" / "vocabulary")
    shutil.copytree(copy / "other", copy / "shards" / "vocabulary")
    check(nlpkit(*command, copy / "shards", "--out", tmp_path / "new"), 1, "vocabulary")
    assert not (tmp_path / "new").exists()


def test_a_model_refuses_shards_of_another_vocabulary(nlpkit: Run, made: Path) -> None:
    check(nlpkit("lm", "evaluate", made / "lm", made / "other-shards"), 1, "vocabulary")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_truncated_model(nlpkit: Run, copy: Path, file: str) -> None:
    truncate(copy / "lm" / file)
    check(nlpkit("lm", "generate", copy / "lm", "--max-tokens", 1), 1, file)


@pytest.mark.parametrize(
    "command",
    [
        ["tokenizer", "train", "text.txt", "--vocab-size", "262"],
        ["tokenizer", "encode", "text.txt", "-v", "vocabulary", "--split", "tail"],
        ["embeddings", "train", "shards"],
        ["lm", "train", "shards", "--steps", "1", "--n-embd", "16"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
class TestOutputFolder:
    @pytest.fixture(autouse=True)
    def _beside_what_was_made(self, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(copy)

    def test_a_file_stands_in_its_place(self, nlpkit: Run, command: list[str]) -> None:
        Path("new").write_text("mine", encoding="utf-8")
        ended, out, err = nlpkit(*command, "--out", "new")
        assert ended in (1, 2)
        assert out == ""
        assert "new" in err
        assert err.count("nlpkit: ") == 1
        assert Path("new").read_text(encoding="utf-8") == "mine"

    def test_it_lies_under_a_file(self, nlpkit: Run, command: list[str]) -> None:
        ended, out, err = nlpkit(*command, "--out", "text.txt/new")
        assert ended in (1, 2)
        assert out == ""
        assert "text.txt" in err
        assert Path("text.txt").read_text(encoding="utf-8") == TEXT

    def test_the_disk_is_full(self, nlpkit: Run, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def full(path: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        monkeypatch.setattr("nlpkit.files.fsync_path", full)
        before = set(Path().rglob("*"))
        ended, _, err = nlpkit(*command, "--out", "new")
        assert ended == 1
        assert err.splitlines()[-1].startswith("nlpkit: ")
        assert "No space left on device" in err
        left = set(Path().rglob("*")) - before
        assert not [path for path in left if path.is_file() and path.parts[0] != "new"]
        assert not (Path("new") / "config.json").exists()
