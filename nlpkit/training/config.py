"""Reading a frozen config dataclass from a file or from options, refusing what it does not know."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from nlpkit.errors import NlpkitError, UsageError

Config = TypeVar("Config")


def refuse_unknown(given: Iterable[str], known: Iterable[str], source: str) -> None:
    """Raise a `UsageError` that names the closest known key when one of `given` is not known."""
    known = list(known)
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(known)}."
            raise UsageError(f"{source} has the unknown key {key}: {hint}")


def config_from(kind: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """A `kind` (a dataclass) from plain values.

    Raises:
        UsageError: a key is unknown (the closest is named) or missing, or a value has the wrong type or is
            outside what the config's own checks allow; `source` begins the sentence.
    """
    hints = get_type_hints(kind)
    parameters = fields(kind)  # type: ignore[arg-type]
    refuse_unknown(values, [field.name for field in parameters], source)
    for field in parameters:
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise UsageError(f"{source} lacks the key {field.name}.")
    for key, value in values.items():
        if not _fits(value, hints[key]):
            raise UsageError(f"{source} has {key} = {value!r}, which is no {_type_name(hints[key])}.")
    try:
        return kind(**values)
    except NlpkitError as error:
        raise UsageError(f"{source}: {error}") from error


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is not None:
        return any(
            value == choice if not isinstance(choice, type) else _fits(value, choice)
            for choice in get_args(kind)
        )
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _type_name(kind: Any) -> str:
    choices = get_args(kind)
    if choices:
        return " or ".join(
            _type_name(choice) if isinstance(choice, type) else repr(choice) for choice in choices
        )
    return {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "null"}.get(
        kind, str(kind)
    )
