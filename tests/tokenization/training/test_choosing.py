"""A document is chosen by its whole text, also where it comes in parts and waits on the disk."""

import random
from collections.abc import Iterator

import pytest

from nlpkit.tokenization.encoding.splits import content_fraction
from nlpkit.tokenization.training import choosing
from nlpkit.tokenization.training.choosing import Chooser

DOCUMENTS = ["é中\r\n\ufeff" * (i % 7) + f"document {i}" for i in range(300)]


def in_parts() -> Iterator[tuple[str, bool]]:
    choose = random.Random(1)
    for document in DOCUMENTS:
        while len(document) > 1 and choose.random() < 0.7:
            cut = choose.randrange(1, len(document))
            yield document[:cut], False
            document = document[cut:]
        yield document, True


def put_together(parts: Iterator[tuple[str, bool]]) -> list[str]:
    documents = [""]
    for text, ends in parts:
        documents[-1] += text
        if ends:
            documents.append("")
    assert documents.pop() == ""
    return documents


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("held_out", [False, True])
def test_parts_are_chosen_as_the_whole(
    on_disk: bool, held_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_disk:
        monkeypatch.setattr(choosing, "_IN_MEMORY", 3)
        monkeypatch.setattr(choosing, "_PART", 2)
    chooser = Chooser(sample=0.6, seed=5, held_out=0.3)
    chosen = put_together(chooser.choose(in_parts(), held_out=held_out))
    assert chosen == put_together(
        chooser.choose(((document, True) for document in DOCUMENTS), held_out=held_out)
    )
    assert all((content_fraction(document.encode()) < 0.3) == held_out for document in chosen)
    assert 0.4 < len(chosen) / (300 * 0.6 * (0.3 if held_out else 0.7)) < 1.6


def test_all_are_taken_only_where_no_share_is_left_out() -> None:
    assert Chooser(sample=1, seed=1, held_out=0).takes_all
    assert not Chooser(sample=0.5, seed=1, held_out=0).takes_all
    assert not Chooser(sample=1, seed=1, held_out=0.5).takes_all
