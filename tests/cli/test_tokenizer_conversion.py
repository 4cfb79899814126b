"""`nlpkit tokenizer export|import|compare`."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nlpkit.tokenization import Tokenizer, WordVocabulary

SAMPLE = Path(__file__).parents[2] / "corpora" / "sample"
Result = tuple[int, str, str]
Run = Callable[..., Result]


@pytest.fixture
def run(nlpkit: Run) -> Run:
    """Run `nlpkit tokenizer …`."""
    return partial(nlpkit, "tokenizer")


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [path.read_text(encoding="utf-8") for path in SAMPLE.glob("*.txt")]
    folder = tmp_path_factory.mktemp("vocabulary") / "rivers"
    Tokenizer.train(texts, vocab_size=700, pattern="gpt2", name="rivers").save(folder)
    return folder


@pytest.mark.parametrize("form", ["huggingface", "gpt2"])
def test_out_and_in_again(form: str, run: Run, vocabulary: Path, tmp_path: Path) -> None:
    code, printed, _ = run("export", vocabulary, "--format", form, "--out", tmp_path / form)
    assert code == 0
    assert "2,000 texts have the same ids with tokenizers" in printed
    assert printed.endswith(f"wrote {tmp_path / form}\n")
    code, printed, _ = run(
        "import", tmp_path / form, "-o", tmp_path / "back", "--check", SAMPLE / "en-river.txt"
    )
    assert code == 0
    assert "2,001 texts have the same ids with tokenizers" in printed
    assert Tokenizer.load(tmp_path / "back").fingerprint == Tokenizer.load(vocabulary).fingerprint


def test_tiktoken_out_and_its_ranks_in(run: Run, vocabulary: Path, tmp_path: Path) -> None:
    code, printed, _ = run("export", vocabulary, "--format", "tiktoken", "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(printed)["checked"].startswith("2,000 texts have the same ids with tiktoken")
    ranks = tmp_path / "tiktoken_ext" / "rivers.tiktoken"
    code, printed, _ = run(
        "import",
        ranks,
        "--pattern",
        "gpt2",
        "--special-token",
        "<|endoftext|>",
        "--out",
        tmp_path / "b",
        "--json",
    )
    assert code == 0
    figures = json.loads(printed)
    assert (figures["format"], figures["ids"], figures["pattern"]) == ("tiktoken", 700, "gpt2")
    assert Tokenizer.load(tmp_path / "b").fingerprint == Tokenizer.load(vocabulary).fingerprint


def test_notes_are_printed(run: Run, vocabulary: Path, tmp_path: Path) -> None:
    run("export", vocabulary, "--format", "huggingface", "--out", tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["added_tokens"][0]["special"] = False
    path.write_text(json.dumps(content))
    code, printed, _ = run("import", path, "--out", tmp_path / "back")
    assert code == 0
    assert "note: 1 added tokens that the file does not call special" in printed
    _, printed, _ = run("import", path, "--out", tmp_path / "back", "--json")
    assert len(json.loads(printed)["notes"]) == 1


def test_compare_prints_tables_and_json(run: Run, vocabulary: Path, tmp_path: Path) -> None:
    run("export", vocabulary, "--format", "huggingface", "--out", tmp_path / "hf")
    code, printed, _ = run("compare", vocabulary, tmp_path / "hf", SAMPLE)
    assert code == 0
    lines = printed.splitlines()
    rows = {line.split("  ")[0]: line.split()[-2:] for line in lines if not line.startswith(" ")}
    assert rows["tokens"][0] == rows["tokens"][1]
    assert "tokens that the first has" in printed
    assert "speed: not told from less than 1 MB of text" in printed
    for title in ("bytes per token", "fertility: tokens per word, or per character (c)", "coverage"):
        assert f"\n{title}, by script\n" in printed
        assert f"\n{title}, by file\n" in printed
    assert sum("en-river.txt" in line for line in lines) == 3
    code, printed, _ = run("compare", vocabulary, tmp_path / "hf", SAMPLE / "en-river.txt", "--json")
    assert code == 0
    comparison = json.loads(printed)
    first, second = comparison["vocabularies"]
    assert first["total"] == second["total"]
    assert first["renyi_efficiency"] > 0.3
    assert comparison["text_bytes"] == (SAMPLE / "en-river.txt").stat().st_size
    code, printed, _ = run("compare", vocabulary, vocabulary, "-", "--lines", stdin="one\ntwo\n")
    assert code == 0
    assert "by file" not in printed


def test_compare_takes_any_number_of_vocabularies_and_inputs(
    run: Run, vocabulary: Path, tmp_path: Path
) -> None:
    WordVocabulary.train(["the river"], min_count=1).save(tmp_path / "words")
    files = [SAMPLE / "en-river.txt", SAMPLE / "zh-market.txt", SAMPLE / "ja-baker-diary.txt"]
    page = tmp_path / "page.html"
    given = [vocabulary, tmp_path / "words", vocabulary]
    code, printed, errors = run("compare", *given, *files, "--html", page, "--json")
    assert (code, errors) == (0, "")
    comparison = json.loads(printed)
    assert [one["name"] for one in comparison["vocabularies"]] == [str(one) for one in given]
    assert [one["kind"] for one in comparison["vocabularies"]] == ["bpe", "words", "bpe"]
    assert list(comparison["vocabularies"][0]["sources"]) == [str(file) for file in files]
    assert set(comparison["vocabularies"][0]["scripts"]) >= {"Latin", "Han", "Japanese"}
    tokens = comparison["vocabularies"][0]["total"]["tokens"]
    assert f"{tokens:,}" in page.read_text(encoding="utf-8")
    code, printed, _ = run("compare", vocabulary, files[0])  # the figures of one vocabulary
    assert code == 0
    assert "tokens that the first has" not in printed


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["export", "{words}", "--format", "huggingface", "--out", "{out}"],
            1,
            "a vocabulary of words has no form",
        ),
        (["export", "{rivers}", "--format", "onnx", "--out", "{out}"], 2, "huggingface"),
        (["export", "{none}", "--format", "gpt2", "--out", "{out}"], 2, "none does not exist"),
        (
            ["export", "{rivers}", "--format", "gpt2", "--out", "{out}", "--check", "{none}"],
            2,
            "none does not exist",
        ),
        (["import", "{words}", "--out", "{out}"], 2, "is a vocabulary of words in nlpkit's own form"),
        (["import", "{none}", "--out", "{out}"], 2, "none does not exist, and no published vocabulary"),
        (["import", "{empty}", "--out", "{out}"], 2, "holds no vocabulary that nlpkit knows"),
        (["import", "{rivers}", "--pattern", "gpt2", "--out", "{out}"], 2, "says its own pattern"),
        (["import", "{wordpiece}", "--out", "{out}"], 1, "holds a WordPiece model"),
        (["import", "{broken}", "--out", "{out}"], 1, "is not valid JSON"),
        (["import", "cl100k_base", "--out", "{out}"], 2, "and put it at"),
        (["compare", "{rivers}", "{none}", "{text}"], 2, "none does not exist"),
        (["compare", "{rivers}", "{rivers}", "{none}"], 2, "none does not exist"),
        (["compare", "{rivers}", "{rivers}"], 2, "is a vocabulary too, and no corpus follows"),
        (["compare", "{text}", "{text}"], 2, "text.txt is no vocabulary: name vocabularies first"),
        (["compare", "{none}", "{text}"], 2, "none does not exist, and no published vocabulary"),
        (["compare", "{rivers}", "{text}", "--html", "{empty}"], 2, "empty is a folder"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: list[str],
    code: int,
    message: str,
    run: Run,
    vocabulary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    WordVocabulary.train(["a b"], min_count=1).save(tmp_path / "words")
    (tmp_path / "empty").mkdir()
    (tmp_path / "wordpiece.json").write_text('{"model": {"type": "WordPiece", "vocab": {}}}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "text.txt").write_text("hello")
    places = {
        "rivers": vocabulary, "words": tmp_path / "words", "none": tmp_path / "none", "out": tmp_path / "out",
        "empty": tmp_path / "empty", "wordpiece": tmp_path / "wordpiece.json",
        "broken": tmp_path / "broken.json", "text": tmp_path / "text.txt",
    }  # fmt: skip
    got, _, complaint = run(*(argument.format(**places) for argument in arguments))
    assert got == code
    assert message in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "out").exists()
