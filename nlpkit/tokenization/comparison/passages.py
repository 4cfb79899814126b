"""The passages of a corpus that cost a vocabulary most tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit.tokenization.comparison.figures import Passage

PASSAGE_BYTES = 256
"""Documents are looked at in stretches of this size, the last one up to twice as long."""
LEAST_BYTES = 128
"""Shorter documents are not looked at."""
MOST_PASSAGES = 3
"""For each vocabulary, of different scripts."""
LEAST_SHARE = 0.01
"""Of the text, for a script to count: every vocabulary does badly on those that it never met."""

_Numbers = npt.NDArray[np.uint64]


class WorstPassages:
    """For each vocabulary and script, the passage with fewest bytes a token so far."""

    def __init__(self, vocabularies: int) -> None:
        self._worst: list[dict[str, Passage]] = [{} for _ in range(vocabularies)]

    def add(
        self,
        texts: _core.TextBatch,
        sources: Sequence[str],
        of_run: _Numbers,
        script: _Numbers,
        run_ends: _Numbers,
        token_ends: Sequence[_Numbers],
    ) -> None:
        """Look at texts: the number and script of each run of theirs, where it ends, and where tokens end."""
        if not len(run_ends):
            return
        begins, ends, of_text, text_begins = _passages(of_run, run_ends)
        tokens = np.stack([_core.tokens_by_stretch(texts, of_one, ends)[0] for of_one in token_ends])
        scripts = _main_scripts(script, run_ends, ends)
        sizes = ends - begins
        for place, row in enumerate(tokens):
            ratios = np.where(sizes >= LEAST_BYTES, sizes / np.maximum(row, 1), np.inf)
            for number in np.unique(scripts[np.isfinite(ratios)]).tolist():
                at = int(np.argmin(np.where(scripts == number, ratios, np.inf)))
                name = _core.SCRIPTS[number]
                before = self._worst[place].get(name)
                if before is None or ratios[at] < _bytes_per_token(before, place):
                    begin, end = (int(edge - text_begins[at]) for edge in (begins[at], ends[at]))
                    text = texts.document(int(of_text[at]))[begin:end]
                    self._worst[place][name] = Passage(
                        source=sources[int(of_text[at])],
                        script=name,
                        text=text.decode("utf-8", "ignore"),  # less the characters cut at its ends
                        text_bytes=end - begin,
                        tokens=tokens[:, at].tolist(),
                    )

    def chosen(self, script_bytes: Mapping[str, int]) -> list[Passage]:
        """A few passages for each vocabulary, those with fewest bytes a token first.

        Args:
            script_bytes: how much text there is of each script; rare ones are left aside.
        """
        least = LEAST_SHARE * sum(script_bytes.values())
        chosen: dict[str, tuple[float, Passage]] = {}
        for place, worst in enumerate(self._worst):
            common = [passage for name, passage in worst.items() if script_bytes[name] >= least]
            common.sort(key=lambda passage: _bytes_per_token(passage, place))
            for passage in common[:MOST_PASSAGES]:
                ratio, before = chosen.get(passage.text, (np.inf, passage))
                worst_of = [*before.worst_of, place]
                ratio = min(ratio, _bytes_per_token(passage, place))
                chosen[passage.text] = (ratio, replace(before, worst_of=worst_of))
        return [passage for _, passage in sorted(chosen.values(), key=lambda item: item[0])]


def _bytes_per_token(passage: Passage, place: int) -> float:
    return passage.text_bytes / max(1, passage.tokens[place])


def _main_scripts(script: _Numbers, run_ends: _Numbers, ends: _Numbers) -> _Numbers:
    """The script that most bytes of each passage are of; the runs cover the same text."""
    edges = np.union1d(run_ends, ends)
    sizes = np.diff(edges, prepend=np.uint64(0))
    scripts = np.uint64(len(_core.SCRIPTS))
    keys = np.searchsorted(ends, edges).astype(np.uint64) * scripts + script[np.searchsorted(run_ends, edges)]
    kinds, kind = np.unique(keys, return_inverse=True)
    order = np.lexsort((np.bincount(kind, weights=sizes), kinds // scripts))
    last = np.flatnonzero(np.diff(kinds[order] // scripts, append=np.uint64(len(ends))))
    main: _Numbers = kinds[order][last] % scripts
    return main


def _passages(of_run: _Numbers, run_ends: _Numbers) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers]:
    """Where passages begin and end, the number of the text of each, and where that text begins."""
    last_runs = np.flatnonzero(np.diff(of_run, append=of_run[-1:] + np.uint64(1)))
    text_ends = run_ends[last_runs]
    text_begins = np.concatenate([np.zeros(1, np.uint64), text_ends[:-1]])
    pieces = np.maximum(1, (text_ends - text_begins) // PASSAGE_BYTES).astype(np.int64)
    text = np.repeat(np.arange(len(pieces)), pieces)
    piece = np.arange(len(text)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begins = text_begins[text] + (piece * PASSAGE_BYTES).astype(np.uint64)
    is_last = piece + 1 == pieces[text]
    ends = np.where(is_last, text_ends[text], begins + np.uint64(PASSAGE_BYTES))
    return begins, ends, of_run[last_runs][text], text_begins[text]
