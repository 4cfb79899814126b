from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlpkit.errors import UsageError
from nlpkit.pipeline.recipe import Recipe, load_recipe, parse_override
from nlpkit.pipeline.stage import Outcome, Stage


def stage(name: str, needs: tuple[str, ...] = (), **keys: Any) -> Stage:
    return Stage(name, lambda context: Outcome(""), keys, needs=needs)


STAGES = [
    stage("corpus", inputs=list[str], lines=bool),
    stage("tokenizer", needs=("corpus",), vocab_size=int, pattern=str),
    stage("lm", needs=("tokenizer",), steps=int, lr=float, seed=int),
]
GOOD = """
[lm]
steps = 5
lr = 1
[corpus]
inputs = ["a.txt"]
[tokenizer]
"""

Write = Callable[[str], Path]


def load(path: Path, **overrides: Any) -> Recipe:
    return load_recipe(path, overrides={k.replace("__", "."): v for k, v in overrides.items()}, stages=STAGES)


def message(write_recipe: Write, text: str, **overrides: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load(write_recipe(text), **overrides)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tables_come_in_the_order_in_which_they_run(write_recipe: Write) -> None:
    recipe = load(write_recipe(GOOD))
    assert list(recipe.tables) == ["corpus", "tokenizer", "lm"]
    assert recipe.tables["tokenizer"] == {}


def test_the_name_defaults_to_that_of_the_file(write_recipe: Write) -> None:
    assert load(write_recipe(GOOD)).name == "recipe"
    assert load(write_recipe('name = "mine"\n' + GOOD)).name == "mine"


def test_the_seed_goes_to_the_stages_that_take_one(write_recipe: Write) -> None:
    recipe = load(write_recipe("seed = 5\n" + GOOD))
    assert recipe.tables["lm"]["seed"] == 5
    assert "seed" not in recipe.tables["tokenizer"]
    assert load(write_recipe("seed = 5\n" + GOOD), lm__seed=9).tables["lm"]["seed"] == 9


def test_a_whole_number_passes_for_a_number_and_a_text_for_a_list(write_recipe: Write) -> None:
    recipe = load(write_recipe(GOOD), corpus__inputs="book.txt")
    assert recipe.tables["lm"]["lr"] == 1.0
    assert isinstance(recipe.tables["lm"]["lr"], float)
    assert recipe.tables["corpus"]["inputs"] == ["book.txt"]


def test_overrides_replace_and_add_keys(write_recipe: Write) -> None:
    recipe = load(write_recipe(GOOD), lm__steps=7, corpus__lines=True, seed=3)
    assert recipe.tables["lm"] == {"steps": 7, "lr": 1.0, "seed": 3}
    assert recipe.tables["corpus"]["lines"] is True


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml does not exist"):
        load(tmp_path / "none.toml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        load(tmp_path)


def test_bytes_that_are_no_text_are_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b"name = 'x'\n\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8 at byte 11"):
        load(tmp_path / "r.toml")


def test_a_syntax_error_names_file_and_line(write_recipe: Write) -> None:
    said = message(write_recipe, "[corpus]\ninputs = [\n'a'\n[lm\n")
    assert "recipe.toml is not valid TOML" in said
    assert "line 4" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[corpsu]", "there is no stage [corpsu]: did you mean corpus?"),
        ("[vision]", "there is no stage [vision]: known are corpus, tokenizer, lm."),
        ("seeed = 1\n" + GOOD, "unknown key seeed: did you mean seed?"),
        ("corpus = 1", "corpus is a stage: write it as a table, [corpus]."),
        ("", "it has no stage: add a table such as [corpus]."),
        ("[tokenizer]", "[tokenizer] builds on [corpus]: add that table."),
        (GOOD + "vocab_siz = 3", "[tokenizer] has no key vocab_siz: did you mean vocab_size?"),
        (GOOD + "vocab_size = '3'", "tokenizer.vocab_size takes a whole number, not '3'."),
        (GOOD + "vocab_size = true", "tokenizer.vocab_size takes a whole number, not True."),
        (GOOD + "vocab_size = 3.5", "tokenizer.vocab_size takes a whole number, not 3.5."),
        (GOOD + "pattern = 3", "tokenizer.pattern takes text in quotes, not 3."),
        ("[corpus]\nlines = 1", "corpus.lines takes true or false, not 1."),
        ("[corpus]\ninputs = [1]", "corpus.inputs takes a list of texts, not [1]."),
        ("seed = 'x'\n" + GOOD, "seed takes a whole number, not 'x'."),
        ("name = '../x'\n" + GOOD, "name = '../x' cannot name a folder: use letters, digits, - and _."),
    ],
)
def test_what_no_stage_knows_is_refused_in_one_sentence(write_recipe: Write, text: str, said: str) -> None:
    assert message(write_recipe, text).endswith(f"recipe.toml: {said}")


def test_wrong_overrides_are_refused(write_recipe: Write) -> None:
    assert "[lm] has no key step: did you mean steps?" in message(write_recipe, GOOD, lm__step=2)
    assert "has no stage [ml]: did you mean lm?" in message(write_recipe, GOOD, ml__steps=2)
    assert "--set lm: write it as --set STAGE.KEY=VALUE." in message(write_recipe, GOOD, lm=2)
    assert "has no key steps.more" in message(write_recipe, GOOD, lm__steps__more=2)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("lm.steps=200", "lm.steps", 200),
        ("lm.lr = 1e-3", "lm.lr", 0.001),
        ("lm.tied=true", "lm.tied", True),
        ('lm.model="lstm"', "lm.model", "lstm"),
        ("lm.model=lstm", "lm.model", "lstm"),
        ('corpus.inputs=["a b.txt", "c"]', "corpus.inputs", ["a b.txt", "c"]),
        ("corpus.inputs=texts/*.txt", "corpus.inputs", "texts/*.txt"),
        ("tokenizer.pattern=a=b", "tokenizer.pattern", "a=b"),
        ("lm.model=", "lm.model", None),
        ("lm.steps", "lm.steps", None),
        ("=3", "", None),
        ('corpus.inputs=["a"', "corpus.inputs", None),
        ("lm.steps=1\nseed=2", "lm.steps", None),
    ],
)
def test_overrides_are_read_as_toml_values_or_bare_text(text: str, key: str, value: Any) -> None:
    if value is None:
        with pytest.raises(UsageError, match="--set"):
            parse_override(text)
    else:
        assert parse_override(text) == (key, value)


@given(st.text(max_size=20))
def test_any_override_is_read_or_refused(text: str) -> None:
    try:
        key, _ = parse_override(text)
    except UsageError:
        return
    assert key == text.partition("=")[0].strip()
