"""The page from made-up figures: every part, parts left out, and text that is not to be trusted."""

import copy
import html.parser
import re
from pathlib import Path
from typing import Any

import pytest

from nlpkit.files import write_json
from nlpkit.pipeline.report.page import publish_report, render_report, visible

FIGURES: dict[str, Any] = {
    "corpus": {
        "inputs": ["corpus:python-docs", "a & b.txt"],
        "documents": 40, "bytes": 1_980_000, "characters": 1_970_000, "words": 300_000,
        "scripts": [["Latin", 0.9], ["Han", 0.1]],
    },
    "tokens": {
        "n_vocab": 4096, "pattern": "cl100k", "held_out": True,
        "bytes_per_token": {"train": 3.81, "validation": 3.97},
        "bytes": {"train": 1_780_000, "validation": 200_000},
        "text_lengths": [0, 4, 3, 2], "vocabulary_lengths": [1, 256, 3, 2],
        "sample": [
            {"id": 7, "text": " <b>", "bytes": "20 3c 62 3e"},
            {"id": 8, "text": "\n", "bytes": "0a"},
            {"id": 9, "text": None, "bytes": "e4 bd"},
        ],
    },
    "words": {
        "words": 4483, "dim": 100, "map_method": "t-SNE from the principal components",
        "neighbours": [{"key": "file", "word": "file", "neighbours": [["<files>", 0.71]]}],
        "map": [
            {"word": "file", "count": 90, "x": 0.0, "y": 0.0, "cluster": 0},
            {"word": "file", "count": 50, "x": 0.001, "y": 0.0, "cluster": 0},
            {"word": "a<b", "count": 9, "x": 1.0, "y": 1.0, "cluster": 7},
        ],
    },
    "model": {
        "kind": "LSTM", "parameters": 2_560_000, "tokens": 1_000_000, "steps": 20, "context_length": 256,
        "train_curve": [[1, 4.0], [20, 2.0]], "validation_curve": [[20, 2.1]],
    },
    "evaluation": {
        "bits_per_byte": 2.1234, "perplexity": 181.2, "tokens": 44_000, "text_bytes": 172_000,
        "protocol": "windows of 256 tokens, 256 apart",
    },
    "compressors": {"gzip -9": 2.472, "xz -9": 2.05},
    "generated": [{"prompt": "The ", "text": "end.</p><script>alert(1)</script>\n  on"}],
}  # fmt: skip

RUN: dict[str, Any] = {
    "name": "demo",
    "made_with": {
        "versions": {"nlpkit": "0.1.0", "torch": "2.13.0"},
        "system": "Linux x86_64", "simd": "x86-64-v3", "threads": 2,
    },
    "recipe": {
        "name": "demo", "seed": 3,
        "corpus": {"inputs": ["corpus:python-docs", "/srv/texts/a & b.txt"]},
        "lm": {"steps": 20, "seed": 3},
    },
    "seconds": 178.2,
    "peak_memory": 820_000_000,
    "stages": {
        name: {
            "finished": "2026-11-22T21:00:00+00:00", "seconds": 1.5, "peak_memory": 10**8,
            "line": f"{name} done", "figures": {"example_word": "file"},
        }
        for name in ("corpus", "tokenizer", "embeddings", "lm", "report")
    },
}  # fmt: skip


class Page(html.parser.HTMLParser):
    """Reads a page, checks that tags nest, and keeps text, ids and addresses."""

    VOID = frozenset({"meta", "link", "wbr", "circle", "line", "path", "rect"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "action", "srcset", "data", "xlink:href"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data


def plain(page: Page) -> str:
    return re.sub(r"\s+", " ", page.text)


def test_the_page_says_it_all() -> None:
    page = Page(render_report(RUN, FIGURES))
    text = plain(page)
    for said in (
        "A tokenizer of 4,096 tokens, vectors for 4,483 words and a language model of 2.56 million",
        "parameters, made from 1.98 MB of text in 2 min 58 s.",
        "200 kB of it are held out (10%)",
        "Latin 90%", "Han 10%",
        "3.97", "3.81", "cl100k",
        "file", "<files>", "0.71",
        "This LSTM of", "windows of 256 tokens, 256 apart", "2.123", "2.472", "2.050",
        "The end.</p><script>alert(1)</script>",
        "lm done", "820 MB", "nlpkit 0.1.0, torch 2.13.0", "Linux x86_64", "lm 3", "steps = 20",
        "nlpkit lm generate lm --prompt", "nlpkit embeddings similar embeddings file",
        "nlpkit tokenizer show --vocabulary tokenizer",
        "2026-11-22 21:00 UTC",
    ):  # fmt: skip
        assert said in text, said


def test_the_page_asks_for_nothing_from_outside() -> None:
    page = render_report(RUN, FIGURES)
    addresses = Page(page).addresses
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org)", page)


def test_links_lead_to_sections_of_the_page() -> None:
    page = Page(render_report(RUN, FIGURES))
    links = {address[1:] for address in page.addresses if address.startswith("#")}
    assert links
    assert links <= page.ids


def test_text_from_the_corpus_and_the_model_is_never_markup() -> None:
    page = render_report(RUN, FIGURES)
    assert "<script>alert" not in page
    assert "<b>20" not in page
    assert page.count("<script>") == 1


def test_no_folder_of_this_machine_is_named() -> None:
    assert "/srv" not in render_report(RUN, FIGURES)


def test_white_space_and_parts_of_characters_are_made_visible() -> None:
    sample = FIGURES["tokens"]["sample"]
    assert str(visible(sample[0])) == "<i>·</i>&lt;b&gt;"
    assert str(visible(sample[1])) == "<i>↵</i>\n"
    assert str(visible(sample[2])) == "<i>e4bd</i>"
    assert str(visible({"text": "\x00é", "bytes": "00 c3 a9"})) == "<i>00</i>é"


@pytest.mark.parametrize("missing", ["tokens", "words", "model", "evaluation", "compressors", "generated"])
def test_a_part_that_is_missing_is_left_out(missing: str) -> None:
    figures = copy.deepcopy(FIGURES)
    del figures[missing]
    if missing == "model":
        del figures["evaluation"], figures["generated"]
    page = Page(render_report(RUN, figures))
    headings = {
        "tokens": "token by token",
        "words": "Word vectors",
        "model": "Bits per byte while",
        "evaluation": "Perplexity",
        "compressors": "gzip",
        "generated": "What it writes",
    }
    assert headings[missing] not in page.text
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= page.ids


def test_a_corpus_alone_makes_a_page() -> None:
    run = {**RUN, "stages": {"corpus": RUN["stages"]["corpus"], "report": RUN["stages"]["report"]}}
    text = plain(Page(render_report(run, {"corpus": FIGURES["corpus"]})))
    assert "A look at a corpus, made from 1.98 MB" in text


def test_without_a_held_out_split_the_page_speaks_of_the_text() -> None:
    figures = copy.deepcopy(FIGURES)
    figures["tokens"] |= {
        "held_out": False,
        "bytes_per_token": {"train": 3.81},
        "bytes": {"train": 1_980_000},
    }
    text = plain(Page(render_report(RUN, figures)))
    assert "bytes of the text a token" in text
    assert "held out" not in text.split("Word vectors")[1].split("Language model")[0]


def test_labels_without_room_are_dots() -> None:
    page = render_report(RUN, FIGURES)
    assert page.count('class="word shown"') == 2
    assert page.count('class="word"') == 1


def test_publishing_again_touches_nothing(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", RUN)
    write_json(tmp_path / "report" / "figures.json", FIGURES)
    publish_report(tmp_path)
    page = tmp_path / "report.html"
    before = page.stat().st_mtime_ns
    publish_report(tmp_path)
    assert page.stat().st_mtime_ns == before
    page.write_text("edited")
    publish_report(tmp_path)
    assert page.read_text(encoding="utf-8") == render_report(RUN, FIGURES)
