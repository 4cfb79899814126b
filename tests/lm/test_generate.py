"""Generation: cache equals recomputation, seeds repeat, text streams without broken characters."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nlpkit.errors import UsageError
from nlpkit.lm import LoadedRun, TransformerConfig, build_model, generate, load_run
from nlpkit.lm.generate import draw, generate_tokens
from nlpkit.lm.model import LanguageModel
from nlpkit.tokenization import Tokenizer, WordVocabulary

MODULE = sys.modules["nlpkit.lm.generate"]  # its function hides it in the package
MakeModel = Callable[[str], LanguageModel]


@torch.no_grad()
def test_greedy_tokens_equal_full_recomputation(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    text = [3, 1, 4]
    tokens = list(generate_tokens(model, text, max_tokens=9, temperature=0))
    for token in tokens:
        logits, _ = model(torch.tensor([text]))
        assert token == int(logits[0, -1].argmax())
        text.append(token)


@torch.no_grad()
def test_a_full_context_goes_on_from_its_last_half(make_model: MakeModel) -> None:
    model = make_model("gpt2")
    text = [index % 17 for index in range(20)]
    tokens = list(generate_tokens(model, text, max_tokens=20, temperature=0))
    window = text[-12:]
    for token in tokens:
        if len(window) > 12:
            window = window[-6:]
        assert token == int(model(torch.tensor([window]))[0][0, -1].argmax())
        window.append(token)


def test_a_seed_repeats_and_another_differs(tiny_run: Path) -> None:
    written = {seed: "".join(generate(tiny_run, "one t", max_tokens=40, seed=seed)) for seed in (1, 2)}
    assert written[1] == "".join(generate(tiny_run, "one t", max_tokens=40, seed=1))
    assert written[1] != written[2]
    assert 0 < len(written[1]) <= 40


def loaded(model: LanguageModel, vocabulary: Any, config: Any) -> LoadedRun:
    return LoadedRun(model, vocabulary, config)


def test_characters_of_several_tokens_come_out_whole(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = Tokenizer(
        "bytes",
        pat_str="gpt2",
        mergeable_ranks={bytes([b]): b for b in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )
    text = "a☕é日"
    script = [*text.encode(), 0xE6, 256, 0x61]  # half a character, the document's end, and one too many
    monkeypatch.setattr(MODULE, "generate_tokens", lambda *args, **kwargs: iter(script))
    model = build_model(TransformerConfig(257, n_layer=1, n_head=1, n_embd=2))
    pieces = list(generate(loaded(model, vocabulary, load_run(tiny_run).config), "x"))
    assert pieces == ["a", "☕", "é", "日", "�"]


def test_words_are_set_apart_by_spaces(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = WordVocabulary.train(["the cat sat"], unit="word", min_count=1)
    ids = vocabulary.encode_ordinary("cat sat the")
    monkeypatch.setattr(MODULE, "generate_tokens", lambda *args, **kwargs: iter(ids))
    model = build_model(TransformerConfig(9, n_layer=1, n_head=1, n_embd=2))
    run = loaded(model, vocabulary, load_run(tiny_run).config)
    assert "".join(generate(run, "the")) == " cat sat the"
    assert "".join(generate(run, "")) == "cat sat the"


def test_draws_follow_the_distribution_and_its_limits() -> None:
    logits = torch.tensor([1.0, 3.0, 2.0, 0.0])
    generator = torch.Generator().manual_seed(0)

    def shares(**options: Any) -> list[float]:
        drawn = [
            draw(logits, **{"temperature": 1.0, "top_k": 0, "top_p": 1.0, **options}, generator=generator)
            for _ in range(2000)
        ]
        return [drawn.count(id) / 2000 for id in range(4)]

    assert shares() == pytest.approx(torch.softmax(logits, 0).tolist(), abs=0.03)
    assert shares(temperature=0.5) == pytest.approx(torch.softmax(2 * logits, 0).tolist(), abs=0.03)
    assert shares(temperature=0) == [0, 1, 0, 0]
    assert shares(top_k=2) == pytest.approx([0, *torch.softmax(logits[1:3], 0).tolist(), 0], abs=0.03)
    assert shares(top_k=99) == pytest.approx(torch.softmax(logits, 0).tolist(), abs=0.03)
    assert shares(top_p=0.6) == [0, 1, 0, 0]  # the likeliest has 0.64 already
    assert shares(top_p=0.7) == pytest.approx([0, *torch.softmax(logits[1:3], 0).tolist(), 0], abs=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"max_tokens": -1}, "max_tokens is -1"),
    ],
)
def test_impossible_options_are_refused_at_once(tiny_run: Path, options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        generate(tiny_run, **options)


def test_nothing_to_begin_from_is_refused(tiny_run: Path) -> None:
    vocabulary = Tokenizer(
        "bytes", pat_str="gpt2", mergeable_ranks={bytes([b]): b for b in range(256)}, special_tokens={}
    )
    model = build_model(TransformerConfig(256, n_layer=1, n_head=1, n_embd=2))
    with pytest.raises(UsageError, match="give a prompt"):
        generate(loaded(model, vocabulary, load_run(tiny_run).config), "")


def test_no_tokens_are_no_text(tiny_run: Path) -> None:
    assert list(generate(tiny_run, "one", max_tokens=0)) == []


def test_ids_that_stand_for_nothing_are_never_drawn(tiny_run: Path) -> None:
    vocabulary = Tokenizer(
        "gap",
        pat_str="gpt2",
        mergeable_ranks={bytes([b]): b for b in range(256)},
        special_tokens={"<|endoftext|>": 300},
    )
    torch.manual_seed(0)
    model = build_model(TransformerConfig(301, n_layer=1, n_head=1, n_embd=2, context_length=200))
    model.embedding.weight.data[256:300] *= 1000
    run = loaded(model, vocabulary, load_run(tiny_run).config)
    assert len("".join(generate(run, "x", max_tokens=100, temperature=2.0))) > 0
