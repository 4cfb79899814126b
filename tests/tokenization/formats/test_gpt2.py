"""GPT-2's two files, both ways."""

import contextlib
import gzip
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.formats.agreement import FUZZ_TEXTS, Agreement

AGREED = Agreement(f"tokenizers {tokenizers.__version__}", FUZZ_TEXTS)


@pytest.fixture(scope="module")
def gpt2_like(sample_texts: list[str]) -> Tokenizer:
    return Tokenizer.train(sample_texts, vocab_size=1000, pattern="gpt2")


@pytest.fixture
def folder(gpt2_like: Tokenizer, tmp_path: Path) -> Path:
    assert gpt2_like.to_gpt2(tmp_path) == AGREED
    return tmp_path


def test_openais_own_files(
    real_data: Path, real_ranks: Callable[[str], dict[bytes, int]], tmp_path: Path
) -> None:
    for name in ("encoder.json", "vocab.bpe"):
        packed = real_data / "text" / "vocab" / "gpt2" / f"{name}.gz"
        (tmp_path / name).write_bytes(gzip.decompress(packed.read_bytes()))
    tokenizer = Tokenizer.from_gpt2(tmp_path)
    assert tokenizer._mergeable_ranks == real_ranks("r50k_base")
    assert tokenizer._special_tokens == {"<|endoftext|>": 50256}
    tokenizer.to_gpt2(tmp_path)
    assert (tmp_path / "merges.txt").read_bytes() == (tmp_path / "vocab.bpe").read_bytes()
    assert json.loads((tmp_path / "vocab.json").read_bytes()) == json.loads(
        (tmp_path / "encoder.json").read_bytes()
    )


def test_tiktoken_reads_what_is_written(gpt2_like: Tokenizer, folder: Path) -> None:
    ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "merges.txt"), str(folder / "vocab.json"))
    assert ranks == gpt2_like._mergeable_ranks


def test_what_was_written_reads_back(gpt2_like: Tokenizer, folder: Path) -> None:
    again = Tokenizer.from_gpt2(folder)
    assert again.fingerprint == gpt2_like.fingerprint


def test_gaps_stay(tmp_path: Path, with_gaps: Tokenizer) -> None:
    gaps = Tokenizer(
        "gaps",
        pat_str="gpt2",
        mergeable_ranks=with_gaps._mergeable_ranks,
        special_tokens=with_gaps._special_tokens,
    )
    assert gaps.to_gpt2(tmp_path) == AGREED
    assert Tokenizer.from_gpt2(tmp_path).fingerprint == gaps.fingerprint


def test_another_pattern_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match=r"do not say how text is split.*export it for huggingface"):
        tokenizer.to_gpt2(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tokens_that_no_merge_gives_are_refused(inconsistent: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match="merging does not give every token"):
        inconsistent.to_gpt2(tmp_path / "out")


def test_roberta_like_ids_are_refused(folder: Path) -> None:
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    highest = max(vocab.values())
    (folder / "vocab.json").write_text(json.dumps({token: highest - id_ for token, id_ in vocab.items()}))
    with pytest.raises(NlpkitError, match=r"merges\.txt: its merges are not in the order of the ids"):
        Tokenizer.from_gpt2(folder)


def test_truncated_merges_do_not_make_special_tokens(folder: Path) -> None:
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "merges.txt").write_text("".join(lines[:-5]), encoding="utf-8")
    with pytest.raises(
        NlpkitError, match=r"is neither a byte nor made by a merge of .*is that file complete"
    ):
        Tokenizer.from_gpt2(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("vocab.json", b"[]", "holds no JSON object"),
        ("vocab.json", b'{"a": "b"}', "the id of 'a' is 'b', no number"),
        ("merges.txt", b"#version: 0.2\na b c\n", "the merge 'a b c' is not of two tokens"),
        ("merges.txt", b"\xff\n", "is not UTF-8"),
    ],
)
def test_damaged_files_say_what_is_wrong(file: str, content: bytes, message: str, folder: Path) -> None:
    (folder / file).write_bytes(content)
    with pytest.raises(CorruptFileError, match=rf"{file}.*{message}"):
        Tokenizer.from_gpt2(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "merges.txt").unlink()
    with pytest.raises(UsageError, match=r"has neither merges\.txt nor vocab\.bpe"):
        Tokenizer.from_gpt2(folder)


def test_lines_may_end_as_on_windows(folder: Path, gpt2_like: Tokenizer) -> None:
    merges = (folder / "merges.txt").read_bytes()
    (folder / "merges.txt").write_bytes(merges.replace(b"\n", b"\r\n"))
    assert Tokenizer.from_gpt2(folder).fingerprint == gpt2_like.fingerprint


def test_no_change_to_a_file_makes_anything_but_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    generator = random.Random(3)
    for name in ("vocab.json", "merges.txt"):
        original = (folder / name).read_bytes()
        for _ in range(40):
            begin = generator.randrange(len(original))
            change = generator.choice([b"", b"0", b" ", b"\n", b"\xff", b'"', b"{}"])
            (folder / name).write_bytes(
                original[:begin] + change + original[begin + generator.randrange(9) :]
            )
            with contextlib.suppress(NlpkitError):
                Tokenizer.from_gpt2(folder)
        (folder / name).write_bytes(original)
