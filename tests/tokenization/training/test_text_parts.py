"""Documents in parts are counted as the wholes that they are, whatever stands where they are cut."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit import _core
from nlpkit.errors import NlpkitError
from nlpkit.text import Corpus
from nlpkit.tokenization import PretokenCounts, TrainingText
from nlpkit.tokenization.patterns import PATTERNS
from nlpkit.tokenization.training.text_parts import TextCutter, slices

SCHEMES = ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "nanochat"]
TELLING = "aslLtvé中ſǅʰ\u0301 \n\r\t07!/'’\u00a0\u3000😀"


def pieces(scheme: str, text: bytes) -> list[bytes]:
    ends = [0, *_core.pretokenize(scheme, text).tolist()]
    return [text[begin:end] for begin, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet=TELLING, max_size=30))
def test_every_scheme_ends_a_piece_at_every_cut(scheme: str, text: str) -> None:
    data = text.encode()
    cut = _core.next_cut(data, 0)
    while cut < len(data):
        assert pieces(scheme, data[:cut]) + pieces(scheme, data[cut:]) == pieces(scheme, data)
        assert _core.last_cut(data, 0, cut + 1) == cut
        cut = _core.next_cut(data, cut + 1)


def test_cuts_stand_behind_letters() -> None:
    text = "don't stop, 中文。x1 !a".encode()
    cuts = []
    while (cut := _core.next_cut(text, cuts[-1] + 1 if cuts else 0)) < len(text):
        cuts.append(cut)
    assert [text[:cut].decode()[-1] for cut in cuts] == ["t", "p", "文", "x"]
    assert _core.last_cut(text, 0, len(text)) == cuts[-1]
    assert _core.last_cut(text, cuts[-1], len(text)) == 0
    assert _core.last_cut(b"aaaa", 0, 4) == 0


def in_parts(documents: list[str], choose: random.Random) -> Iterator[tuple[str, bool]]:
    for document in documents:
        while len(document) > 3 and choose.random() < 0.8:
            cut = choose.randrange(1, len(document))
            yield document[:cut], False
            document = document[cut:]
        yield document, True


@pytest.mark.parametrize("pattern", ["cl100k", "o200k", PATTERNS["gpt2"] + "|(?!)"])
@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(st.text(alphabet=TELLING + "<|>", max_size=60), max_size=4),
    seed=st.integers(0, 1000),
)
def test_parts_count_as_the_whole(pattern: str, documents: list[str], seed: int) -> None:
    specials = ("<|>", "a ", "t\n", "<|>a")  # the second and third hold places to cut
    whole, parts = (PretokenCounts(pattern, special_tokens=specials) for _ in range(2))
    whole.add(documents)
    parts.add_parts(in_parts(documents, random.Random(seed)))
    assert parts.items() == whole.items()
    assert parts.documents == whole.documents == len(documents)


def test_long_documents_are_counted_on_all_threads_alike() -> None:
    choose = random.Random(4)
    words = ["".join(choose.choices("abcdé中", k=choose.randint(1, 9))) for _ in range(3000)]
    document = " ".join(choose.choices(words, k=500_000))
    counts = []
    for threads in (1, 3):
        counts.append(PretokenCounts())
        counts[-1].add([document, "x"], threads=threads)
    assert counts[0].items() == counts[1].items()


def test_a_document_is_cut_only_as_it_grows_too_long() -> None:
    assert list(slices("", 3)) == [("", True)]
    assert list(slices("abc", 3)) == [("abc", True)]
    assert list(slices("abcd", 3)) == [("abc", False), ("d", True)]
    cutter = TextCutter((), cut=True)
    texts = list(cutter.texts([("aaaa", False), ("aa bb", False), (" c", True)], 0))
    assert [(text.pieces, text.ends) for text in texts] == [([b"aaaaaa"], False), ([b" bb c"], True)]


def test_a_surrogate_is_named_with_its_place_in_the_document() -> None:
    counts = PretokenCounts()
    with pytest.raises(NlpkitError, match=r"document 2 holds the lone surrogate U\+DC01 at character 6"):
        counts.add_parts([("abc", True), ("a b c", False), (" \udc01", True)])


@pytest.mark.parametrize("errors", ["strict", "replace", "skip"])
def test_a_plain_file_is_read_in_parts_that_make_up_its_text(tmp_path: Path, errors: str) -> None:
    text = "Grüße, 中文字 and 😀 " * 20_000 + "end"
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    corpus = Corpus([tmp_path / "a.txt"], errors=errors)
    parts = list(corpus.parts())
    assert "".join(document.text for document, _ in parts) == text
    assert [ends for _, ends in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) > 1
    counts = PretokenCounts()
    TrainingText([tmp_path / "a.txt"], errors=errors).count(counts)
    whole = PretokenCounts()
    whole.add([text])
    assert (counts.documents, counts.items()) == (1, whole.items())


@pytest.mark.parametrize("bad", [b"\xff", b"\xe4\xb8", b"\0"])
@pytest.mark.parametrize("place", [100, 300_000])
def test_files_that_are_no_text_are_left_out_in_parts_too(tmp_path: Path, bad: bytes, place: int) -> None:
    (tmp_path / "a.txt").write_bytes(b"a " * (place // 2) + bad)
    (tmp_path / "b.txt").write_bytes(b"b " * 100_000)
    corpus = Corpus([tmp_path / "a.txt", tmp_path / "b.txt"], errors="skip")
    whole = [document.text for document in corpus]
    skipped = corpus.skipped
    assert "".join(document.text for document, _ in corpus.parts()) == "".join(whole)
    assert (corpus.skipped, len(whole)) == (skipped, 2 - skipped)
    assert skipped == (bad != b"\0" or place == 100)  # a NUL tells a binary file by its beginning


def test_invalid_bytes_are_replaced_alike_in_parts(tmp_path: Path) -> None:
    choose = random.Random(8)
    data = bytes(
        choose.choices([0x41, 0x20, 0x80, 0xC3, 0xA9, 0xE4, 0xB8, 0xAD, 0xF0, 0x9F, 0xFF], k=400_000)
    )
    (tmp_path / "a.txt").write_bytes(data)
    parts = list(Corpus([tmp_path / "a.txt"], errors="replace").parts())
    assert len(parts) > 1
    assert "".join(document.text for document, _ in parts) == data.decode("utf-8", "replace")
