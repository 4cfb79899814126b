"""Presets and the depth dial: they build, and they are what their sources say."""

from typing import Any, get_args

import pytest

from nlpkit.errors import UsageError
from nlpkit.lm.model import count_parameters
from nlpkit.lm.presets import (
    DEFAULT_PRESET,
    FINE_TUNING_PRESET,
    PRESETS,
    LmOptions,
    ModelName,
    plan_options,
    plan_training,
)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_plan_that_survives_its_options(preset: str) -> None:
    assert PRESETS[preset].keys() <= LmOptions.__annotations__.keys()
    plan = plan_training(preset, {}, n_vocab=4096)
    assert plan_training(preset, plan_options(plan), n_vocab=4096) == plan


def test_the_presets_taken_by_default_are_there() -> None:
    assert {DEFAULT_PRESET, FINE_TUNING_PRESET} <= PRESETS.keys()


PARAMETERS = [
    # OpenAI's gpt2 on the hub, with its biases and with tied weights
    ("gpt2-124m", 50_257, 124_439_808),
    # nanoGPT prints 0.80M: 12 · 4 · 128² + 65 · 128, and 9 · 128 gains of norms, which the modern block lacks
    ("char-cpu", 65, 794_752),
    ("char-laptop", 65, 12 * 6 * 192**2 + 65 * 192),
    # nanoGPT prints 10.65M: 12 · 6 · 384² + 65 · 384, and 13 · 384 gains
    ("char-gpu", 65, 10_641_792),
    # Two layers of 4 · (232 · 464 + 2 · 232), and the embedding
    ("char-lstm", 65, 879_976),
    # Zaremba et al. (2014) have 4.65 M: an output layer of its own (10,000 · 201) more
    ("ptb-small", 10_000, 4_653_200 - 10_000 * 201),
    # awd-lstm-lm prints 24,221,600 on Penn Treebank: biases of the output layer more
    ("awd-lstm", 10_000, 24_221_600 - 10_000),
    ("demo", 4096, 12 * 4 * 128**2 + 4096 * 128),
]


@pytest.mark.parametrize(("preset", "n_vocab", "parameters"), PARAMETERS)
def test_a_preset_has_as_many_parameters_as_its_source(preset: str, n_vocab: int, parameters: int) -> None:
    assert count_parameters(plan_training(preset, {}, n_vocab=n_vocab).model) == parameters


def test_every_preset_but_the_one_without_a_model_of_its_own_has_its_count() -> None:
    assert {preset for preset, *_ in PARAMETERS} == PRESETS.keys() - {FINE_TUNING_PRESET}


@pytest.mark.parametrize("model", get_args(ModelName))
def test_a_preset_of_another_model_gives_what_applies(model: str) -> None:
    plan = plan_training("char-cpu", {"model": model}, n_vocab=65)
    assert plan_options(plan)["n_layer"] == PRESETS["char-cpu"]["n_layer"]
    assert ("n_head" in plan_options(plan)) == (model == "transformer")


# ====================
# Depth
# ====================


def by_depth(depth: int, **options: Any) -> dict[str, Any]:
    return plan_options(plan_training(None, options, n_vocab=8192, depth=depth))


def test_depth_decides_the_model_and_its_training() -> None:
    two, four = by_depth(2), by_depth(4)
    for depth, options in ((2, two), (4, four)):
        assert (options["n_layer"], options["n_head"], options["n_embd"]) == (depth, depth, 64 * depth)
        weights = 12 * depth * (64 * depth) ** 2 + 8192 * 64 * depth
        tokens = options["steps"] * options["batch_size"] * options["context_length"]
        assert tokens == pytest.approx(12 * weights, rel=1e-3)
    assert four["lr"] == pytest.approx(two["lr"] / 2**0.5)
    assert four["muon_lr"] == two["muon_lr"]
    assert four["weight_decay"] == pytest.approx(two["weight_decay"] / 4)
    assert by_depth(12)["batch_size"] > two["batch_size"]


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 12, 20])
def test_every_depth_makes_a_plan(depth: int) -> None:
    options = by_depth(depth)
    assert options["batch_size"] & (options["batch_size"] - 1) == 0
    assert 0 < options["warmup"] < options["steps"]


def test_what_is_given_counts_in_the_rules() -> None:
    free = by_depth(2)
    assert by_depth(2, context_length=512)["batch_size"] == free["batch_size"] // 2
    assert by_depth(2, batch_size=2 * free["batch_size"])["steps"] == pytest.approx(free["steps"] / 2, abs=1)
    short = by_depth(2, steps=20)
    assert (short["warmup"], short["evaluate_every"]) == (2, 2)
    assert by_depth(2, block="llama", dropout=0.1)["dropout"] == 0.1


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        (0, {}, "--depth is 0: it must be at least 1"),
        (2, {"n_layer": 3}, "--depth 2 sets n_layer: leave one of the two options out"),
        (2, {"n_embd": 64}, "--depth 2 sets n_embd"),
        (2, {"model": "lstm"}, "--depth makes a Transformer, not a model lstm: choose a --preset"),
        (2, {"batch_size": 0}, "batch_size 0"),
        (2, {"n_head": 3}, "n_head 3 does not divide n_embd 128"),
    ],
)
def test_options_that_contradict_the_depth_are_refused(
    depth: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        plan_training(None, options, n_vocab=65, depth=depth)


def test_a_preset_and_a_depth_are_refused() -> None:
    with pytest.raises(UsageError, match="--depth 2 and --preset demo both say it all"):
        plan_training("demo", {}, n_vocab=65, depth=2)
