"""Tokens made visible."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.showing import readable, token_figures, tokens_page

END = "<|endoftext|>"


class Spans(HTMLParser):
    """The tokens on a page: class, hint and what is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.spans: list[list[str]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "span":
            attributes = dict(attrs)
            self.spans.append([attributes["class"] or "", attributes.get("title") or "", ""])
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside &= tag != "span"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.spans[-1][2] += data


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (b" the\n", "·the⏎"),
        (b"\t\r", "→␍"),
        ("中".encode()[:2], "\\xe4\\xb8"),
        (b"\x00", "\\x00"),
        ("\u200b".encode(), "\\u200b"),
        (b"a\xff", "a\\xff"),
    ],
)
def test_every_token_can_be_read(token: bytes, shown: str) -> None:
    assert readable(token) == shown


def test_figures_count_what_there_is() -> None:
    figures = token_figures([b"a", b" ", "中".encode()[:1], "中".encode()[1:], b"a", b"\n "])
    assert (figures.tokens, figures.different) == (6, 5)
    assert (figures.characters, figures.text_bytes) == (6, 8)
    assert (figures.parts_of_characters, figures.white_space) == (2, 2)
    assert figures.bytes_per_token == pytest.approx(8 / 6)
    assert token_figures([]).bytes_per_token == 0


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_a_page_shows_each_token_with_its_id(text: str, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_ordinary(text)
    spans = Spans(tokens_page(tokenizer, ids, title=text)).spans
    if not ids:
        assert [span[0] for span in spans] == ["none"]
        return
    assert [shown for _, _, shown in spans] == [
        readable(token) for token in tokenizer.decode_tokens_bytes(ids)
    ]
    for place, (token, (_, hint, _)) in enumerate(zip(ids, spans, strict=True)):
        assert hint.startswith(
            f"token {place}: id {token}\nbytes {tokenizer.decode_bytes([token]).hex(' ')}\n"
        )


def test_special_tokens_and_parts_of_characters_are_marked(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(f"a{END}\U0001f9ff", allowed_special="all")
    spans = Spans(tokens_page(tokenizer, ids, title="t")).spans
    assert spans[1][0] == "special"
    assert spans[2][0].endswith(" part")
    assert "part of '\U0001f9ff'" in spans[2][1]


def test_what_the_text_says_stays_text(tokenizer: Tokenizer) -> None:
    text = "<script>alert('x')</script> {style} & \"q\""
    page = tokens_page(tokenizer, tokenizer.encode(text), title=text)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_words_have_pages_too() -> None:
    words = WordVocabulary.train(["one two two"], min_count=1)
    spans = Spans(tokens_page(words, words.encode_ordinary("two one zero"), title="words")).spans
    assert len(spans) >= 3
