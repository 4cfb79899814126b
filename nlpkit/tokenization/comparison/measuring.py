"""Encoding one corpus with several vocabularies, and counting what comes out."""

import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from nlpkit import _core
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import Document
from nlpkit.tokenization.comparison.figures import (
    UNSPACED_SCRIPTS,
    Comparison,
    TextFigures,
    VocabularyFigures,
    renyi_efficiency,
)
from nlpkit.tokenization.comparison.passages import WorstPassages
from nlpkit.tokenization.counting import batches, file_of
from nlpkit.tokenization.vocabulary import Vocabulary

_Numbers = npt.NDArray[np.uint64]
_TEXT_COLUMNS = 3  # bytes, characters, words; then tokens and uncovered of each vocabulary


def compare_vocabularies(
    vocabularies: Sequence[Vocabulary],
    corpus: Iterable[Document],
    *,
    names: Sequence[str] | None = None,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
) -> Comparison:
    """Encode a corpus with several vocabularies and compare.

    A token counts for the script in which it ends; `csrc/text/script_runs.hpp` says how text has scripts.

    Args:
        vocabularies: one or more.
        corpus: the documents, read once; those of one file are one source.
        names: what to call the vocabularies, instead of their own names.
        threads: 0 means all.
        progress: called with the phase "compare" and the bytes of text done.
    """
    names = [vocabulary.name for vocabulary in vocabularies] if names is None else names
    scales = [_Scale(name, vocabulary) for name, vocabulary in zip(names, vocabularies, strict=True)]
    sums = _Sums(_TEXT_COLUMNS + 2 * len(scales))
    passages = WorstPassages(len(scales))
    documents = done = 0
    for batch in batches(corpus):
        texts = _core.TextBatch()
        for document in batch:
            texts.append(document.text)
        of_run, script, ends, characters, words = _core.script_runs(texts, threads)
        columns = [np.diff(ends, prepend=np.uint64(0)), characters, words]
        token_ends = []
        for scale in scales:
            columns += scale.measure(texts, ends, threads)
            token_ends.append(scale.token_ends)
        sources = [file_of(document.source) for document in batch]
        sums.add(sources, of_run, script, columns)
        passages.add(texts, sources, of_run, script, ends, token_ends)
        documents += len(batch)
        done += texts.nbytes
        progress("compare", done, 0)
    figures = [scale.figures(sums, place) for place, scale in enumerate(scales)]
    script_bytes = {name: of_script.text_bytes for name, of_script in figures[0].scripts.items()}
    return Comparison(
        figures,
        _shared_tokens(vocabularies),
        passages.chosen(script_bytes),
        documents,
        _core.resolve_threads(threads),
    )


class _Scale:
    """One vocabulary, and what it has come to."""

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        self._name = name
        self._vocabulary = vocabulary
        self._counts = np.zeros(vocabulary.n_vocab, dtype=np.int64)
        self._seconds = self._cpu_seconds = 0.0
        self.token_ends: _Numbers = np.empty(0, dtype=np.uint64)

    def measure(self, texts: _core.TextBatch, run_ends: _Numbers, threads: int) -> list[_Numbers]:
        """Encode texts: the tokens, and what is not covered, of each run."""
        started, cpu_started = time.perf_counter(), time.process_time()
        ids = self._vocabulary.encode_documents(texts, threads=threads).ids
        self._seconds += time.perf_counter() - started
        self._cpu_seconds += time.process_time() - cpu_started
        self._counts += np.bincount(ids, minlength=len(self._counts))
        self.token_ends = self._vocabulary.token_ends(texts, ids)
        tokens, uncovered = _core.tokens_by_stretch(texts, self.token_ends, run_ends)
        unknown = self._vocabulary.unknown
        if unknown is not None:
            uncovered, _ = _core.tokens_by_stretch(texts, self.token_ends[ids == unknown], run_ends)
        return [tokens, uncovered]

    def figures(self, sums: "_Sums", place: int) -> VocabularyFigures:
        """The figures of this vocabulary, which is the one at `place` in the sums."""
        by_units = self._vocabulary.unknown is not None
        total = TextFigures()
        scripts: dict[str, TextFigures] = {}
        sources: dict[str, TextFigures] = {}
        for source, script, row in sums.rows():
            figures = _text_figures(script, row, place, by_units=by_units)
            for sum_up in (
                total,
                scripts.setdefault(script, TextFigures()),
                sources.setdefault(source, TextFigures()),
            ):
                sum_up.add(figures)
        used = np.flatnonzero(self._counts)
        return VocabularyFigures(
            name=self._name,
            kind="words" if by_units else "bpe",
            n_vocab=self._vocabulary.n_vocab,
            total=total,
            scripts=dict(sorted(scripts.items(), key=lambda item: -item[1].text_bytes)),
            sources=sources,
            token_lengths=self._token_lengths(used),
            used=len(used),
            renyi_efficiency=renyi_efficiency(self._counts),
            seconds=self._seconds,
            cpu_seconds=self._cpu_seconds,
        )

    def _token_lengths(self, used: npt.NDArray[np.int64]) -> list[int]:
        known = used[used != self._vocabulary.unknown] if self._vocabulary.unknown is not None else used
        lengths = [len(self._vocabulary.decode_single_token_bytes(token)) for token in known.tolist()]
        counts: list[int] = np.bincount(lengths, weights=self._counts[known]).astype(np.int64).tolist()
        return counts


class _Sums:
    """Numbers added up by source and script."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows: dict[tuple[str, int], npt.NDArray[np.int64]] = {}

    def add(
        self, sources: Sequence[str], of_run: _Numbers, script: _Numbers, columns: list[_Numbers]
    ) -> None:
        """Add what stands in the columns for each run of one script, given the text and script of each."""
        names = list(dict.fromkeys(sources))
        places = {name: place for place, name in enumerate(names)}
        of_text = np.array([places[source] for source in sources], dtype=np.uint64)
        keys = of_text[of_run] * np.uint64(len(_core.SCRIPTS)) + script
        kinds, kind = np.unique(keys, return_inverse=True)
        added = np.zeros((len(kinds), self._columns), dtype=np.int64)
        np.add.at(added, kind, np.stack(columns, axis=1).astype(np.int64))
        for key, row in zip(kinds.tolist(), added, strict=True):
            place, number = divmod(key, len(_core.SCRIPTS))
            before = self._rows.get((names[place], number))
            self._rows[names[place], number] = row if before is None else before + row

    def rows(self) -> Iterator[tuple[str, str, list[int]]]:
        """Source, script and numbers."""
        for (source, number), row in self._rows.items():
            yield source, _core.SCRIPTS[number], row.tolist()


def _text_figures(script: str, row: list[int], place: int, *, by_units: bool) -> TextFigures:
    text_bytes, characters, words = row[:_TEXT_COLUMNS]
    tokens, uncovered = row[_TEXT_COLUMNS + 2 * place :][:2]
    spaced = script not in UNSPACED_SCRIPTS
    return TextFigures(
        tokens=tokens,
        text_bytes=text_bytes,
        characters=characters,
        words=words if spaced else 0,
        word_tokens=tokens if spaced else 0,
        coverable=tokens if by_units else characters,
        uncovered=uncovered,
    )


def _shared_tokens(vocabularies: Sequence[Vocabulary]) -> list[list[int]]:
    """How many tokens each two have in common, special ones aside; on the diagonal, how many each has."""
    contents = [set(_contents(vocabulary)) for vocabulary in vocabularies]
    return [[len(one & other) for other in contents] for one in contents]


def _contents(vocabulary: Vocabulary) -> Iterator[bytes]:
    """The bytes of every id that stands for something and is not special."""
    for token in range(vocabulary.n_vocab):
        if vocabulary.is_special_token(token):
            continue
        try:
            yield vocabulary.decode_single_token_bytes(token)
        except KeyError:
            continue  # a gap
