"""The bundled sample corpus: enough text in six scripts, and clean at the level of characters."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "corpora" / "sample"
FILES = sorted(FOLDER.glob("*.txt"))

# The words that begin the Unicode names of the letters and marks a language is written with.
SCRIPTS = {
    "en": ("LATIN",),
    "zh": ("CJK UNIFIED",),
    "ru": ("CYRILLIC",),
    "ar": ("ARABIC",),
    "hi": ("DEVANAGARI",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK UNIFIED"),
}
KANA = ("HIRAGANA", "KATAKANA")
ZERO_WIDTH_JOINER = "\u200d"  # between the parts of one emoji


def read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def texts_in(language: str) -> list[str]:
    return [read(path) for path in FILES if path.name.startswith(f"{language}-")]


def letters_and_marks(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character)[0] in "LM")


def written_in(text: str, scripts: tuple[str, ...]) -> str:
    """The letters and marks of `text` that belong to `scripts`."""
    return "".join(c for c in letters_and_marks(text) if unicodedata.name(c).startswith(scripts))


def size(text: str) -> int:
    return len(text.encode("utf-8"))


def test_holds_at_least_60_000_bytes() -> None:
    assert sum(path.stat().st_size for path in FILES) >= 60_000


def test_every_file_is_named_by_one_of_the_six_languages() -> None:
    assert Counter(path.name.split("-")[0] for path in FILES).keys() == SCRIPTS.keys()


@pytest.mark.parametrize("language", SCRIPTS)
def test_each_script_has_at_least_8_000_bytes(language: str) -> None:
    assert sum(size(written_in(text, SCRIPTS[language])) for text in texts_in(language)) >= 8_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_written_in_its_own_script(path: Path) -> None:
    text = read(path)
    language = path.name.split("-")[0]
    own = len(written_in(text, SCRIPTS[language]))
    assert own >= 0.95 * len(letters_and_marks(text))


@pytest.mark.parametrize("language", ["zh", "ja"])
def test_kana_tells_japanese_from_chinese(language: str) -> None:
    shares = [
        len(written_in(text, KANA)) / len(written_in(text, SCRIPTS["ja"])) for text in texts_in(language)
    ]
    assert all(share > 0.5 for share in shares) if language == "ja" else set(shares) == {0.0}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_clean_text(path: Path) -> None:
    text = read(path)
    odd = {c for c in text if unicodedata.category(c).startswith("C")} - {"\n", ZERO_WIDTH_JOINER}
    assert not odd, "carriage returns, control, unassigned and private characters have no place here"
    assert unicodedata.is_normalized("NFC", text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text == text.lstrip()
    assert not re.search(r"[^\S\n]$", text, flags=re.MULTILINE)


def test_no_document_or_long_line_comes_twice() -> None:
    lines = [line for path in FILES for line in read(path).splitlines() if len(line) > 60]
    assert [line for line, count in Counter(lines).items() if count > 1] == []


@pytest.mark.parametrize("language", [*SCRIPTS, "all"])
def test_the_readme_states_the_documents_and_bytes_of_each_language(language: str) -> None:
    texts = [read(path) for path in FILES if language in ("all", path.name.split("-")[0])]
    row = rf"^\| {language} \|.*\| {len(texts)} \| {sum(map(size, texts)):,} \|$"
    assert re.search(row, (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_texts_keep_the_variety_that_tokenizer_tests_rely_on() -> None:
    whole = "\n".join(read(path) for path in FILES)
    for piece in (
        "don't",
        "don’t",
        "I'm",
        "I’ve",
        "they'll",
        "£3.20",
        "    for ",
        "👩\u200d🌾",
        "❤\ufe0f",
        "١٫٥٠",
        "₹१६४",
        "\u3000",
    ):
        assert piece in whole, piece
