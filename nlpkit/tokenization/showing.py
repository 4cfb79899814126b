"""Tokens made visible: white space and bytes one can read, and an HTML page of a text in its tokens."""

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nlpkit.tokenization.bpe.offsets import find_offsets
from nlpkit.tokenization.vocabulary import Vocabulary

_MARKS = str.maketrans({" ": "·", "\t": "→", "\r": "␍", "\n": "⏎"})
_COLOURS = 5
_MOST_FREQUENT = 20


@dataclass(frozen=True, slots=True)
class TokenFigures:
    """What a text comes to in tokens.

    Attributes:
        tokens: their number.
        different: the number of different ones.
        characters: of the text.
        text_bytes: of the text in UTF-8.
        parts_of_characters: tokens whose bytes are no UTF-8 by themselves.
        white_space: tokens of white space alone.
    """

    tokens: int
    different: int
    characters: int
    text_bytes: int
    parts_of_characters: int
    white_space: int

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text for one token; 0 without tokens."""
        return self.text_bytes / self.tokens if self.tokens else 0.0


def readable(token: bytes) -> str:
    """A token as text, white space made visible, the bytes of a split character as \\x escapes.

    ```
    >>> readable(b" the\\n")
    '·the⏎'
    ```
    """
    text = token.decode("utf-8", "backslashreplace").translate(_MARKS)
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def token_figures(tokens: Sequence[bytes]) -> TokenFigures:
    """The figures of a text that consists of these tokens."""
    data = b"".join(tokens)
    texts = [token.decode("utf-8", "surrogateescape") for token in tokens]
    return TokenFigures(
        tokens=len(tokens),
        different=len(set(tokens)),
        characters=len(data.decode("utf-8", "replace")),
        text_bytes=len(data),
        parts_of_characters=sum(any("\udc80" <= c <= "\udcff" for c in text) for text in texts),
        white_space=sum(text.isspace() for text in texts),
    )


def tokens_page(vocabulary: Vocabulary, ids: Sequence[int], *, title: str) -> str:
    """An HTML page of a text in its tokens: each on its own colour, its id and bytes under the pointer.

    Args:
        vocabulary: the one that made the ids.
        ids: the text's tokens.
        title: what the page is called.

    Raises:
        KeyError: an id stands for nothing.
    """
    tokens = [vocabulary.decode_single_token_bytes(token) for token in ids]
    spans = [
        _span(place, token, data, on, special=vocabulary.is_special_token(token))
        for place, (token, data, on) in enumerate(zip(ids, tokens, _characters_of(tokens), strict=True))
    ]
    return _PAGE.format(
        title=html.escape(title),
        name=html.escape(vocabulary.name),
        style=_STYLE,
        figures=_figures(token_figures(tokens)),
        tokens="".join(spans) or '<span class="none">no tokens</span>',
        frequent=_frequent(ids, vocabulary),
    )


def _characters_of(tokens: Sequence[bytes]) -> Iterator[str]:
    """The characters that each token lies on."""
    data = b"".join(tokens)
    text = data.decode("utf-8", "replace")
    ends = np.cumsum([len(token) for token in tokens], dtype=np.uint64)
    for begin, end in find_offsets(data, ends).characters.tolist():
        yield text[begin:end]


def _span(place: int, token: int, data: bytes, on: str, *, special: bool) -> str:
    is_part = _is_part(data)
    kind = "special" if special else f"c{place % _COLOURS}" + " part" * is_part
    hint = f"token {place}: id {token}\nbytes {data.hex(' ')}\n" + (
        f"part of {on!r}" if is_part else repr(data.decode("utf-8"))
    )
    # a line of the text ends a line of the page
    shown = html.escape(readable(data)).replace("⏎", '<i class="blank">⏎</i><br>')
    for mark in "·→␍":
        shown = shown.replace(mark, f'<i class="blank">{mark}</i>')
    return f'<span class="{kind}" title="{html.escape(hint)}">{shown}</span>'


def _is_part(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _figures(figures: TokenFigures) -> str:
    shown = {
        "tokens": f"{figures.tokens:,}",
        "different tokens": f"{figures.different:,}",
        "characters": f"{figures.characters:,}",
        "bytes": f"{figures.text_bytes:,}",
        "bytes per token": f"{figures.bytes_per_token:.2f}",
        "parts of characters": f"{figures.parts_of_characters:,}",
        "white space alone": f"{figures.white_space:,}",
    }
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in shown.items())


def _frequent(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    rows = []
    for token, count in Counter(ids).most_common(_MOST_FREQUENT):
        text = html.escape(readable(vocabulary.decode_single_token_bytes(token)))
        rows.append(f"<tr><td>{count:,}</td><td>{token}</td><td><code>{text}</code></td></tr>")
    return "".join(rows)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fdfdfb; --faint: #777; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #191a1c; --faint: #999; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin-bottom: 0; }
p.of { color: var(--faint); margin-top: 0; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1.5rem 0; }
dt { font-size: .8rem; color: var(--faint); } dd { margin: 0; font-size: 1.2rem; }
.text { font: 15px/2 ui-monospace, monospace; overflow-wrap: anywhere; }
.text span { color: #1c1c1c; padding: .15em 0; border-radius: .2em; cursor: default; }
.text span:hover { outline: 2px solid var(--ink); }
.c0 { background: #b5d7f5; } .c1 { background: #c9ecc0; } .c2 { background: #fbe3a8; }
.c3 { background: #f6c6d3; } .c4 { background: #d9cdf3; }
.text span.special { background: #222; color: #fff; padding: .15em .3em; }
.text span.part { text-decoration: underline dotted; }
.text span.none { background: none; color: var(--faint); }
i.blank { font-style: normal; opacity: .35; }
table { border-collapse: collapse; margin-top: .5rem; }
td, th { padding: .1rem 1rem .1rem 0; text-align: right; } td:last-child, th:last-child { text-align: left; }
summary { cursor: pointer; margin-top: 2rem; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p class="of">in the tokens of {name}; a token's id and bytes appear under the pointer</p>
<dl>{figures}</dl>
<div class="text">{tokens}</div>
<details><summary>the most frequent tokens</summary>
<table><tr><th>count</th><th>id</th><th>token</th></tr>{frequent}</table></details>
</body>
</html>
"""
