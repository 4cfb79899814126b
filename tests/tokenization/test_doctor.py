"""The vocabulary doctor finds each kind of damage, and raises no false alarm over healthy vocabularies."""

import base64
import importlib
import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nlpkit.errors import UsageError
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.doctor import Finding, examine_vocabulary
from nlpkit.tokenization.doctor.table import Ranks, check_table
from nlpkit.tokenization.doctor.tokens import is_cut, stands_in_utf8
from nlpkit.tokenization.patterns import PATTERNS

BYTES = {bytes([value]): value for value in range(256)}


def write(path: Path, tokens: list[tuple[bytes, int]]) -> Path:
    path.write_bytes(b"".join(b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in tokens))
    return path


def examine(folder: Path, extra: Mapping[bytes, int], pattern: str = "cl100k") -> dict[str, Finding]:
    file = write(folder / "v.tiktoken", [*BYTES.items(), *extra.items()])
    return {finding.name: finding for finding in examine_vocabulary(file, pattern=pattern)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, sample_texts: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("doctor") / "vocabulary"
    Tokenizer.train(sample_texts, vocab_size=1500).save(folder)
    return folder


@pytest.fixture(scope="module")
def sample_texts() -> list[str]:
    sample = Path(__file__).parents[2] / "corpora" / "sample"
    return [path.read_text(encoding="utf-8") for path in sorted(sample.glob("*.txt"))]


def test_a_trained_vocabulary_is_healthy(trained: Path, sample_texts: list[str]) -> None:
    findings = examine_vocabulary(trained, corpus=sample_texts)
    assert [finding.name for finding in findings if finding.wrong] == []


def test_tokens_that_a_corpus_lacks_are_named(trained: Path) -> None:
    tokenizer = Tokenizer.load(trained)
    findings = {f.name: f for f in examine_vocabulary(trained, corpus=["the river and the lighthouse"])}
    absent = findings["absent tokens"]
    assert not absent.wrong
    used = set(tokenizer.encode("the river and the lighthouse"))
    several = {i for i in range(tokenizer.eot_token) if len(tokenizer.decode_single_token_bytes(i)) > 1}
    assert set(absent.ids) == several - used


def test_another_pattern_than_the_training_one_is_found_out(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(
        ["a1234 b1234 c1234 1234"] * 3, vocab_size=262, pattern="gpt2", special_tokens=[]
    )
    tokenizer.save(tmp_path / "v")
    assert [f for f in examine_vocabulary(tmp_path / "v") if f.wrong] == []
    (cut,) = [f for f in examine_vocabulary(tmp_path / "v", pattern="cl100k") if f.wrong]
    assert cut.name == "cut tokens"
    assert "gpt2 cuts 0" in cut.sentence


@pytest.mark.parametrize(
    ("extra", "name", "ids"),
    [
        ({b"ab": 255}, "duplicate ids", [255]),
        ({b"\xff\xfe": 256}, "impossible tokens", [256]),
        ({b"abc": 256}, "inconsistent tokens", [256]),
        ({b"ab": 256, b"a b": 300}, "cut tokens", [300]),
    ],
)
def test_each_kind_of_damage_is_named(
    tmp_path: Path, extra: dict[bytes, int], name: str, ids: list[int]
) -> None:
    finding = examine(tmp_path, extra)[name]
    assert finding.wrong
    assert list(finding.ids) == ids


def test_gaps_and_parts_of_characters_are_only_noted(tmp_path: Path) -> None:
    findings = examine(tmp_path, {b"\xe4\xb8": 256, b"ab": 300})
    assert {name: finding.wrong for name, finding in findings.items()} == {
        "gaps": False,
        "parts of characters": False,
    }
    assert findings["gaps"].sentence == "43 ids (257 to 299) stand for nothing."


def test_damaged_and_double_lines_are_all_reported(tmp_path: Path) -> None:
    file = write(tmp_path / "v.tiktoken", [*list(BYTES.items())[1:], (b"a", 256)])
    file.write_bytes(file.read_bytes() + b"?? 257\n")
    findings = {finding.name: finding for finding in examine_vocabulary(file, pattern="gpt2")}
    assert list(findings["damaged lines"].ids) == [257]
    assert list(findings["duplicate tokens"].ids) == [256]
    assert list(findings["missing bytes"].ids) == [0]
    assert all(findings[name].wrong for name in ("damaged lines", "duplicate tokens", "missing bytes"))


def test_a_changed_rank_file_is_found_out(trained: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    ranks = copy / "vocabulary.tiktoken"
    ranks.write_bytes(ranks.read_bytes() + b"YWJhYmFi 90000\n")
    assert "checksum" in {finding.name for finding in examine_vocabulary(copy) if finding.wrong}


def test_a_file_needs_its_pattern(tmp_path: Path) -> None:
    file = write(tmp_path / "v.tiktoken", list(BYTES.items()))
    with pytest.raises(UsageError, match="pattern"):
        examine_vocabulary(file)


@pytest.mark.parametrize(
    ("token", "can"),
    [(b"\xe4\xb8", True), (b"\xb8\xad", True), (b"\xad\xe4", True), (b"\xff", False), (b"\xe4a", False),
     (b"\xc0\x80", False), (b"\x80\x80\x80\x80", False), ("é中".encode(), True)],
)  # fmt: skip
def test_what_valid_utf8_can_hold(token: bytes, can: bool) -> None:
    assert stands_in_utf8(token) is can


def test_merging_goes_by_rank_not_by_length(tmp_path: Path) -> None:
    assert "inconsistent tokens" not in examine(tmp_path, {b"bc": 256, b"ab": 257, b"abc": 258})
    inconsistent = examine(tmp_path, {b"bc": 256, b"ab": 257, b"cd": 258, b"abcd": 259})
    assert list(inconsistent["inconsistent tokens"].ids) == [259]


def test_special_tokens_that_do_not_fit_are_named() -> None:
    ranks = Ranks([*BYTES.items(), (b"<a>", 300)], [])
    special_tokens = {"<a>": 301, "<a>b": 302, "<b>": 300, "": 303}
    findings = {finding.name: finding for finding in check_table(ranks, special_tokens)}
    assert {name: (finding.wrong, list(finding.ids)) for name, finding in findings.items()} == {
        "special token collisions": (True, [300]),
        "empty special token": (True, [303]),
        "special tokens learnt": (False, [301]),
        "nested special tokens": (False, [301]),
        "gaps": (False, [256]),
    }


def test_a_vocabulary_trained_with_a_finer_pattern_is_found_out(tmp_path: Path) -> None:
    """Trained with single digits, used with groups of three: nothing is cut, and much is missing."""
    letters = [
        bytes(chosen) for length in (2, 3) for chosen in itertools.product(b"abcdefghijklmnop", repeat=length)
    ]
    tokens = {token: 256 + place for place, token in enumerate([*letters, b"aB"])}
    finding = examine(tmp_path, tokens)["finer pattern"]
    assert not finding.wrong
    assert finding.sentence.startswith("no token is what qwen2 or nanochat cuts, such as '12', which")
    assert finding.sentence.endswith("was it trained with qwen2 or nanochat?")
    assert "finer pattern" not in examine(tmp_path, {**tokens, b"12": 9000, b"123": 9001})
    assert "finer pattern" not in examine(tmp_path, tokens, pattern="qwen2")


def test_a_token_is_cut_only_if_no_neighbour_makes_it_whole() -> None:
    assert not is_cut("\n//", PATTERNS["o200k"])
    assert not is_cut(" I'", PATTERNS["o200k"])
    assert is_cut("a b", PATTERNS["o200k"])
    assert is_cut("1234", PATTERNS["cl100k"])


@pytest.mark.skipif("NLPKIT_DATA" not in os.environ, reason="NLPKIT_DATA is not set: no real vocabularies")
@pytest.mark.parametrize("name", ["r50k", "p50k", "cl100k", "o200k"])
def test_the_known_vocabularies_are_healthy(tmp_path: Path, name: str) -> None:
    import gzip

    packed = Path(os.environ["NLPKIT_DATA"]) / "text" / "vocab" / f"{name}_base.tiktoken.gz"
    file = tmp_path / f"{name}.tiktoken"
    file.write_bytes(gzip.decompress(packed.read_bytes()))
    assert [finding for finding in examine_vocabulary(file, pattern=name) if finding.wrong] == []


def test_the_command_exits_with_1_when_something_is_wrong(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = importlib.import_module("nlpkit.cli.main")
    file = write(tmp_path / "v.tiktoken", [*BYTES.items(), (b"a b", 256)])
    for arguments, code, shown in (
        ([str(trained)], 0, "Nothing is wrong"),
        ([str(file), "--pattern", "gpt2"], 1, "WRONG  inconsistent tokens: 1 (256 b'a b'): merging"),
        ([str(file), "--pattern", "gpt2", "--json"], 1, '"wrong": true'),
        ([str(tmp_path / "nothing")], 2, ""),
    ):
        monkeypatch.setattr(sys, "argv", ["nlpkit", "tokenizer", "doctor", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert (ended.value.code or 0) == code
        assert shown in capsys.readouterr().out
