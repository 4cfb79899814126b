"""A map of words: near on it is near in meaning. A page to search and zoom in, or a picture."""

import importlib.resources
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.projection import clusters, flatten
from nlpkit.embeddings.search import nearest_rows, row_norms
from nlpkit.errors import UsageError
from nlpkit.files import atomic_file, write_text

NEAR = 8
"""Neighbours that the page lists for a word."""

CLUSTERS = 12
COLOURS = 12

FEWEST = 3
"""Words that make a map."""

LABELLED = 800
"""Words that a picture may name: the first ones, each where it touches none before it."""


class MapWord(NamedTuple):
    """A word on the map: places in [0, 1], a colour's number, how often it occurred (0 if unknown), and the
    places in the list of those nearest to it by cosine.
    """

    word: str
    x: float
    y: float
    cluster: int
    occurrences: int
    near: list[int]


def map_words(
    vectors: KeyedVectors, words: Sequence[str] | None = None, *, most: int = 1500, seed: int = 1
) -> tuple[list[MapWord], str]:
    """Where words lie, and how that was found.

    Args:
        vectors: the vectors.
        words: which to show; None shows the first `most` that are not white space alone or no UTF-8.
        most: how many.
        seed: fixes the map.

    Raises:
        UnknownWordError: one of `words` has no vector.
        UsageError: there are fewer than three.
    """
    if words is None:
        rows = [row for row, key in enumerate(vectors) if key.strip() and key.isprintable()][:most]
        words = [vectors.get_key(row) for row in rows]
    words = list(dict.fromkeys(words))
    table = vectors[words] if words else vectors.vectors  # an unknown word is named before their number
    if len(words) < FEWEST:
        raise UsageError(f"a map needs {FEWEST} words or more, not {len(words)}.")
    places, method = flatten(table, seed)
    colours = clusters(table, CLUSTERS, seed)
    near, _ = nearest_rows(table, row_norms(table), table, NEAR + 1)
    shown = []
    for i, word in enumerate(words):
        x, y = (round(float(place), 4) for place in places[i])
        others = [int(place) for place in near[i] if place != i][:NEAR]
        row = vectors.get_index(word, -1)
        count = 0 if vectors.counts is None or row < 0 else int(vectors.counts[row])
        shown.append(MapWord(word, x, y, colours[i], count, others))
    return shown, method


def draw_map(
    vectors: KeyedVectors,
    path: str | Path,
    words: Sequence[str] | None = None,
    *,
    most: int = 1500,
    seed: int = 1,
) -> int:
    """Write a map of words: .html is a page that needs nothing but itself, .png a picture.

    Arguments and errors as `map_words`'s. Returns how many words it shows.

    Raises:
        UsageError: the path ends in something else.
    """
    path = Path(path)
    if path.suffix not in (".html", ".png"):
        raise UsageError(f"{path}: give a name that ends in .html or .png.")
    shown, method = map_words(vectors, words, most=most, seed=seed)
    if path.suffix == ".html":
        write_text(path, _page(shown, method))
    else:
        _draw(shown, path)
    return len(shown)


def _page(shown: list[MapWord], method: str) -> str:
    import jinja2
    from markupsafe import Markup

    template = importlib.resources.files("nlpkit.embeddings") / "templates" / "word_map.html.j2"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    words = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    page = environment.from_string(template.read_text(encoding="utf-8"))
    return page.render(words=Markup(words), count=len(shown), method=method)


def _draw(shown: list[MapWord], path: Path) -> None:
    from matplotlib.colors import hsv_to_rgb
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    figure = Figure(figsize=(12, 9), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    palette = [hsv_to_rgb(((0.55 + i * 0.618) % 1, 0.65, 0.7)) for i in range(COLOURS)]
    colours = [palette[one.cluster % COLOURS] for one in shown]
    axes.scatter([one.x for one in shown], [one.y for one in shown], s=9, c=np.array(colours), linewidths=0)
    labels = [
        axes.annotate(
            one.word.strip().replace("$", r"\$"),
            (one.x, one.y),
            (3, 2),
            textcoords="offset points",
            fontsize=7,
            color=colour,
        )
        for one, colour in zip(shown[:LABELLED], colours, strict=False)
    ]
    axes.set_axis_off()
    figure.draw_without_rendering()  # settles where the labels are
    taken: list[Bbox] = []
    for label in labels:
        box = label.get_window_extent()
        label.set_visible(not box.count_overlaps(taken))
        taken += [box] if label.get_visible() else []
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
