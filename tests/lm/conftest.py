"""Tiny models of every kind, a small corpus, and short runs on it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import torch

from nlpkit.lm.config import ModelConfig, RecurrentConfig, TransformerConfig
from nlpkit.lm.model import LanguageModel, build_model
from nlpkit.lm.presets import LmOptions
from nlpkit.lm.train import train_lm
from nlpkit.tokenization import WordVocabulary, encode_corpus

CONFIGS: dict[str, ModelConfig] = {
    "gpt2": TransformerConfig(17, context_length=12, block="gpt2", n_layer=2, n_head=2, n_embd=8),
    "llama": TransformerConfig(
        17, context_length=12, block="llama", n_layer=2, n_head=4, n_kv_head=2, n_embd=16, n_hidden=20
    ),
    "modern": TransformerConfig(17, context_length=12, n_layer=2, n_head=2, n_embd=8, softcap=15.0),
    "untied": TransformerConfig(17, context_length=12, n_layer=2, n_head=2, n_embd=8, tied=False),
    "lstm": RecurrentConfig(17, context_length=12, cell="lstm", n_layer=2, n_embd=8),
    "gru": RecurrentConfig(17, context_length=12, cell="gru", n_layer=3, n_embd=8, n_hidden=6),
    "rnn": RecurrentConfig(17, context_length=12, cell="rnn", n_layer=1, n_embd=8, tied=False),
}


@pytest.fixture(params=CONFIGS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_model() -> Callable[[str], LanguageModel]:
    """A model with weights of unit scale, so that no part of it is silent."""

    def make(kind: str) -> LanguageModel:
        torch.manual_seed(0)
        model = build_model(CONFIGS[kind])
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        return model.eval()

    return make


@dataclass(frozen=True)
class Document:
    text: str


def write_shards(out: Path, seed: int = 0, *, validation: float = 0.1) -> Path:
    """A character corpus with some structure to learn: counting in words, at random places."""
    random = Random(seed)
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    text = " ".join(words[(random.randrange(8) + i) % 8] for _ in range(300) for i in range(4)) + "\n"
    vocabulary = WordVocabulary.train([text], unit="character", min_count=1, name=f"letters {seed}")
    encode_corpus([Document(text)], vocabulary, out, validation=validation, split="tail")
    return out


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("shards") / "letters")


@pytest.fixture(scope="session")
def other_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same kind of text in another vocabulary."""
    text = "zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich\n" * 20
    out = tmp_path_factory.mktemp("shards") / "other"
    vocabulary = WordVocabulary.train([text], unit="character", min_count=1, name="other")
    encode_corpus([Document(text)], vocabulary, out, validation=0.1, split="tail")
    return out


TINY: dict[str, LmOptions] = {
    "transformer": LmOptions(
        model="transformer", n_layer=2, n_head=2, n_embd=16, context_length=16, batch_size=6, steps=12,
        warmup=2,
    ),
    "lstm": LmOptions(
        model="lstm", n_layer=2, n_embd=16, context_length=16, batch_size=6, steps=12, warmup=2,
    ),
}  # fmt: skip


@pytest.fixture(params=TINY)
def tiny(request: pytest.FixtureRequest) -> LmOptions:
    """Options of a run of a second."""
    return LmOptions(**TINY[request.param])


@pytest.fixture(scope="session")
def tiny_run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a Transformer."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train_lm(shards, out, preset="char-cpu", **TINY["transformer"])
    return out


@pytest.fixture(scope="session")
def tiny_recurrent_run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of an LSTM."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train_lm(shards, out, preset="char-cpu", **{**TINY["lstm"], "lr": 1e-2})  # type: ignore[typeddict-item]
    return out
