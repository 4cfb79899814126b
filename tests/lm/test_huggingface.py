"""What `export_lm` writes, transformers loads, and `import_lm` what it writes: the same logits and ids."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError
from nlpkit.files import read_json, sha256_file, write_json
from nlpkit.lm import evaluate_lm, export_lm, generate, import_lm, load_run, train_lm
from nlpkit.lm.run import read_run_config
from nlpkit.lm.train import TrainSummary
from nlpkit.tokenization import Tokenizer, encode_corpus, load_vocabulary

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


# ====================
# Import
# ====================

MODELS: dict[str, dict[str, Any]] = {
    "gpt2": {"block": "gpt2"},
    "gpt2 untied": {"block": "gpt2", "tied": False},
    "llama": {"block": "llama", "n_kv_head": 2, "n_hidden": 44, "rope_base": 5e4, "tied": False},
    "llama tied": {"block": "llama", "norm_eps": 1e-6},
}


@pytest.fixture(scope="module", params=MODELS)
def exported(
    request: pytest.FixtureRequest, bpe_shards: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run and what was exported of it, as folder/run and folder/hf."""
    folder = tmp_path_factory.mktemp("exported")
    options = MODELS[request.param]
    train_lm(bpe_shards, folder / "run", preset="char-cpu", dropout=0.1, **{**SIZES, "steps": 2}, **options)
    export_lm(folder / "run", folder / "hf")
    return folder


@pytest.fixture(scope="module")
def gpt2(bpe_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model of the gpt2 block."""
    folder = tmp_path_factory.mktemp("gpt2")
    train_lm(bpe_shards, folder / "run", preset="char-cpu", block="gpt2", **{**SIZES, "steps": 1})
    export_lm(folder / "run", folder / "hf")
    return folder / "hf"


@pytest.fixture(scope="module")
def llama(bpe_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model of the llama block."""
    folder = tmp_path_factory.mktemp("llama")
    train_lm(bpe_shards, folder / "run", preset="char-cpu", block="llama", **{**SIZES, "steps": 1})
    export_lm(folder / "run", folder / "hf")
    return folder / "hf"


def test_what_was_exported_is_imported_as_it_was(exported: Path, tmp_path: Path) -> None:
    summary = import_lm(exported / "hf", tmp_path / "run")
    before, after = load_run(exported / "run"), load_run(tmp_path / "run")
    assert after.config.model.n_vocab == before.config.model.n_vocab == summary.n_vocab
    assert after.vocabulary.fingerprint == before.vocabulary.fingerprint
    ours, again = before.model.state_dict(), after.model.state_dict()
    assert ours.keys() == again.keys()
    assert all(torch.equal(ours[name], again[name]) for name in ours)
    assert summary.parameters == sum(p.numel() for p in after.model.parameters())
    assert summary.rows_left_out == 0
    export_lm(tmp_path / "run", tmp_path / "hf")
    for name in ("model.safetensors", "tokenizer.json"):
        assert sha256_file(tmp_path / "hf" / name) == sha256_file(exported / "hf" / name)


def test_an_imported_run_is_evaluated_written_with_and_not_resumed(
    gpt2: Path, bpe_shards: Path, tmp_path: Path
) -> None:
    import_lm(gpt2, tmp_path / "run")
    assert evaluate_lm(tmp_path / "run", bpe_shards) == evaluate_lm(gpt2.parent / "run", bpe_shards)
    written = ["".join(generate(run, "two", max_tokens=9)) for run in (tmp_path / "run", gpt2.parent / "run")]
    assert written[0] == written[1]
    with pytest.raises(UsageError, match=r"run was imported, not trained here: .*--init"):
        train_lm(bpe_shards, tmp_path / "run", resume=True)


@pytest.mark.parametrize("shards", ["whole", "in parts"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_that_transformers_saved_has_its_logits(
    gpt2: Path, tmp_path: Path, kind: str, dtype: str, shards: str
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    sizes = {"vocab_size": 288, "bos_token_id": None, "eos_token_id": None}  # 280 and some to fill up
    if kind == "gpt2":
        config = transformers.GPT2Config(n_positions=24, n_embd=32, n_layer=2, n_head=4, **sizes)
        theirs = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.LlamaConfig(
            hidden_size=32, intermediate_size=52, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=24, **sizes,
        )  # fmt: skip
        theirs = transformers.LlamaForCausalLM(config)
    theirs = theirs.to(getattr(torch, dtype)).eval()
    theirs.save_pretrained(tmp_path / "hf", max_shard_size="20KB" if shards == "in parts" else "5GB")
    assert (tmp_path / "hf" / "model.safetensors").exists() == (shards == "whole")
    shutil.copy(gpt2 / "tokenizer.json", tmp_path / "hf")
    summary = import_lm(tmp_path / "hf", tmp_path / "run")
    assert (summary.n_vocab, summary.rows_left_out, summary.context_length) == (280, 8, 24)
    ids = torch.randint(280, (2, 24))
    with torch.no_grad():
        expected = theirs.float()(ids).logits[..., :280]
        logits, _ = load_run(tmp_path / "run").model(ids)
    assert expected.std() > 0.05
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_files_of_the_bare_model_and_masks_are_read_too(gpt2: Path, tmp_path: Path) -> None:
    """As OpenAI's GPT-2 lies on the hub: no prefix, and each layer's causal mask."""
    hf = shutil.copytree(gpt2, tmp_path / "hf")
    tensors = {
        name.removeprefix("transformer."): tensor
        for name, tensor in load_file(hf / "model.safetensors").items()
    }
    tensors |= {f"h.{layer}.attn.bias": torch.ones(1, 1, 32, 32).tril() for layer in range(2)}
    save_file(tensors, hf / "model.safetensors")
    import_lm(hf, tmp_path / "run")
    ours = load_file(gpt2.parent / "run" / "model.safetensors")
    again = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(ours[name], again[name]) for name in ours)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (
            "gpt2",
            {"architectures": ["MambaForCausalLM"]},
            "names MambaForCausalLM: nlpkit imports GPT2LM",
        ),
        ("gpt2", {"architectures": None}, "names no architecture"),
        ("gpt2", {"activation_function": "relu"}, "activation_function = 'relu', which the gpt2 block does"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx = True"),
        ("gpt2", {"n_head": 5}, "n_head 5 does not divide n_embd 32"),
        ("gpt2", {"n_embd": "wide"}, "n_embd = 'wide', which is no whole number"),
        ("gpt2", {"vocab_size": 200}, "the vocabulary has 280 ids and the model of .* 200: bring"),
        ("llama", {"attention_bias": True}, "attention_bias = True"),
        ("llama", {"mlp_bias": True}, "mlp_bias = True"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act = 'gelu', which the llama block does not have"),
        ("llama", {"head_dim": 16}, "heads have a width of 16, not hidden_size / num_attention_heads = 8"),
        ("llama", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, r"rotary positions \(llama3\)"),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, r"positions \(yarn\)"),
        ("llama", {"hidden_size": None}, "lacks the key hidden_size: bring a whole config.json"),
    ],
)
def test_configs_that_cannot_be_represented_are_refused(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, changes: dict[str, Any], message: str
) -> None:
    hf = shutil.copytree(request.getfixturevalue(kind), tmp_path / "hf")
    fields = {**read_json(hf / "config.json"), **changes}
    write_json(hf / "config.json", {key: value for key, value in fields.items() if value is not None})
    with pytest.raises(UsageError, match=message):
        import_lm(hf, tmp_path / "run")
    assert not (tmp_path / "run").exists()


Tensors = dict[str, torch.Tensor]


def drop_a_layer(tensors: Tensors) -> None:
    del tensors["transformer.h.1.mlp.c_fc.weight"]


def add_a_bias(tensors: Tensors) -> None:
    tensors["transformer.h.0.attn.rotary.bias"] = torch.zeros(3)


def untie(tensors: Tensors) -> None:
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"] + 1


def cut_a_matrix(tensors: Tensors) -> None:
    tensors["transformer.wpe.weight"] = tensors["transformer.wpe.weight"][:5].clone()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (drop_a_layer, CorruptFileError, r"lacks the tensor transformer.h.1.mlp.c_fc.weight"),
        (add_a_bias, UsageError, r"holds 1 tensors that the gpt2 block does not have, such as .*rotary.bias"),
        (untie, UsageError, r"holds an lm_head.weight of its own, but config.json ties it"),
        (
            cut_a_matrix,
            CorruptFileError,
            r"wpe.weight in the shape \(5, 32\) where config.json asks for",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    gpt2: Path, tmp_path: Path, change: Callable[[Tensors], None], error: type[NlpkitError], message: str
) -> None:
    hf = shutil.copytree(gpt2, tmp_path / "hf")
    tensors = load_file(hf / "model.safetensors")
    change(tensors)
    save_file(tensors, hf / "model.safetensors")
    with pytest.raises(error, match=message):
        import_lm(hf, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_output_layer_that_repeats_the_embedding_is_tied(gpt2: Path, tmp_path: Path) -> None:
    hf = shutil.copytree(gpt2, tmp_path / "hf")
    tensors = load_file(hf / "model.safetensors")
    save_file(
        {**tensors, "lm_head.weight": tensors["transformer.wte.weight"].clone()}, hf / "model.safetensors"
    )
    import_lm(hf, tmp_path / "run")
    assert "head.weight" not in load_file(tmp_path / "run" / "model.safetensors")
    fields = read_json(hf / "config.json")
    write_json(hf / "config.json", {**fields, "tie_word_embeddings": False})
    import_lm(hf, tmp_path / "untied")
    assert "head.weight" in load_file(tmp_path / "untied" / "model.safetensors")
    save_file(tensors, hf / "model.safetensors")
    with pytest.raises(CorruptFileError, match=r"lacks the tensor lm_head\.weight"):
        import_lm(hf, tmp_path / "none")


def test_missing_and_damaged_files_are_named(gpt2: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config.json does not exist"):
        import_lm(tmp_path, tmp_path / "run")
    hf = shutil.copytree(gpt2, tmp_path / "hf")
    (hf / "model.safetensors").write_bytes((hf / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(CorruptFileError, match=r"model.safetensors is damaged"):
        import_lm(hf, tmp_path / "run")
    (hf / "model.safetensors").rename(hf / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"holds its weights as a pickle.*save_pretrained"):
        import_lm(hf, tmp_path / "run")
    (hf / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
    with pytest.raises(UsageError, match=r"pickle|part.safetensors does not exist"):
        import_lm(hf, tmp_path / "run")
    (hf / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match="holds no vocabulary that nlpkit knows"):
        import_lm(hf, tmp_path / "run")


# ====================
# Training on from weights
# ====================


def tune(shards: Path, out: Path, init: Path, **options: Any) -> TrainSummary:
    sizes = {"steps": 4, "batch_size": 4, "warmup": 0, "evaluate_every": 1, "save_every": 2}
    return train_lm(shards, out, **{**sizes, "init": init, **options})


def losses(run: Path) -> list[float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_training_goes_on_from_imported_weights(gpt2: Path, bpe_shards: Path, tmp_path: Path) -> None:
    import_lm(gpt2, tmp_path / "imported")
    before = evaluate_lm(tmp_path / "imported", bpe_shards).nats_per_token
    summary = tune(bpe_shards, tmp_path / "run", tmp_path / "imported", lr=1e-3)
    assert summary.nats_per_token is not None
    assert summary.nats_per_token < before - 0.01
    assert losses(tmp_path / "run")[0] == pytest.approx(before, abs=0.3)
    config = read_run_config(tmp_path / "run")
    assert config.model == read_run_config(tmp_path / "imported").model
    assert config.training is not None
    assert config.training.initial == sha256_file(tmp_path / "imported" / "model.safetensors")
    assert (config.training.plan.optimizer.optimizer, config.training.plan.loop.schedule) == (
        "adamw",
        "linear",
    )


def test_a_shorter_context_takes_the_first_positions(gpt2: Path, bpe_shards: Path, tmp_path: Path) -> None:
    import_lm(gpt2, tmp_path / "imported")
    tune(bpe_shards, tmp_path / "run", tmp_path / "imported", context_length=16, lr=1e-9)
    whole, cut = (load_file(tmp_path / run / "model.safetensors") for run in ("imported", "run"))
    torch.testing.assert_close(cut["positions.weight"], whole["positions.weight"][:16], rtol=0, atol=1e-7)
    with pytest.raises(UsageError, match="learned positions for 32 tokens: give at most that"):
        tune(bpe_shards, tmp_path / "longer", tmp_path / "imported", context_length=33)


def test_rotary_positions_take_any_context(llama: Path, bpe_shards: Path, tmp_path: Path) -> None:
    import_lm(llama, tmp_path / "imported")
    tune(bpe_shards, tmp_path / "run", tmp_path / "imported", context_length=48, steps=1)
    assert read_run_config(tmp_path / "run").model.context_length == 48


def test_weights_can_begin_a_recurrent_run_on_other_text(
    shards: Path, tiny_recurrent_run: Path, tmp_path: Path
) -> None:
    summary = tune(shards, tmp_path / "run", tiny_recurrent_run)
    assert summary.parameters == sum(p.numel() for p in load_run(tiny_recurrent_run).model.parameters())
    assert losses(tmp_path / "run")[0] < math.log(load_run(tmp_path / "run").vocabulary.n_vocab) - 0.1


def test_a_tuned_run_resumes_to_the_same_bits(gpt2: Path, bpe_shards: Path, tmp_path: Path) -> None:
    import_lm(gpt2, tmp_path / "imported")
    tune(bpe_shards, tmp_path / "whole", tmp_path / "imported")

    def interrupt(phase: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(bpe_shards, tmp_path / "run", tmp_path / "imported", progress=interrupt)
    tune(bpe_shards, tmp_path / "run", tmp_path / "imported", resume=True)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    whole, run = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "run"))
    assert all(torch.equal(whole[name], run[name]) for name in whole)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(UsageError, match=r"has no checkpoint yet, so it begins anew: give --init"):
        train_lm(bpe_shards, tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match=r"was not begun with the weights that are in .*whole now"):
        tune(bpe_shards, tmp_path / "run", tmp_path / "whole", resume=True)


def test_weights_that_do_not_belong_are_refused(
    gpt2: Path, bpe_shards: Path, shards: Path, tmp_path: Path
) -> None:
    import_lm(gpt2, tmp_path / "imported")
    ours = load_vocabulary(bpe_shards / "vocabulary").fingerprint[:12]
    theirs = load_vocabulary(shards / "vocabulary").fingerprint[:12]
    with pytest.raises(VocabularyMismatchError, match=f"vocabulary {theirs}.*{ours}"):
        tune(shards, tmp_path / "run", tmp_path / "imported")
    with pytest.raises(UsageError, match="of a model with n_layer 2, not 3: leave the option out"):
        tune(bpe_shards, tmp_path / "run", tmp_path / "imported", n_layer=3)
    with pytest.raises(UsageError, match="of a model with model transformer, not lstm"):
        tune(bpe_shards, tmp_path / "run", tmp_path / "imported", model="lstm")
    with pytest.raises(UsageError, match="--init brings a model with it: leave --depth out"):
        tune(bpe_shards, tmp_path / "run", tmp_path / "imported", depth=2)
    with pytest.raises(UsageError, match="holds no language model"):
        tune(bpe_shards, tmp_path / "run", tmp_path)
    assert not (tmp_path / "run").exists()
