"""A recipe's keys are the keyword parameters of the library functions: names and types, nothing more."""

import inspect
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from nlpkit.embeddings import train_word2vec
from nlpkit.errors import UsageError
from nlpkit.lm import LmOptions, evaluate_lm, generate, train_lm
from nlpkit.pipeline.recipe import check_recipe, read_toml
from nlpkit.pipeline.report.figures import collect_figures
from nlpkit.pipeline.stages import STAGES, demo_recipe
from nlpkit.text import Corpus
from nlpkit.tokenization import Tokenizer, WordVocabulary, encode_corpus

BY_NAME = {stage.name: stage for stage in STAGES}
GIVEN = {
    "progress",
    "threads",
    "shards",
    "out",
    "resume",
    "log",
    "describe",
    "init",
    "run",
    "prompt",
    "split",
    "stages",
    "corpus",
}
"""What the pipeline gives itself, where a stage does not take it as a key."""


def key_type(annotation: Any) -> Any:
    """The type that a recipe gives for a parameter's annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return key_type(next(part for part in arguments if part not in (type(None), Any)))
    if origin is Literal:
        return type(arguments[0])
    if origin in (list, Sequence):
        return list[str]
    return annotation


def parameters(function: Any) -> dict[str, Any]:
    hints = get_type_hints(function)
    return {
        name: key_type(hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "documents", "vocabulary", "options")
        and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
    }


LM_OPTIONS = {name: key_type(kind) for name, kind in get_type_hints(LmOptions).items()}


@pytest.mark.parametrize(
    ("stage", "taken"),
    [
        ("corpus", parameters(Corpus.__init__)),
        ("tokenizer", parameters(Tokenizer.train)),
        ("shards", parameters(encode_corpus)),
        ("words", parameters(WordVocabulary.train)),
        ("embeddings", parameters(train_word2vec)),
        ("lm", parameters(train_lm) | LM_OPTIONS),
        ("evaluate", parameters(evaluate_lm)),
        ("generate", parameters(generate) | {"prompts": list[str]}),
        ("report", parameters(collect_figures)),
    ],
)
def test_keys_are_the_parameters_of_the_function(stage: str, taken: dict[str, Any]) -> None:
    keys = dict(BY_NAME[stage].keys)
    assert keys == {name: kind for name, kind in taken.items() if name in keys or name not in GIVEN}


def test_required_keys_are_keys_and_needs_come_before() -> None:
    seen: set[str] = set()
    for stage in STAGES:
        assert set(stage.required) <= set(stage.keys)
        assert {*stage.needs, *stage.uses} <= seen
        seen.add(stage.name)


def test_the_demo_is_a_valid_recipe_of_every_stage() -> None:
    recipe = check_recipe(read_toml(demo_recipe()), source="demo.toml", overrides={}, stages=STAGES)
    assert recipe.name == "demo"
    assert list(recipe.tables) == list(BY_NAME)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"corpus": {}}, r"\[corpus\] needs the key inputs"),
        ({"corpus": {"inputs": ["x"]}, "tokenizer": {}}, r"\[tokenizer\] needs the key vocab_size"),
        ({"corpus": {"inputs": ["x"]}, "lm": {}}, r"\[lm\] builds on \[shards\]: add that table"),
    ],
)
def test_what_a_recipe_lacks_is_named(content: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_recipe(content, source="r.toml", overrides={}, stages=STAGES)


def test_standard_input_is_no_corpus_for_a_recipe() -> None:
    reads = BY_NAME["corpus"].reads
    assert reads is not None
    with pytest.raises(UsageError, match="save standard input to a file first"):
        reads({"inputs": ["-"]})
