"""How good vectors are: analogies (Mikolov et al. 2013) and rank correlation with human similarity scores.

Both follow gensim's conventions, so that its figures compare: the most frequent words only, upper and lower
case alike, questions with an unknown word left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from nlpkit.embeddings.search import Table, Vector, unit, unit_rows
from nlpkit.errors import CorruptFileError, UsageError

Question: TypeAlias = tuple[str, ...]


class VectorTable(Protocol):
    """What is asked of vectors: `KeyedVectors`."""

    vectors: Table  # (rows, dim)
    norms: Vector  # (rows,)

    def get_key(self, row: int) -> str:
        """The word of a row."""
        ...

    def has_index_for(self, key: str) -> bool:
        """Whether the word has a row."""
        ...

    def get_vector(self, key: str) -> Vector:
        """The vector of a word."""
        ...

    def __contains__(self, key: object) -> bool:
        """Whether the word has a vector; without a row it is made of pieces."""
        ...

    def __len__(self) -> int:
        """The number of rows."""
        ...


TOTAL = "Total accuracy"
"""The name of the section that sums up the others."""

AT_ONCE = 128  # questions: their scores for 300,000 words take 150 MB


def evaluate_word_analogies(
    vectors: VectorTable,
    path: Path,
    *,
    restrict_vocab: int = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> tuple[float, list[dict[str, Any]]]:
    """The share of analogy questions `a b c d` whose answer to "a is to b as c is to" is d (3CosAdd).

    Args:
        vectors: the vectors.
        path: a file of `: section` lines and lines of four words.
        restrict_vocab: answer with the first so many words.
        case_insensitive: take words that differ in case only as one, the most frequent.
        dummy4unknown: count questions with an unknown word as wrong rather than leave them out.

    Returns:
        The share of right answers, and for each section, the total last, its name and the questions answered
        `correct` and `incorrect`.

    Raises:
        UsageError: there is no such file.
        CorruptFileError: a line has not four words; the message names it.
    """
    fold = str.upper if case_insensitive else str
    names = [fold(vectors.get_key(row)) for row in range(min(restrict_vocab, len(vectors)))]
    answering = _Answering(vectors, names)
    sections = []
    for name, questions in _read_sections(path, fold):
        known = [question for question in questions if all(word in answering.rows for word in question)]
        section: dict[str, Any] = {"section": name, "correct": [], "incorrect": []}
        for question, answer in zip(known, answering.answers(known), strict=True):
            section["correct" if answer == question[3] else "incorrect"].append(question)
        if dummy4unknown:
            section["incorrect"] += [question for question in questions if question not in set(known)]
        sections.append(section)
    total = {key: [one for section in sections for one in section[key]] for key in ("correct", "incorrect")}
    sections.append({"section": TOTAL, **total})
    answered = len(total["correct"]) + len(total["incorrect"])
    return (len(total["correct"]) / answered if answered else 0.0), sections


class _Answering:
    """Answers analogy questions, many at once."""

    def __init__(self, vectors: VectorTable, names: list[str]) -> None:
        self.names = names
        self.rows: dict[str, int] = {}
        for row, name in enumerate(names):
            self.rows.setdefault(name, row)
        self.units = unit_rows(vectors.vectors[: len(names)])
        self.alike: dict[str, list[int]] = {}  # rows of one name, where there are several
        for row, name in enumerate(names):
            if self.rows[name] != row:
                self.alike.setdefault(name, [self.rows[name]]).append(row)

    def answers(self, questions: list[Question]) -> Iterator[str]:
        """The answer to each; never a word of the question itself."""
        for start in range(0, len(questions), AT_ONCE):
            batch = questions[start : start + AT_ONCE]
            a, b, c = (self.units[[self.rows[question[i]] for question in batch]] for i in range(3))
            scores = (b - a + c) @ self.units.T
            for question, row in zip(batch, scores, strict=True):
                for word in question[:3]:
                    row[self.alike.get(word, self.rows[word])] = -np.inf
            yield from (self.names[int(best)] for best in scores.argmax(axis=1))


def _read_sections(path: Path, fold: Any) -> Iterator[tuple[str, list[Question]]]:
    name, questions = "", list[Question]()
    for number, line in _lines(path):
        if line.startswith(":"):
            if questions:
                yield name, questions
            name, questions = line[1:].strip(), []
            continue
        words = tuple(map(fold, line.split()))
        if len(words) != 4:
            raise CorruptFileError(
                f"{path}, line {number}: {len(words)} words instead of the four of an analogy."
            )
        questions.append(words)
    if questions:
        yield name, questions


def evaluate_word_pairs(
    vectors: VectorTable,
    path: Path,
    *,
    delimiter: str = "\t",
    restrict_vocab: int = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """How the cosines of word pairs agree with scores that people gave.

    Args:
        vectors: the vectors.
        path: lines of word, word, score; a first line whose score is no number is a header, `#` begins a
            remark.
        delimiter: what separates the three.
        restrict_vocab: know the first so many words only.
        case_insensitive: take words that differ in case only as one, the most frequent.
        dummy4unknown: give pairs with an unknown word the similarity 0 rather than leave them out.

    Returns:
        Pearson's and Spearman's coefficient, each with its p-value, and the percentage of pairs with an
        unknown word.

    Raises:
        UsageError: there is no such file.
        CorruptFileError: a line is malformed, or fewer than two pairs are known.
    """
    from scipy.stats import pearsonr, spearmanr

    scores = pair_scores(
        vectors, path, delimiter=delimiter, restrict_vocab=restrict_vocab, case_insensitive=case_insensitive
    )
    known = [
        (0.0 if ours is None else ours, theirs)
        for ours, theirs in scores
        if ours is not None or dummy4unknown
    ]
    if len(known) < 2:
        raise CorruptFileError(f"{path}: {len(known)} of its pairs are known, too few for a correlation.")
    found, given = zip(*known, strict=True)
    pearson, spearman = pearsonr(found, given), spearmanr(found, given)
    return (
        (float(pearson.statistic), float(pearson.pvalue)),
        (float(spearman.statistic), float(spearman.pvalue)),
        100 * sum(ours is None for ours, _ in scores) / len(scores),
    )


def pair_scores(
    vectors: VectorTable,
    path: Path,
    *,
    delimiter: str = "\t",
    restrict_vocab: int = 300_000,
    case_insensitive: bool = True,
) -> list[tuple[float | None, float]]:
    """For each pair of a file the cosine, None where a word is unknown, and the score that people gave.

    Arguments and errors as `evaluate_word_pairs`'s. Words without a row that are made of pieces are known.
    """
    fold = str.upper if case_insensitive else str
    rows: dict[str, int] = {}
    for row in range(min(restrict_vocab, len(vectors))):
        rows.setdefault(fold(vectors.get_key(row)), row)

    def vector(word: str) -> Vector | None:
        if (row := rows.get(fold(word))) is not None:
            return unit(vectors.vectors[row])
        return unit(vectors.get_vector(word)) if not vectors.has_index_for(word) and word in vectors else None

    scores = list[tuple[float | None, float]]()
    for first, second, given in _read_pairs(path, delimiter):
        one, other = vector(first), vector(second)
        scores.append((None if one is None or other is None else float(one @ other), given))
    return scores


def _read_pairs(path: Path, delimiter: str) -> Iterator[tuple[str, str, float]]:
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split(delimiter)]
        try:
            first, second, score = fields[0], fields[1], float(fields[2])
        except (IndexError, ValueError) as error:
            if number == 1:
                continue  # a header
            raise CorruptFileError(f"{path}, line {number}: not two words and a score.") from error
        yield first, second, score


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    if not path.is_file():
        raise UsageError(f"{path} does not exist: check the path.")
    number = 0
    with path.open(encoding="utf-8") as file:
        try:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
        except UnicodeDecodeError as error:
            raise CorruptFileError(f"{path} is not UTF-8 after line {number}: is it a text file?") from error
    if number == 0:
        raise CorruptFileError(f"{path} is empty: give a file with questions.")
