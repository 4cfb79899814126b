"""Evaluation charges every token once, equals a recount by hand, and says how it was done."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlpkit.errors import UsageError, VocabularyMismatchError
from nlpkit.lm import TransformerConfig, build_model, evaluate_lm
from nlpkit.lm import evaluate as module
from nlpkit.lm.evaluate import evaluate_model
from nlpkit.lm.model import LanguageModel
from nlpkit.text import Document, ShardWriter, TokenShards
from nlpkit.tokenization import Tokenizer, WordVocabulary, encode_corpus

MakeModel = Callable[[str], LanguageModel]


def some_shards(folder: Path, tokens: int, text_bytes: int = 1000) -> TokenShards:
    ids = np.random.default_rng(0).integers(0, 17, tokens)
    with ShardWriter(folder, fingerprint="f", n_vocab=17, shard_tokens=10) as writer:
        writer.write(ids, [tokens], text_bytes)
    return TokenShards(folder)


def charge(model: LanguageModel, context: list[int], target: int) -> float:
    """The nats of one token after a context, the long way."""
    logits, _ = model(torch.tensor([context]))
    return -float(torch.log_softmax(logits[0, -1].double(), dim=-1)[target])


@pytest.mark.parametrize("document_end", [None, 3])
@pytest.mark.parametrize("stride", [12, 5, 1])
@pytest.mark.parametrize("tokens", [1, 8, 12, 13, 37])
@torch.no_grad()
def test_windows_charge_each_token_from_the_context_stated(
    make_model: MakeModel, tmp_path: Path, tokens: int, stride: int, document_end: int | None
) -> None:
    model = make_model("modern")
    shards = some_shards(tmp_path / "shards", tokens)
    text = [int(id) for id in shards.read(0, tokens)]
    before = [] if document_end is None else [document_end]
    sequence = before + text
    expected = math.log(17) if document_end is None else 0.0
    for at in range(1, len(sequence)):  # the windows of context 12 begin at the multiples of the stride
        window = 0 if at <= 12 else -(-(at - 12) // stride) * stride
        window = min(window, at - 1)
        expected += charge(model, sequence[window:at], sequence[at])
    result = evaluate_model(model, shards, document_end=document_end, stride=stride)
    assert result.nats == pytest.approx(expected, rel=1e-5)
    assert result.tokens == tokens
    assert result.nats_per_token == pytest.approx(expected / tokens, rel=1e-5)
    assert result.perplexity == pytest.approx(math.exp(expected / tokens), rel=1e-4)
    assert result.bits_per_byte == pytest.approx(expected / math.log(2) / 1000, rel=1e-5)
    assert result.protocol == f"windows of 12 tokens, {stride} apart"


@pytest.mark.parametrize("batch_tokens", [12, 24, 4096])
def test_windows_do_not_hang_on_the_batch(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_tokens: int
) -> None:
    model, shards = make_model("gpt2"), some_shards(tmp_path / "shards", 70)
    expected = evaluate_model(model, shards, document_end=3, stride=5).nats
    monkeypatch.setattr(module, "BATCH_TOKENS", batch_tokens)
    assert evaluate_model(model, shards, document_end=3, stride=5).nats == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("document_end", [None, 3])
@pytest.mark.parametrize("tokens", [1, 11, 100])
@torch.no_grad()
def test_one_lane_is_one_long_pass(
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    tokens: int,
    document_end: int | None,
) -> None:
    monkeypatch.setattr(module, "LANES", 1)
    model, shards = make_model(kind), some_shards(tmp_path / "shards", tokens)
    text = [int(id) for id in shards.read(0, tokens)]
    sequence = ([] if document_end is None else [document_end]) + text
    expected = math.log(17) if document_end is None else 0.0
    if len(sequence) > 1:
        nll, _ = model(torch.tensor([sequence[:-1]]), targets=torch.tensor([sequence[1:]]))
        expected += float(nll.double().sum())
    result = evaluate_model(model, shards, document_end=document_end)
    assert result.nats == pytest.approx(expected, rel=1e-5)
    assert result.protocol == "state carried from the first token to the last"


@pytest.mark.parametrize("tokens", [100, 101, 150, 211])
@torch.no_grad()
def test_lanes_charge_each_token_once_after_their_warm_up(
    make_model: MakeModel, tmp_path: Path, tokens: int
) -> None:
    model, shards = make_model("lstm"), some_shards(tmp_path / "shards", tokens)
    sequence = [3, *(int(id) for id in shards.read(0, tokens))]
    lanes = min(16, tokens // 13)
    lane = -(-tokens // lanes)
    expected = 0.0
    for start in range(0, tokens, lane):
        begin, end = max(0, start - 12), min(start + lane, tokens)
        nll, _ = model(
            torch.tensor([sequence[begin:end]]), targets=torch.tensor([sequence[begin + 1 : end + 1]])
        )
        expected += float(nll[0, start - begin :].double().sum())
    result = evaluate_model(model, shards, document_end=3)
    assert result.nats == pytest.approx(expected, rel=1e-5)
    assert f"{lanes} lanes, each but the first after 12 tokens" in result.protocol


def test_progress_counts_every_token(make_model: MakeModel, tmp_path: Path) -> None:
    for kind in ("modern", "lstm"):
        seen: list[tuple[str, int, int]] = []
        shards = some_shards(tmp_path / kind, 211)
        evaluate_model(
            make_model(kind), shards, document_end=3, progress=lambda *call, seen=seen: seen.append(call)
        )
        assert seen[-1] == ("evaluate", 211, 211)
        assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})


def test_bits_per_byte_are_over_the_raw_bytes_of_the_split(tiny_run: Path, shards: Path) -> None:
    result = evaluate_lm(tiny_run, shards)
    text = (shards / "validation" / "index.json").read_text()
    assert result.text_bytes == TokenShards(shards / "validation").index.text_bytes
    assert f'"text_bytes": {result.text_bytes}' in text
    assert result.bits_per_byte == pytest.approx(result.nats / math.log(2) / result.text_bytes, rel=1e-12)
    assert evaluate_lm(tiny_run, shards) == result
    train = evaluate_lm(tiny_run, shards, split="train")
    assert train.text_bytes > 5 * result.text_bytes


@pytest.mark.parametrize("kind", ["characters", "words", "byte pairs"])
def test_bits_per_byte_equal_a_recount_over_the_text(kind: str, tmp_path: Path) -> None:
    """Whatever the tokens are, also where they cut characters: all their nats over all the text's bytes."""
    text = "Boxkämpfer jagen Viktor, 日本語 und 😀, quer über den Sylter Deich.\n" * 30
    vocabulary: Any = {
        "characters": lambda: WordVocabulary.train([text], unit="character", min_count=1),
        "words": lambda: WordVocabulary.train([text], unit="word", min_count=1),
        "byte pairs": lambda: Tokenizer.train([text], vocab_size=290),
    }[kind]()
    encode_corpus([Document(text, "text")], vocabulary, tmp_path, validation=0.3, split="tail", eos=False)
    shards = TokenShards(tmp_path / "validation")
    config = TransformerConfig(vocabulary.n_vocab, context_length=16, n_layer=1, n_head=2, n_embd=8)
    torch.manual_seed(0)
    model = build_model(config).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    result = evaluate_model(model, shards, document_end=vocabulary.document_end)
    ids = shards.read(0, len(shards)).tolist()
    history = [vocabulary.document_end, *ids]
    nats = 0.0
    for begin in range(0, len(ids), 16):
        inputs = torch.tensor([history[begin : min(begin + 16, len(ids))]])
        log_probabilities = model(inputs)[0][0].log_softmax(-1)
        nats -= sum(log_probabilities[at, id].item() for at, id in enumerate(ids[begin : begin + 16]))
    held_out = text.encode()[-shards.index.text_bytes :]
    assert held_out.decode() in text
    assert result.bits_per_byte == pytest.approx(nats / math.log(2) / len(held_out), rel=1e-9)


def test_the_first_token_is_predicted_from_the_document_end(tmp_path: Path, make_model: MakeModel) -> None:
    """Documents of a byte vocabulary: nats over bytes, whatever the tokens split."""
    texts = ["naïve café ☕", "日本語のテキスト"]

    class Document:
        def __init__(self, text: str) -> None:
            self.text = text

    vocabulary = Tokenizer(
        "bytes",
        pat_str="gpt2",
        mergeable_ranks={bytes([b]): b for b in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )
    encode_corpus([Document(text) for text in texts], vocabulary, tmp_path / "shards", validation=0.0)
    shards = TokenShards(tmp_path / "shards" / "train")
    assert shards.index.text_bytes == sum(len(text.encode()) for text in texts)
    from nlpkit.lm import TransformerConfig, build_model

    torch.manual_seed(0)
    model = build_model(TransformerConfig(257, context_length=64, n_layer=1, n_head=1, n_embd=8)).eval()
    result = evaluate_model(model, shards, document_end=vocabulary.document_end)
    sequence = [256] + [id for text in texts for id in [*text.encode(), 256]]
    with torch.no_grad():
        expected = sum(charge(model, sequence[:at], sequence[at]) for at in range(1, len(sequence)))
    assert result.bits_per_byte == pytest.approx(expected / math.log(2) / shards.index.text_bytes, rel=1e-6)


def test_what_cannot_be_evaluated_is_refused(
    tiny_run: Path, shards: Path, other_shards: Path, make_model: MakeModel, tmp_path: Path
) -> None:
    with pytest.raises(VocabularyMismatchError, match="validation was encoded with vocabulary"):
        evaluate_lm(tiny_run, other_shards)
    with pytest.raises(UsageError, match="test is no shard folder"):
        evaluate_lm(tiny_run, shards, split="test")
    with pytest.raises(UsageError, match="stride is 17: it must lie in 1 to the context length, 16"):
        evaluate_lm(tiny_run, shards, stride=17)
    with pytest.raises(UsageError, match="stride is 0"):
        evaluate_lm(tiny_run, shards, stride=0)
    with pytest.raises(UsageError, match="it takes no stride"):
        evaluate_model(make_model("lstm"), some_shards(tmp_path / "a", 50), document_end=3, stride=4)
    with pytest.raises(UsageError, match="holds no text: encode the corpus with a larger --validation"):
        evaluate_model(make_model("lstm"), some_shards(tmp_path / "b", 0, 0), document_end=3)
