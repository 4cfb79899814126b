"""Recipes: TOML files whose tables are stages and whose keys are the flags of the matching command.

    name = "demo"
    seed = 1

    [corpus]
    inputs = ["corpus:python-docs"]

    [tokenizer]
    vocab_size = 4096

A table without keys (`[shards]`) runs its stage with the library's defaults; a stage without a table is not
run. `seed` goes to every stage that takes one and does not set its own. Paths are relative to the working
folder, as on the command line.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.errors import UsageError
from nlpkit.pipeline.stage import KeyType, Stage

DEFAULT_SEED = 1

_TOP_LEVEL: Mapping[str, KeyType] = {"name": str, "seed": int}
_SPOKEN: Mapping[KeyType, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text in quotes",
    list[str]: "a list of texts",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checked recipe: the parameters of each stage, stages in the order in which they run."""

    name: str
    seed: int
    tables: Mapping[str, Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """The recipe as `run.json` keeps it, overrides included."""
        return {"name": self.name, "seed": self.seed, **{k: dict(v) for k, v in self.tables.items()}}


def load_recipe(path: Path, *, overrides: Mapping[str, Any] | None = None, stages: Sequence[Stage]) -> Recipe:
    """Read a recipe, apply `overrides` (dotted key → value), and check every name and type.

    Raises:
        UsageError: the file cannot be read, is not TOML, or asks for what no stage knows.
    """
    return check_recipe(read_toml(path), source=str(path), overrides=overrides or {}, stages=stages)


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file; whatever keeps it from being read is a `UsageError` naming the line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path} does not exist: check the path of the recipe.") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path} is a folder: name the recipe, a .toml file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 at byte {error.start}: is it a recipe?") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error


def check_recipe(
    content: Mapping[str, Any], *, source: str, overrides: Mapping[str, Any], stages: Sequence[Stage]
) -> Recipe:
    """Turn a TOML table into a `Recipe`; `source` names it in messages."""
    by_name = {stage.name: stage for stage in stages}
    tables, top = _split(content, by_name, source)
    for key, value in overrides.items():
        _override(tables, top, key, value, source)
    top = {key: _typed(f"{source}: {key}", value, _TOP_LEVEL[key]) for key, value in top.items()}
    if not tables:
        raise UsageError(f"{source}: it has no stage: add a table such as [{stages[0].name}].")
    seed = top.get("seed", DEFAULT_SEED)
    checked = {
        name: _check_table(stage, tables, seed, source) for name, stage in by_name.items() if name in tables
    }
    return Recipe(name=_check_name(top.get("name", Path(source).stem), source), seed=seed, tables=checked)


def parse_override(text: str) -> tuple[str, Any]:
    """`lm.steps=200` as ("lm.steps", 200).

    The value is read as TOML; what is no TOML value and does not begin like a quoted one is text as it
    stands, so that `--set lm.model=lstm` needs no quotes inside quotes.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key or "\n" in value:
        raise UsageError(f"--set {text}: write it as --set STAGE.KEY=VALUE.")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        if not value or value[0] in "[{\"'":
            raise UsageError(f"--set {text}: the value is not valid TOML: {error}.") from error
        return key, value


def closest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses `name`: the closest of `known`, or all of them."""
    known = list(known)
    if match := difflib.get_close_matches(name, known, n=1, cutoff=0.5):
        return f"did you mean {match[0]}?"
    return f"known are {', '.join(known)}." if known else "it takes none."


def _split(
    content: Mapping[str, Any], by_name: Mapping[str, Stage], source: str
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Separate the stages' tables from the keys above them."""
    tables: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    for key, value in content.items():
        if key in by_name:
            if not isinstance(value, dict):
                raise UsageError(f"{source}: {key} is a stage: write it as a table, [{key}].")
            tables[key] = dict(value)
        elif key in _TOP_LEVEL:
            top[key] = value
        elif isinstance(value, dict):
            raise UsageError(f"{source}: there is no stage [{key}]: {closest(key, by_name)}")
        else:
            raise UsageError(f"{source}: unknown key {key}: {closest(key, _TOP_LEVEL)}")
    return tables, top


def _override(
    tables: dict[str, dict[str, Any]], top: dict[str, Any], key: str, value: Any, source: str
) -> None:
    table, dot, name = key.partition(".")
    if not dot:
        if key not in _TOP_LEVEL:
            raise UsageError(f"--set {key}: write it as --set STAGE.KEY=VALUE.")
        top[key] = value
    elif table not in tables:
        raise UsageError(f"--set {key}: {source} has no stage [{table}]: {closest(table, tables)}")
    else:
        tables[table][name] = value


def _check_table(
    stage: Stage, tables: Mapping[str, Mapping[str, Any]], seed: int, source: str
) -> dict[str, Any]:
    if missing := [need for need in stage.needs if need not in tables]:
        raise UsageError(f"{source}: [{stage.name}] builds on [{missing[0]}]: add that table.")
    for key in stage.required:
        if key not in tables[stage.name]:
            raise UsageError(f"{source}: [{stage.name}] needs the key {key}.")
    parameters: dict[str, Any] = {"seed": seed} if "seed" in stage.keys else {}
    for key, value in tables[stage.name].items():
        if key not in stage.keys:
            raise UsageError(f"{source}: [{stage.name}] has no key {key}: {closest(key, stage.keys)}")
        parameters[key] = _typed(f"{source}: {stage.name}.{key}", value, stage.keys[key])
    return parameters


def _typed(place: str, value: Any, kind: KeyType) -> Any:
    """`value` as `kind`: whole numbers pass for numbers and one text for a list of one."""
    if kind is float and type(value) is int:
        return float(value)
    if kind == list[str]:
        values = [value] if isinstance(value, str) else value
        if isinstance(values, list) and all(isinstance(item, str) for item in values):
            return values
    elif type(value) is kind:
        return value
    raise UsageError(f"{place} takes {_SPOKEN[kind]}, not {value!r}.")


def _check_name(name: str, source: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"{source}: name = {name!r} cannot name a folder: use letters, digits, - and _.")
    return name
