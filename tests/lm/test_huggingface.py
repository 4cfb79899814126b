"""What `export_lm` writes, transformers loads: the same logits and the same ids."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nlpkit.errors import UsageError
from nlpkit.lm import export_lm, load_run, train_lm
from nlpkit.tokenization import Tokenizer, encode_corpus

TEXT = "One river runs to the sea, and two rivers run to the lake.\n" * 40
SIZES = {
    "n_layer": 2,
    "n_head": 4,
    "n_embd": 32,
    "context_length": 32,
    "batch_size": 4,
    "steps": 8,
    "warmup": 0,
}


class Document:
    text = TEXT
    source = "text"


@pytest.fixture(scope="module")
def bpe_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hf") / "shards"
    tokenizer = Tokenizer.train([TEXT], vocab_size=280)
    encode_corpus([Document()], tokenizer, out, split="tail")
    return out


@pytest.mark.parametrize(
    "options",
    [
        {"block": "gpt2"},
        {"block": "gpt2", "tied": False},
        {"block": "llama", "n_kv_head": 2, "n_hidden": 44, "rope_base": 5e4},
        {"block": "llama", "tied": False},
    ],
)
def test_transformers_gives_the_same_logits_and_ids(bpe_shards: Path, tmp_path: Path, options: Any) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    train_lm(bpe_shards, tmp_path / "run", preset="char-cpu", dropout=0.1, **SIZES, **options)
    export_lm(tmp_path / "run", tmp_path / "hf")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    ours = load_run(tmp_path / "run")
    ids = tokenizer("two rivers run to the sea", return_tensors="pt").input_ids
    assert ids[0].tolist() == ours.vocabulary.encode_ordinary("two rivers run to the sea")
    with torch.no_grad():
        expected, _ = ours.model(ids)
        logits = theirs(ids).logits
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": "modern"}, "kind block modern.*--block gpt2 or --block llama"),
        ({"block": "gpt2", "softcap": 15.0}, "bounds its logits .softcap 15.0."),
    ],
)
def test_what_transformers_does_not_have_is_refused(
    bpe_shards: Path, tmp_path: Path, options: Any, message: str
) -> None:
    train_lm(bpe_shards, tmp_path / "run", preset="char-cpu", **{**SIZES, "steps": 1}, **options)
    with pytest.raises(UsageError, match=message):
        export_lm(tmp_path / "run", tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_a_vocabulary_of_characters_is_refused(shards: Path, tmp_path: Path) -> None:
    train_lm(shards, tmp_path / "run", preset="char-cpu", block="gpt2", **{**SIZES, "steps": 1})
    with pytest.raises(UsageError, match="vocabulary of words"):
        export_lm(tmp_path / "run", tmp_path / "hf")
