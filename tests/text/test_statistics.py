"""The figures of a corpus, against a count by hand and against Python's own on random text."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.text import Corpus
from nlpkit.text.statistics import CorpusStats, corpus_stats, script_shares

Write = Callable[[str, bytes | str], Path]


def test_a_small_corpus_counted_by_hand(write: Write) -> None:
    a, b, c = write("a.txt", "one  two\nдва\n"), write("b.txt", "字"), write("c.txt", "字")
    broken = write("d.txt", b"\xff")
    assert corpus_stats(Corpus([a, b, c, broken], errors="skip")) == CorpusStats(
        documents=3,
        bytes=9 + 7 + 3 + 3,
        characters=13 + 1 + 1,
        words=3 + 1 + 1,
        lines=2 + 1 + 1,
        distinct_characters=len(set("one  two\nдва\n字")),
        longest_document=13,
        longest_source=str(a),
        duplicates=1,
        skipped=1,
        scripts={"Latin": 6 / 11, "Cyrillic": 3 / 11, "Han": 2 / 11},
    )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1
    )
)
def test_counts_add_up(texts: list[str]) -> None:
    import json
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        stats = corpus_stats(Corpus([path]))
    assert stats.documents == len(texts)
    assert stats.bytes == len("".join(texts).encode())
    assert stats.characters == len("".join(texts))
    assert stats.duplicates == len(texts) - len(set(texts))
    assert stats.distinct_characters == len(set("".join(texts)))
    assert stats.longest_document == max(map(len, texts))
    assert not stats.scripts or sum(stats.scripts.values()) == pytest.approx(1)


def test_scripts_are_told_by_their_letters() -> None:
    text = "Aé Ж ع ह 漢 か カ 한 ก ß 12 – .…\u0301𐍈ΣԱא"
    assert set(script_shares(Counter(text))) == {
        *("Latin", "Cyrillic", "Arabic", "Devanagari", "Han", "Hiragana", "Katakana", "Hangul"),
        *("Thai", "Gothic", "Greek", "Armenian", "Hebrew"),
    }
    assert script_shares(Counter("12 …")) == {}


def test_styles_and_widths_of_letters_are_no_scripts() -> None:
    assert set(script_shares(Counter("ℂ𝐀ªｚﬁ"))) == {"Latin"}
    assert set(script_shares(Counter("µΩ"))) == {"Greek"}
    assert set(script_shares(Counter("ｱー"))) == {"Katakana"}
    assert set(script_shares(Counter("々豈"))) == {"Han"}
    assert set(script_shares(Counter("ʻ"))) == {"Common"}


def test_progress_is_told_in_bytes(write: Write) -> None:
    calls: list[tuple[str, int, int]] = []
    path = write("a.txt", "line\n" * 1000)
    corpus_stats(Corpus([path], lines=True), progress=lambda *call: calls.append(call))
    assert {(phase, total) for phase, _, total in calls} == {("read", 5000)}
    assert len(calls) == 1000 // 64
