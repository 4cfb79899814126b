"""`train_lm`: it learns, it resumes to the same bits, it refuses what does not belong together."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError
from nlpkit.files import read_json, write_json
from nlpkit.lm import Verification, evaluate_lm, load_run, train_lm, verify_lm
from nlpkit.lm.estimate import PROCESS_BYTES, check_memory, estimate_training
from nlpkit.lm.model import build_model
from nlpkit.lm.presets import LmOptions, plan_training
from nlpkit.lm.run import read_run_config
from nlpkit.lm.task import LanguageModelTask
from nlpkit.text import ShardWriter, TokenShards
from nlpkit.tokenization import encode_corpus, load_vocabulary
from nlpkit.training.checkpoints import latest_checkpoint
from nlpkit.training.memory import LiveBytes
from nlpkit.training.metrics import read_metrics
from nlpkit.training.step import train_step


def losses(out: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(out / "metrics.jsonl")]


def last_weights(out: Path) -> dict[str, torch.Tensor]:
    path = latest_checkpoint(out / "checkpoints")
    assert path is not None
    return dict(load_file(path / "model.safetensors"))


def test_a_run_folder_holds_all_that_the_model_needs(tiny_run: Path, shards: Path) -> None:
    names = {path.name for path in tiny_run.iterdir()}
    assert names == {
        "config.json",
        "model.safetensors",
        "vocabulary",
        "metrics.jsonl",
        "curve.png",
        "checkpoints",
    }
    config = read_json(tiny_run / "config.json")
    assert config["vocabulary"] == read_json(shards / "train" / "index.json")["fingerprint"]
    assert {"nlpkit", "torch", "python"} <= config["versions"].keys()
    records = read_metrics(tiny_run / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, 13))
    assert {"loss", "lr", "gradient_norm", "tokens_per_second"} <= records[0].keys()
    assert {"validation_nats_per_token", "validation_bits_per_byte"} <= records[-1].keys()
    (checkpoint,) = (tiny_run / "checkpoints").iterdir()
    assert checkpoint.name == "step-00000012"


def test_summary_says_what_evaluation_says(shards: Path, tmp_path: Path, tiny: LmOptions) -> None:
    summary = train_lm(shards, tmp_path / "run", preset="char-cpu", **tiny)
    evaluation = evaluate_lm(tmp_path / "run", shards)
    assert summary.nats_per_token == pytest.approx(evaluation.nats_per_token, rel=1e-6)
    assert summary.bits_per_byte == pytest.approx(evaluation.bits_per_byte, rel=1e-6)
    assert (summary.steps, summary.best_step, summary.tokens) == (12, 12, 12 * 6 * 16)
    assert summary.parameters == sum(p.numel() for p in load_run(tmp_path / "run").model.parameters())


def test_it_learns_a_small_corpus_by_heart(shards: Path, tmp_path: Path, tiny: LmOptions) -> None:
    options = {**tiny, "steps": 300, "n_embd": 32, "lr": 1e-2, "batch_size": 4}
    by_heart = type("Document", (), {"text": "one two three four five six seven eight nine ten, " * 40})
    vocabulary = load_vocabulary(shards / "vocabulary")
    encode_corpus([by_heart()], vocabulary, tmp_path / "shards", split="tail")
    summary = train_lm(tmp_path / "shards", tmp_path / "run", preset="char-cpu", **options)  # type: ignore[typeddict-item]
    assert losses(tmp_path / "run")[0] > 2.4
    assert summary.bits_per_byte is not None
    assert summary.bits_per_byte < 0.35


@pytest.mark.parametrize("accumulation", [1, 3])
def test_an_interrupted_run_resumes_to_the_same_bits(
    shards: Path, tmp_path: Path, tiny: LmOptions, accumulation: int
) -> None:
    options: Any = {
        **tiny,
        "preset": "char-cpu",
        "accumulation": accumulation,
        "dropout": 0.1,
        "save_every": 5,
    }
    train_lm(shards, tmp_path / "whole", **options)

    def interrupt(phase: str, done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lm(shards, tmp_path / "run", **options, progress=interrupt)
    summary = train_lm(shards, tmp_path / "run", resume=True)
    assert summary.steps == 12
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    whole = last_weights(tmp_path / "whole")
    for name, tensor in last_weights(tmp_path / "run").items():
        assert torch.equal(tensor, whole[name]), name


@pytest.mark.parametrize(
    "options",
    [
        {"model": "rnn", "optimizer": "sgd", "lr": 0.5, "momentum": 0.9, "accumulation": 2},
        {"model": "gru", "optimizer": "adamw", "dropout": 0.1, "variational": True},
        {"model": "gru", "data": "windows", "weight_dropout": 0.1},
        {"n_head": 2, "data": "documents", "average": 0.9, "accumulation": 2},
        {"n_head": 2, "optimizer": "adamw", "recompute": "block", "dropout": 0.1},
    ],
    ids=str,
)
def test_a_run_stopped_twice_ends_in_the_same_bits(
    shards: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    common: Any = {
        "preset": "char-cpu", "n_layer": 2, "n_embd": 16, "context_length": 16, "batch_size": 6, "steps": 12,
        "warmup": 2, "save_every": 3, **options,
    }  # fmt: skip
    train_lm(shards, tmp_path / "whole", **common)
    for stop in (4, 8):

        def interrupt(phase: str, done: int, total: int, stop: int = stop) -> None:
            if done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_lm(shards, tmp_path / "run", resume=True, **common, progress=interrupt)
    train_lm(shards, tmp_path / "run", resume=True)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    whole = last_weights(tmp_path / "whole")
    for name, tensor in last_weights(tmp_path / "run").items():
        assert torch.equal(tensor, whole[name]), name


def test_parts_of_a_batch_do_not_change_the_step(shards: Path, tmp_path: Path, tiny: LmOptions) -> None:
    for parts in (1, 2, 6):
        train_lm(shards, tmp_path / str(parts), preset="char-cpu", **{**tiny, "accumulation": parts})  # type: ignore[typeddict-item]
    assert losses(tmp_path / "1") == pytest.approx(losses(tmp_path / "2"), rel=1e-4)
    assert losses(tmp_path / "1") == pytest.approx(losses(tmp_path / "6"), rel=1e-4)


def test_the_same_seed_trains_the_same_model(shards: Path, tmp_path: Path, tiny: LmOptions) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.rand(5)  # the caller's own draws have no part in it
        train_lm(shards, tmp_path / name, preset="char-cpu", seed=seed, **tiny)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert losses(tmp_path / "a")[0] != losses(tmp_path / "c")[0]


def test_resuming_a_finished_run_changes_nothing(tiny_run: Path, shards: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    summary = train_lm(shards, run, resume=True)
    assert summary.steps == 12
    assert losses(run) == losses(tiny_run)


def test_resume_begins_a_run_where_there_is_none(shards: Path, tmp_path: Path, tiny: LmOptions) -> None:
    assert train_lm(shards, tmp_path / "run", preset="char-cpu", resume=True, **tiny).steps == 12


def test_without_a_validation_split_the_last_weights_stay(
    shards: Path, tmp_path: Path, tiny: LmOptions
) -> None:
    for name in ("train", "vocabulary"):
        shutil.copytree(shards / name, tmp_path / "shards" / name)
    summary = train_lm(tmp_path / "shards", tmp_path / "run", preset="char-cpu", **tiny)
    assert (summary.nats_per_token, summary.bits_per_byte, summary.best_step) == (None, None, 12)
    assert (tmp_path / "run" / "model.safetensors").is_file()


# ====================
# What is refused
# ====================


def test_a_folder_with_something_in_it_is_not_overwritten(tiny_run: Path, shards: Path) -> None:
    with pytest.raises(UsageError, match="tiny is not empty: go on with its run by --resume"):
        train_lm(shards, tiny_run)


def test_resuming_with_other_options_is_refused(tiny_run: Path, shards: Path) -> None:
    with pytest.raises(UsageError, match="begun with n_layer 2, not 3"):
        train_lm(shards, tiny_run, resume=True, n_layer=3)
    with pytest.raises(UsageError, match="begun with seed 1, not 2"):
        train_lm(shards, tiny_run, resume=True, seed=2)
    with pytest.raises(UsageError, match=r"begun with .* not "):
        train_lm(shards, tiny_run, resume=True, preset="demo")


def test_resuming_with_another_vocabulary_is_refused(tiny_run: Path, other_shards: Path) -> None:
    ours = read_run_config(tiny_run).fingerprint[:12]
    theirs = read_json(other_shards / "train" / "index.json")["fingerprint"][:12]
    with pytest.raises(VocabularyMismatchError, match=f"vocabulary {theirs}.*{ours}"):
        train_lm(other_shards, tiny_run, resume=True)


def test_resuming_with_other_text_is_refused(tiny_run: Path, shards: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(shards, tmp_path / "shards")
    index = read_json(changed / "train" / "index.json")
    write_json(changed / "train" / "index.json", {**index, "text_bytes": index["text_bytes"] + 1})
    with pytest.raises(UsageError, match="was begun with other shards"):
        train_lm(changed, tiny_run, resume=True)


def test_splits_of_two_vocabularies_are_refused(shards: Path, other_shards: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(shards, tmp_path / "mixed")
    shutil.rmtree(mixed / "validation")
    shutil.copytree(other_shards / "validation", mixed / "validation")
    with pytest.raises(VocabularyMismatchError, match="validation was encoded with vocabulary"):
        train_lm(mixed, tmp_path / "run")
    shutil.rmtree(mixed / "validation")
    shutil.rmtree(mixed / "vocabulary")
    shutil.copytree(other_shards / "vocabulary", mixed / "vocabulary")
    with pytest.raises(VocabularyMismatchError, match="vocabulary is vocabulary"):
        train_lm(mixed, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_layers": 2}, "unknown key n_layers: did you mean n_layer?"),
        ({"model": "lstm", "n_head": 2}, "the option n_head does not apply to the model lstm"),
        ({"model": "lstn"}, "--model has the unknown key lstn: did you mean lstm?"),
        ({"preset": "char_cpu"}, "--preset has the unknown key char_cpu: did you mean char-cpu?"),
        ({"n_head": 3}, "n_head 3 does not divide n_embd"),
        ({"context_length": 10_000, "batch_size": 1}, "but one window takes 10001: lower --context-length"),
        ({"model": "gru", "batch_size": 1000}, "one window in each of 1000 rows takes"),
        ({"batch_size": 7, "accumulation": 2}, "accumulation 2 does not divide batch_size 7"),
        ({"steps": 0}, "steps is 0"),
        ({"lr": "fast"}, "lr = 'fast', which is no number"),
        ({"block": "llama3"}, "block = 'llama3', which is no 'gpt2' or 'llama' or 'modern'"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    shards: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        train_lm(shards, tmp_path / "run", **{"preset": "char-cpu", **options})
    assert not (tmp_path / "run").exists()


def test_an_empty_validation_split_is_refused(shards: Path, tmp_path: Path) -> None:
    data = shutil.copytree(shards, tmp_path / "shards")
    index = read_json(data / "train" / "index.json")
    shutil.rmtree(data / "validation")
    with ShardWriter(
        data / "validation", fingerprint=index["fingerprint"], n_vocab=index["n_vocab"]
    ) as writer:
        writer.write(np.empty(0, dtype=np.uint16), [], 0)
    with pytest.raises(UsageError, match="validation is empty: encode the corpus with a larger --validation"):
        train_lm(data, tmp_path / "run")


def test_shards_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train is no shard folder"):
        train_lm(tmp_path, tmp_path / "run")


# ====================
# Damaged runs
# ====================


def break_config(run: Path, change: dict[str, Any]) -> None:
    config = read_json(run / "config.json")
    write_json(run / "config.json", {**config, **change})


def test_damaged_runs_are_refused_by_name(tiny_run: Path, other_shards: Path, tmp_path: Path) -> None:
    def damaged() -> Path:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return shutil.copytree(tiny_run, tmp_path / "run")

    with pytest.raises(UsageError, match="holds no language model"):
        load_run(tmp_path)
    run = damaged()
    model = read_json(run / "config.json")["model"]
    break_config(run, {"model": {**model, "n_layerz": 3}})
    with pytest.raises(
        UsageError, match=r"config.json, model has the unknown key n_layerz: did you mean n_layer"
    ):
        load_run(run)
    break_config(damaged(), {"model": {**model, "kind": "mamba"}})
    with pytest.raises(CorruptFileError, match="names no kind of model"):
        load_run(run)
    break_config(damaged(), {"model": {**model, "n_embd": 32}})
    with pytest.raises(CorruptFileError, match=r"model.safetensors does not fit the model"):
        load_run(run)
    break_config(damaged(), {"format": "something"})
    with pytest.raises(CorruptFileError, match=r"is not the config.json of a language model"):
        load_run(run)
    (damaged() / "config.json").write_text("{")
    with pytest.raises(CorruptFileError, match=r"config.json is not valid JSON"):
        load_run(run)
    weights = damaged() / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CorruptFileError, match=r"model.safetensors is damaged"):
        load_run(run)
    (damaged() / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="has not come to its first evaluation"):
        load_run(run)
    shutil.rmtree(damaged() / "vocabulary")
    shutil.copytree(other_shards / "vocabulary", run / "vocabulary")
    with pytest.raises(VocabularyMismatchError, match="run/vocabulary is vocabulary"):
        load_run(run)


def test_a_config_without_a_key_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = read_json(run / "config.json")
    del config["batch_size"]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(CorruptFileError, match=r"config.json is damaged .at 'batch_size'."):
        load_run(run)


def test_a_loss_that_breaks_names_the_step(shards: Path, tmp_path: Path) -> None:
    options: Any = {"lr": 1e30, "optimizer": "adamw", "block": "gpt2", "warmup": 0, "clip": 0.0, "steps": 9}
    with pytest.raises(NlpkitError, match=r"became (nan|inf) at step \d+, on documents 0 of .*: lower --lr"):
        train_lm(shards, tmp_path / "run", preset="char-cpu", n_layer=1, n_embd=16, **options)


@pytest.mark.parametrize(
    "options",
    [{"average": 0.9}, {"data": "documents"}, {"model": "lstm"}, {"model": "gru", "data": "windows"}],
)
def test_a_run_is_verified_by_its_last_steps_and_a_changed_weight_is_seen(
    shards: Path, tmp_path: Path, options: Any
) -> None:
    run = tmp_path / "run"
    sizes = {"n_layer": 1, "n_embd": 16, "context_length": 16, "batch_size": 4, "steps": 9, "warmup": 2}
    train_lm(shards, run, preset="char-cpu", save_every=5, **sizes, **options)
    result = verify_lm(run, shards)
    assert result == Verification(6, 9, equal=True, loss_difference=0.0, weight_difference=0.0)
    newest = latest_checkpoint(run / "checkpoints")
    assert newest is not None
    weights = load_file(newest / "model.safetensors")
    weights["embedding.weight"][0, 0] += 1
    save_file(weights, newest / "model.safetensors")
    result = verify_lm(run, shards)
    assert not result.equal
    assert result.weight_difference == pytest.approx(1)


def test_verifying_wants_two_checkpoints(tiny_run: Path, shards: Path) -> None:
    with pytest.raises(UsageError, match=r"no two checkpoints.*--save-every"):
        verify_lm(tiny_run, shards)


# ====================
# Precision
# ====================


def test_bfloat16_learns_about_the_same_and_is_kept_at_resuming(
    shards: Path, tmp_path: Path, tiny: LmOptions
) -> None:
    full = train_lm(shards, tmp_path / "full", preset="char-cpu", dtype="float32", **tiny)
    half = train_lm(shards, tmp_path / "half", preset="char-cpu", dtype="bfloat16", **tiny)
    assert full.nats_per_token is not None
    assert half.nats_per_token is not None
    assert half.nats_per_token != full.nats_per_token
    assert half.nats_per_token == pytest.approx(full.nats_per_token, rel=0.03)
    assert read_run_config(tmp_path / "half").begun(tmp_path).dtype == "bfloat16"
    with pytest.raises(UsageError, match="was begun in bfloat16, not float32"):
        train_lm(shards, tmp_path / "half", resume=True, dtype="float32")
    train_lm(shards, tmp_path / "half", resume=True)


def test_streams_are_for_recurrent_models(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a Transformer has none: use windows"):
        train_lm(shards, tmp_path / "run", data="streams")


# ====================
# Memory
# ====================


@pytest.mark.parametrize("options", [{}, {"recompute": "block"}, {"accumulation": 3}, {"model": "lstm"}])
def test_the_estimate_is_what_a_step_takes(shards: Path, options: Any) -> None:
    data = TokenShards(shards / "train")
    values = {"n_layer": 3, "n_embd": 32, "context_length": 32, "batch_size": 12, **options}
    plan = plan_training("char-cpu", values, n_vocab=data.index.n_vocab)
    with LiveBytes() as count:
        model = build_model(plan.model)
        model.recompute = plan.recompute
        task = LanguageModelTask(model, plan, data, None, None)
        for step in range(2):
            train_step(task, plan.loop, step)
    estimate = estimate_training(plan, len(data))
    over = 1.35 if "model" in options else 1.05  # a recurrent model's is drawn out from two rows, upwards
    assert 0.99 < (estimate.memory_bytes - PROCESS_BYTES) / count.peak < over
    assert estimate.tokens_per_step == 12 * 32
    assert estimate.epochs == pytest.approx(2000 * 12 * 32 / len(data))
    assert estimate.parameters == sum(p.numel() for p in model.parameters())


def test_a_memory_budget_names_what_would_fit(shards: Path, tmp_path: Path) -> None:
    options: Any = {"batch_size": 16, "n_layer": 2, "n_embd": 32, "n_head": 2, "steps": 1}
    n_vocab = TokenShards(shards / "train").index.n_vocab
    plan = plan_training("char-cpu", options, n_vocab=n_vocab)
    needed = estimate_training(plan, 1000).memory_bytes
    check_memory(plan, 1000, needed)
    with pytest.raises(
        UsageError, match=r"takes about 0.\d\d GB, .* with --recompute selective it takes 0.\d\d GB"
    ):
        train_lm(shards, tmp_path / "run", memory=f"{needed - 1000}B", preset="char-cpu", **options)
    selective = plan_training("char-cpu", {**options, "recompute": "selective"}, n_vocab=n_vocab)
    below = estimate_training(selective, 1000).memory_bytes - 1000
    with pytest.raises(UsageError, match=r"with --accumulation \d+ it takes"):
        train_lm(shards, tmp_path / "run", memory=str(below), preset="char-cpu", **options)
    with pytest.raises(
        UsageError, match=r"and no less than 0.\d\d GB however it is split: take a smaller model"
    ):
        train_lm(shards, tmp_path / "run", memory="100MB", preset="char-cpu", **options)
    with pytest.raises(UsageError, match="'plenty' is no size"):
        train_lm(shards, tmp_path / "run", memory="plenty", preset="char-cpu", **options)
    assert not (tmp_path / "run").exists()


def test_selective_recomputation_is_for_attention(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a recurrent model has none: use block"):
        train_lm(shards, tmp_path / "run", model="lstm", recompute="selective")
