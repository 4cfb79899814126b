"""The page of a comparison: whole, self-contained, and with the figures that were measured."""

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nlpkit.text import Document
from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.comparison import compare_vocabularies, write_comparison_page
from nlpkit.tokenization.comparison.charts import length_shares, size_and_evenness, token_lengths
from nlpkit.tokenization.comparison.page import comparison_page
from nlpkit.tokenization.comparison.wording import lede, percent, short_names

TEXTS = ["the cat sat on the mat. " * 20, "дом и мир " * 20, "中国人民<b>&" * 20]
VOID = {"meta", "link", "br"}


@pytest.fixture(scope="module")
def tokenizers() -> list[Tokenizer]:
    return [Tokenizer.train(TEXTS, vocab_size=size) for size in (270, 290)]


def documents() -> list[Document]:
    return [Document(text, f"folder/{i}.txt") for i, text in enumerate(TEXTS)]


class Page(HTMLParser):
    """Checks that tags close, and gathers what the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tokenizers: list[Tokenizer], tmp_path: Path) -> None:
    comparison = compare_vocabularies(tokenizers, documents(), names=["a/small<1>", "a/large"])
    write_comparison_page(comparison, tmp_path / "page.html", corpus=["folder"])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.loads == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text
    assert "small<1>" not in text
    assert "small&lt;1&gt;" in text
    assert "<b>&" not in text.partition("Where they do worst")[2]
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)


def test_the_page_says_what_was_measured(tokenizers: list[Tokenizer]) -> None:
    comparison = compare_vocabularies(tokenizers, documents(), names=["small", "large"])
    text = comparison_page(comparison, corpus=["folder/x.txt"])
    for figures in comparison.vocabularies:
        assert f"{figures.total.tokens:,}" in text
        assert f"{figures.total.bytes_per_token:.2f}" in text
        assert f"{figures.renyi_efficiency:.3f}" in text
        for of_script in figures.scripts.values():
            assert f"<b>{of_script.bytes_per_token:.2f}</b>" in text
    for word in ("Latin", "Cyrillic", "Han", "By file", "0.txt", "Where they do worst"):
        assert word in text
    assert ">Speed<" not in text  # too little text to tell


def test_one_vocabulary_words_and_no_text_have_pages_too(tokenizers: list[Tokenizer]) -> None:
    words = WordVocabulary.train(TEXTS, min_count=1)
    alone = comparison_page(compare_vocabularies(tokenizers[:1], documents()[:1]), corpus=["x"])
    assert "What they share" not in alone
    assert "By file" not in alone
    beside = comparison_page(compare_vocabularies([tokenizers[0], words], documents()), corpus=["x"])
    assert "words makes one token of a word" in " ".join(beside.split())
    for empty in ([], [Document("", "x")]):
        assert Page(comparison_page(compare_vocabularies(tokenizers, empty), corpus=["x"])).open == []
    assert Page(comparison_page(compare_vocabularies([words], documents()), corpus=["x"])).open == []


def test_speed_is_drawn_of_enough_text(tokenizers: list[Tokenizer]) -> None:
    comparison = compare_vocabularies(tokenizers, [Document("the cat " * 200_000, "x")])
    text = comparison_page(comparison, corpus=["x"])
    assert ">Speed<" in text
    assert comparison.speed_measured in text


def test_charts_put_points_where_the_figures_are(tokenizers: list[Tokenizer]) -> None:
    figures = compare_vocabularies(tokenizers, documents()).vocabularies
    chart = size_and_evenness(figures)
    (first,), (second,) = chart.points
    assert first[0] < second[0]  # 270 and 290 ids
    assert (first[1] > second[1]) == (figures[0].renyi_efficiency < figures[1].renyi_efficiency)
    for line, vocabulary in zip(token_lengths(figures).points, figures, strict=True):
        shares = length_shares(vocabulary.token_lengths)
        assert sum(shares) == pytest.approx(1)
        heights = [chart.bottom - y for _, y in line]
        assert heights.index(max(heights)) == shares.index(max(shares))
    same = size_and_evenness([figures[0], figures[0]])
    assert same.label_ys[1] - same.label_ys[0] >= 17


def test_lengths_from_sixteen_bytes_on_share_a_place() -> None:
    assert length_shares([0] * 16 + [1, 2, 1]) == [0.0] * 15 + [1.0]
    assert length_shares([]) == [0.0] * 16


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.05, "5.0 %"),
        (0.99996, "99.996 %"),
        (0.9999999, "99.99999 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_names_are_as_short_as_tells_them_apart() -> None:
    assert short_names(["x/a.tiktoken", "y/b/tokenizer.json"]) == ["a", "b"]
    assert short_names(["x/v", "y/v", "x/v"]) == ["x/v", "y/v", "x/v"]
    assert short_names(["/", "v"]) == ["/", "v"]


def test_the_first_sentence_says_how_many_more(tokenizers: list[Tokenizer]) -> None:
    figures = compare_vocabularies(tokenizers, documents()).vocabularies
    more = figures[0].total.tokens / figures[1].total.tokens - 1
    assert (
        lede(figures, ["small", "large"]) == f"large needs the fewest tokens; small {100 * more:.1f} % more."
    )
    assert lede(figures[:1], ["small"]) == f"small makes {figures[0].total.tokens:,} tokens of it."
