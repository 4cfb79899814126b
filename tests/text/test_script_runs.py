"""Text in runs of one script, against the `regex` module's scripts and a plain walk over the characters."""

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit import _core

NONE = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}\p{Script=Unknown}]")
KANA = regex.compile(r"[\p{Script=Hiragana}\p{Script=Katakana}]")


def runs(*texts: str) -> list[tuple[int, str, int, int, int]]:
    columns = _core.script_runs(list(texts), 1)
    return [
        (text, _core.SCRIPTS[script], end, characters, words)
        for text, script, end, characters, words in zip(*(column.tolist() for column in columns), strict=True)
    ]


def script_of(character: str) -> str | None:
    if NONE.fullmatch(character):
        return None
    if KANA.fullmatch(character):
        return "Japanese"
    names = [name for name in _core.SCRIPTS if name not in ("Common", "Japanese")]
    return next(
        name for name in names if regex.fullmatch(rf"\p{{Script={name.replace(' ', '_')}}}", character)
    )


def plain_runs(text: str) -> Iterator[tuple[str, str]]:
    """Script and text of each run, by the rule in words."""
    kana, han = len(KANA.findall(text)), len(regex.findall(r"\p{Script=Han}", text))
    han_is = "Japanese" if kana and kana * 10 >= kana + han else "Han"
    begin, script = 0, None
    for at, character in enumerate(text):
        found = script_of(character)
        found = han_is if found == "Han" else found
        if found is None or found == script:
            continue
        if script is not None:
            seam = len(text[:at].rstrip())
            yield script, text[begin:seam]
            begin = seam
        script = found
    if text:
        yield script or "Common", text[begin:]


def test_runs_by_hand() -> None:
    assert runs("ab ab", "", "我用Python写代码 и тест.", "12 -- ") == [
        (0, "Latin", 5, 5, 2),
        (2, "Han", 11, 2, 1),
        (2, "Latin", 17, 6, 1),
        (2, "Han", 26, 3, 1),
        (2, "Cyrillic", 39, 8, 2),
        (3, "Common", 45, 6, 2),
    ]


def test_han_is_japanese_where_every_tenth_character_is_kana() -> None:
    assert [run[1] for run in runs("漢字" * 4 + "仮" + "の")] == ["Japanese"]
    assert [run[1] for run in runs("漢字" * 5 + "の")] == ["Han", "Japanese"]
    assert [run[1] for run in runs("東京へ行く", "北京")] == ["Japanese", "Han"]


ALPHABET = st.sampled_from("aZ é ßд Жع中国字のカー한글ไทย अक1,-(。」\u3000\n\u0301😀\u00a0ⅣKⅠ")


@given(st.text(ALPHABET, max_size=40))
@settings(max_examples=150, deadline=None)
def test_runs_are_those_of_the_plain_walk(text: str) -> None:
    expected, end = [], 0
    for script, part in plain_runs(text):
        end += len(part.encode())
        expected.append((0, script, end, len(part), len(part.split())))
    assert runs(text) == expected


def test_words_of_one_script_are_those_of_split() -> None:
    text = "one  two\tthree\x1cfour\u2003five\n"
    assert sum(run[4] for run in runs(text)) == len(text.split())
    ends = _core.word_ends([text, "six"]).tolist()
    laid_out = (text + "six").encode()
    assert [laid_out[:end].decode().split()[-1] for end in ends] == [*text.split(), "six"]


def test_threads_change_nothing() -> None:
    texts = [f"{'ab ' * i}дом 中" for i in range(50)]
    one, four = (_core.script_runs(texts, threads) for threads in (1, 4))
    for left, right in zip(one, four, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("stretches", [[3, 9], [1, 2, 9], [9]])
def test_tokens_and_split_characters_by_stretch(stretches: list[int]) -> None:
    text = "ab中é文"[:4]  # bytes: a b 中(3) é(2) = 7, then 2 of the next text
    ends = [1, 3, 4, 5, 6, 7, 8, 9]  # 中 is cut twice, é once
    tokens, cut = _core.tokens_by_stretch(
        [text, "xy"], np.array(ends, np.uint64), np.array(stretches, np.uint64)
    )
    edges = [0, *stretches]
    assert tokens.tolist() == [sum(low < end <= high for end in ends) for low, high in pairwise(edges)]
    first_ends_inside = [3, 6]  # each character counts where the first token ends in it
    assert cut.tolist() == [
        sum(low < end <= high for end in first_ends_inside) for low, high in pairwise(edges)
    ]


def test_tokens_beyond_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match="beyond the text"):
        _core.tokens_by_stretch(["ab"], np.array([3], np.uint64), np.array([2], np.uint64))
    with pytest.raises(ValueError, match="beyond the text"):
        _core.tokens_by_stretch(["ab"], np.array([2], np.uint64), np.array([1], np.uint64))


def test_scripts_are_unicodes() -> None:
    folder = os.environ.get("NLPKIT_DATA")
    if not folder:
        pytest.skip("NLPKIT_DATA is not set: no table of Unicode's")
    table = Path(folder) / "text" / "torture" / "unicode-15.0" / "Scripts.txt"
    names = {"Common": "Common", "Inherited": "Common", "Hiragana": "Japanese", "Katakana": "Japanese"}
    wrong = []
    for line in table.read_text(encoding="utf-8").splitlines():
        if not (found := re.match(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*; (\w+)", line)):
            continue
        script = names.get(found[3], found[3].replace("_", " "))
        codes = range(int(found[1], 16), int(found[2] or found[1], 16) + 1)
        seen = [run[1] for run in runs(*map(chr, codes))]
        wrong += [(hex(code), script, one) for code, one in zip(codes, seen, strict=True) if one != script]
    assert wrong == [("0x1680", "Ogham", "Common")]  # Ogham's space mark, which is white space first of all
