"""`report.html`: one page that needs nothing but itself, made from `run.json` and `report/figures.json`."""

import base64
import importlib.resources
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.files import read_json, write_text
from nlpkit.pipeline.next_steps import next_commands
from nlpkit.pipeline.report.charts import length_histogram, loss_chart
from nlpkit.pipeline.report.word_map import label_width, visible_labels
from nlpkit.pipeline.wording import counted, duration, input_name, number, percent, sentence, size, toml_value

if TYPE_CHECKING:
    from markupsafe import Markup

PAGE = "report.html"
FIGURES = "figures.json"
MAP_WIDTH, MAP_HEIGHT = 1080, 760
MARKS = {" ": "·", "\n": "↵", "\t": "→", "\r": "␍", "\u00a0": "⍽"}
SECTIONS = ("corpus", "tokens", "words", "model", "evaluation", "compressors", "generated")
"""What `figures.json` may hold: a recipe without a stage lacks its part."""


def publish_report(out: Path) -> None:
    """Write `report.html` into a run folder; a page that is already so stays untouched."""
    page = render_report(read_json(out / "run.json"), read_json(out / "report" / FIGURES))
    path = out / PAGE
    if not (path.is_file() and path.read_text(encoding="utf-8") == page):
        write_text(path, page)


def render_report(run: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The page as text.

    Args:
        run: the content of `run.json`.
        figures: the content of `report/figures.json`; what it lacks, the page leaves out.
    """
    import jinja2

    templates = importlib.resources.files("nlpkit.pipeline.report") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    figures = dict.fromkeys(SECTIONS) | dict(figures)
    comparison = _comparison(figures)
    return environment.get_template("report.html.j2").render(
        run=run,
        figures=figures,
        charts=_charts(figures),
        map_width=MAP_WIDTH,
        map_height=MAP_HEIGHT,
        comparison=comparison,
        shown="validation" if figures["tokens"] and figures["tokens"]["held_out"] else "train",
        worst=max((value for _, value in comparison), default=1.0),
        longest=max(stage["seconds"] for stage in run["stages"].values()) or 1.0,
        lede=_lede(run, figures),
        seeds=_seeds(run["recipe"]),
        recipe=_recipe_text(run["recipe"]),
        commands=next_commands(run),
        finished=max(stage["finished"] for stage in run["stages"].values())[:16].replace("T", " "),
        icon=_icon((templates / "icon.svg").read_bytes()),
    )


def visible(token: Mapping[str, Any]) -> "Markup":
    """A token's text with its white space made visible; a line break also breaks the line.

    A token that is a part of a character appears as its bytes.
    """
    from markupsafe import Markup, escape

    if token["text"] is None:
        return Markup("<i>{}</i>").format(token["bytes"].replace(" ", ""))
    parts = []
    for char in token["text"]:
        mark = MARKS.get(char) or ("" if char.isprintable() else f"{ord(char):02x}")
        parts.append(Markup("<i>{}</i>").format(mark) if mark else escape(char))
        if char == "\n":
            parts.append(Markup("\n"))
    return Markup("").join(parts)


def _unbroken(text: str) -> str:
    """A figure and its unit, kept on one line."""
    return text.replace(" ", "\u00a0")


FILTERS: Mapping[str, Callable[..., str]] = {
    "size": lambda count: _unbroken(size(count)),
    "counted": counted,
    "duration": lambda seconds: _unbroken(duration(seconds)),
    "number": number,
    "percent": percent,
    "sentence": sentence,
    "visible": visible,
}


def _lede(run: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The page's first sentence: what was made, from what, in which time."""
    made = []
    if tokens := figures["tokens"]:
        made.append(f"a tokenizer of {tokens['n_vocab']:,} tokens")
    if words := figures["words"]:
        made.append(f"vectors for {words['words']:,} words")
    if model := figures["model"]:
        made.append(f"a language model of {number(model['parameters'])} parameters")
    listed = " and ".join([", ".join(made[:-1]), made[-1]] if len(made) > 1 else made) or "a look at a corpus"
    source = f", made from {_unbroken(size(figures['corpus']['bytes']))} of text" if figures["corpus"] else ""
    return f"{sentence(listed)}{source} in {_unbroken(duration(run['seconds']))}."


def _comparison(figures: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Bits per byte of the model and of the compressors, by name, the best first."""
    if not figures["evaluation"]:
        return []
    others = {name.replace("-", "−"): value for name, value in (figures["compressors"] or {}).items()}
    values = [("this model", figures["evaluation"]["bits_per_byte"]), *others.items()]
    return sorted(values, key=lambda item: item[1])


def _seeds(recipe: Mapping[str, Any]) -> list[tuple[str, int]]:
    tables = {name: value for name, value in recipe.items() if isinstance(value, dict)}
    return [(name, table["seed"]) for name, table in tables.items() if "seed" in table]


def _recipe_text(recipe: Mapping[str, Any]) -> str:
    """The recipe as TOML, inputs without the folders that they lie in."""
    lines = []
    for key, value in recipe.items():
        if isinstance(value, dict):
            shown = value | {"inputs": list(map(input_name, value["inputs"]))} if key == "corpus" else value
            lines += ["", f"[{key}]", *(f"{name} = {toml_value(given)}" for name, given in shown.items())]
        else:
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines)


def _charts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The geometry of every chart that the figures allow."""
    charts: dict[str, Any] = {}
    if tokens := figures.get("tokens"):
        charts["lengths"] = length_histogram(tokens["text_lengths"], tokens["vocabulary_lengths"])
    if model := figures.get("model"):
        levels = [
            (name.replace("-", "−"), value) for name, value in (figures.get("compressors") or {}).items()
        ]
        charts["loss"] = loss_chart(model["train_curve"], model["validation_curve"], levels)
    if (words := figures.get("words")) and words["map"]:
        charts["map"] = _map(words["map"])
    return charts


def _map(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Words with their place, size and whether their label fits; points come by falling count."""
    most = points[0]["count"] or 1
    placed, boxes = [], []
    for point in points:
        font = round(11 + 7 * (point["count"] / most) ** 0.35, 1)
        x, y = 60 + point["x"] * (MAP_WIDTH - 120), 24 + point["y"] * (MAP_HEIGHT - 48)
        half, rise = label_width(point["word"], font) / 2, font * 0.55
        boxes.append((x - half, y - rise, x + half, y + rise))
        placed.append({**point, "font": font, "x": round(x, 1), "y": round(y, 1)})
    return [{**point, "visible": shown} for point, shown in zip(placed, visible_labels(boxes), strict=True)]


def _icon(svg: bytes) -> str:
    """The page's icon as a data URI, so that the browser asks for none."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
