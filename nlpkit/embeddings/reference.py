"""word2vec again, slowly, in numpy: the readable twin of `csrc/word2vec/`, which tests compare with.

It states the whole algorithm in the order in which things happen. The compiled core computes the same in
float32, several rows at a time, on several threads.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.options import Word2VecOptions

Draws = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]
Outputs = tuple[Rows, Matrix, Matrix]
"""What a step scores its inputs against: rows of the output matrix, labels, weights."""

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MASK = 2**64 - 1
DOCUMENT_START = -1

INITIAL_ROWS, SUBSAMPLING, EXAMPLES = 0, 1, 2
"""What the children of the seed's stream are for."""

HOGWILD_BLOCK = 1024
MOST_ROUND_BLOCKS = 4
MOST_ROUND_TOKENS = 128
MOST_ROUND_STEP = 4.5
LEAST_SLICE_ROWS = 128
SLICE_UNEVENNESS = 1.01
SLICE_POSITIONS = 2**13
LEAST_LR = 1e-4


def mix_bits(z: Draws) -> Draws:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def draws(keys: Draws, counters: Draws) -> Draws:
    """Number `counter` of the stream of each key."""
    return mix_bits(keys + np.uint64(GOLDEN_GAMMA) * (counters + np.uint64(1)))


def child(keys: Draws, counters: Draws) -> Draws:
    """The keys of independent streams."""
    return mix_bits(draws(keys, counters) ^ np.uint64(GOLDEN_GAMMA))


def below(numbers: Draws, bound: int) -> Draws:
    """Uniform on 0 .. bound - 1 from the upper halves."""
    return ((numbers >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)


def stream(seed: int, purpose: int, epoch: int) -> Draws:
    """The key of one epoch's stream for one purpose, shape (1,)."""
    key = child(np.array([seed], np.uint64), np.array([purpose], np.uint64))
    return child(key, np.array([epoch], np.uint64))


class AliasTable:
    """Walker's alias method as built by Vose 1991."""

    def __init__(self, weights: npt.NDArray[np.float64]) -> None:
        total = 0.0
        for weight in weights.tolist():
            total += weight
        share = [weight / total * len(weights) for weight in weights.tolist()]
        self.thresholds = np.full(len(weights), 2**32 - 1, np.uint64)
        self.aliases = np.arange(len(weights), dtype=np.int64)
        small = [i for i, s in enumerate(share) if s < 1]
        large = [i for i, s in enumerate(share) if s >= 1]
        while small and large:
            low, high = small.pop(), large[-1]
            self.thresholds[low], self.aliases[low] = int(share[low] * 2**32), high
            share[high] -= 1 - share[low]
            if share[high] < 1:
                small.append(large.pop())

    def __call__(self, numbers: Draws) -> Rows:
        """The upper half chooses a column, the lower half between it and its alias."""
        columns = below(numbers, len(self.aliases)).astype(np.int64)
        stays = (numbers & np.uint64(0xFFFFFFFF)) < self.thresholds[columns]
        return np.where(stays, columns, self.aliases[columns])


class Noise:
    """The noise distribution, in slices of equal probability; csrc/word2vec/noise.hpp tells why."""

    def __init__(self, counts: npt.NDArray[np.float64], most_slices: int) -> None:
        weights = [math.pow(count, 0.75) for count in counts.tolist()]
        count = min(max(len(weights) // LEAST_SLICE_ROWS, 1), most_slices)
        while not self._deal(weights, count):
            count -= 1
        self.tables = [AliasTable(np.array([weights[row] for row in rows])) for rows in self.rows]

    def _deal(self, weights: list[float], count: int) -> bool:
        """Each row, by falling weight, to the slice that is lightest yet; whether they come out even."""
        order = (
            sorted(range(len(weights)), key=lambda row: -weights[row]) if count > 1 else range(len(weights))
        )
        self.rows: list[list[int]] = [[] for _ in range(count)]
        totals = [0.0] * count
        for row in order:
            lightest = totals.index(min(totals))
            self.rows[lightest].append(row)
            totals[lightest] += weights[row]
        return max(totals) <= SLICE_UNEVENNESS * min(totals)

    def __call__(self, slice_: int, numbers: Draws) -> Rows:
        """Rows for draws."""
        return np.array(self.rows[slice_])[self.tables[slice_](numbers)]


def huffman_paths(counts: npt.NDArray[np.float64]) -> list[list[tuple[int, int]]]:
    """For each row its (inner node, 1 for a turn to the right) from the root down.

    The tree of the 2013 C code: from the least frequent up, an inner node before a word of the same count,
    the second of two on the right.
    """
    words = len(counts)
    order = np.argsort(-counts, kind="stable")
    weight = [*counts[order].tolist(), *[0.0] * (words - 1)]
    word, inner = words - 1, words
    parent: dict[int, tuple[int, int]] = {}
    for node in range(words, 2 * words - 1):
        for side in (0, 1):
            if word >= 0 and (inner == node or weight[word] < weight[inner]):
                child, word = word, word - 1
            else:
                child, inner = inner, inner + 1
            weight[node] += weight[child]
            parent[child] = (node - words, side)
    paths: list[list[tuple[int, int]]] = [[] for _ in range(words)]
    for place, row in enumerate(order.tolist()):
        node = place
        while node in parent:
            step = parent[node]
            paths[row].insert(0, step)
            node = step[0] + words
    return paths


@dataclass(frozen=True, slots=True)
class Kept:
    """What subsampling left of a corpus: rows, and positions; a document's start is a row of -1."""

    rows: Rows
    positions: Draws


class ReferenceWord2Vec:
    """Both matrices, and one epoch at a time. Arguments as `nlpkit._core.Word2Vec`'s."""

    def __init__(
        self, counts: npt.NDArray[np.uint64], options: Word2VecOptions, *, hogwild: bool = False
    ) -> None:
        self.options = options
        self.hogwild = hogwild
        self.counts = counts.astype(np.float64)
        numbers = draws(
            stream(options.seed, INITIAL_ROWS, 0), np.arange(len(counts) * options.dim, dtype=np.uint64)
        )
        uniform = (numbers >> np.uint64(40)).astype(np.float64) * 2.0**-24
        self.input: Matrix = ((uniform - 0.5) / options.dim).reshape(len(counts), options.dim)
        self.output: Matrix = np.zeros_like(self.input)
        self.hierarchical = options.objective == "hierarchical-softmax"
        if self.hierarchical:
            self.output = self.output[:-1]
            self.paths = huffman_paths(self.counts)
        else:
            self.noise = Noise(self.counts, 1 if hogwild else MOST_ROUND_BLOCKS)
        self.keep_share = self._keep_shares()

    def _keep_shares(self) -> Matrix:
        share = np.ones(len(self.counts))
        if self.options.sample > 0:
            ratio = self.options.sample * self.counts.sum() / self.counts
            share = np.minimum(1, np.sqrt(ratio) + ratio)
        return share

    def keep(self, ids: Rows, offsets: Rows, row_of_id: Rows, epoch: int) -> Kept:
        """The tokens that stay, each document preceded by its start."""
        positions = np.arange(len(ids), dtype=np.uint64)
        numbers = draws(stream(self.options.seed, SUBSAMPLING, epoch), positions) >> np.uint64(32)
        thresholds = np.where(self.keep_share < 1, self.keep_share * 2**32, 2**32).astype(np.uint64)
        rows = row_of_id[ids]
        stays = (rows >= 0) & (numbers <= thresholds[np.maximum(rows, 0)])
        starts = np.unique(offsets[:-1])
        starts = starts[starts < len(ids)]
        kept = np.flatnonzero(stays)
        where = np.searchsorted(kept, starts)
        return Kept(
            np.insert(rows[kept], where, DOCUMENT_START),
            np.insert(positions[kept], where, starts.astype(np.uint64)),
        )

    def windows(self, kept: Kept, epoch: int) -> Iterator[tuple[int, list[int], Draws]]:
        """Each centre that has contexts, with them and with the key of its draws."""
        keys = child(stream(self.options.seed, EXAMPLES, epoch), kept.positions)
        reaches = 1 + below(draws(keys, np.zeros_like(keys)), self.options.window).astype(np.int64)
        for centre in np.flatnonzero(kept.rows != DOCUMENT_START):
            first = last = int(centre)
            while first > 0 and centre - first < reaches[centre] and kept.rows[first - 1] != DOCUMENT_START:
                first -= 1
            while (
                last + 1 < len(kept.rows)
                and last - centre < reaches[centre]
                and kept.rows[last + 1] != DOCUMENT_START
            ):
                last += 1
            contexts = [i for i in range(first, last + 1) if i != centre]
            if contexts:
                yield int(centre), contexts, keys[centre : centre + 1]

    @property
    def in_place(self) -> bool:
        """Whether every step changes the matrices at once: Hogwild, or noise that can't be dealt out."""
        return self.hogwild or (not self.hierarchical and len(self.noise.rows) == 1)

    def round_shape(self) -> tuple[int, int]:
        """Blocks of a round, and kept tokens of a block; csrc/word2vec/rounds.hpp tells why."""
        options = self.options
        contexts = options.window + 1
        share = self.counts * self.keep_share / (self.counts * self.keep_share).sum()
        if self.hierarchical:
            outputs = float(sum(share * [len(path) for path in self.paths]))
            most = max(
                contexts * share.max() * outputs, 1 if options.architecture != "skipgram" else contexts
            )
        else:
            most = contexts * share.max() * (1 + options.noise_words(len(share)))
        tokens = int(min(max(MOST_ROUND_STEP / (options.first_lr * most), 1), MOST_ROUND_TOKENS))
        blocks = min(tokens, MOST_ROUND_BLOCKS if self.hierarchical else len(self.noise.rows))
        return blocks, tokens // blocks

    def _slice(self, kept: Kept, block: int, blocks: int, length: int, epoch: int) -> int:
        """The slice of the noise that a block has: the next one after its neighbour's."""
        if self.in_place or self.hierarchical:
            return 0
        key = child(stream(self.options.seed, EXAMPLES, epoch), np.array([MASK], np.uint64))
        first = kept.positions[block // blocks * blocks * length] // np.uint64(SLICE_POSITIONS)
        start = int(below(draws(key, first[None]), len(self.noise.rows))[0])
        return (start + block % blocks) % len(self.noise.rows)

    def train_epoch(self, ids: Rows, offsets: Rows, row_of_id: Rows, *, epoch: int) -> tuple[float, int]:
        """One pass; returns the summed loss and the number of predictions.

        In place, as one thread works then: every step changes the matrices at once.
        """
        kept = self.keep(ids, offsets, row_of_id, epoch)
        blocks, length = (1, HOGWILD_BLOCK) if self.in_place else self.round_shape()
        loss, predictions = 0.0, 0
        step = Step(self)
        opened = -1
        for centre, contexts, key in self.windows(kept, epoch):
            block = centre // length
            if block != opened:
                step.end_block()
            if block // blocks != opened // blocks:
                step.end_round()
            if block != opened:
                slice_ = self._slice(kept, block, blocks, length, epoch)
            opened = block
            position = float(kept.positions[block * length]) / len(ids)
            lr = self.options.first_lr * max(1 - (epoch + position) / self.options.epochs, LEAST_LR)
            loss += self._centre(step, kept, centre, contexts, key, slice_, float(np.float32(lr)))
            predictions += len(contexts) if self.options.architecture == "skipgram" else 1
        step.end_block()
        step.end_round()
        return loss, predictions

    def _centre(
        self, step: "Step", kept: Kept, centre: int, contexts: list[int], key: Draws, slice_: int, lr: float
    ) -> float:
        options = self.options
        inputs, target = kept.rows[contexts], int(kept.rows[centre])
        per_pair = options.architecture == "skipgram" and options.negatives == "exact"
        groups = [inputs[i : i + 1] for i in range(len(inputs))] if per_pair else [inputs]
        count = options.noise_words(len(self.counts))
        negatives = np.empty(0, np.int64)
        if count:
            negatives = self.noise(slice_, draws(key, np.arange(1, count * len(groups) + 1, dtype=np.uint64)))
        return sum(
            step.take(group, target, negatives[i * count :][:count], lr) for i, group in enumerate(groups)
        )

    def outputs_of(self, target: int, negatives: Rows) -> Outputs:
        """The target and its negatives, equal ones as one with a weight, or the nodes on its path."""
        if self.hierarchical:
            nodes, right = np.array(self.paths[target]).T
            return nodes, 1.0 - right, np.ones(len(nodes))
        noise, weights = np.unique(negatives[negatives != target], return_counts=True)
        label = np.zeros(1 + len(noise))
        label[0] = 1
        return np.array([target, *noise.tolist()]), label, np.array([1.0, *weights.tolist()])


class Step:
    """Gradient steps, at once or with the staleness of rounds.

    In rounds, inputs and targets are copied when the round begins and their changes are added when it ends;
    negatives, which no two blocks of a round share, change at once.
    """

    def __init__(self, model: ReferenceWord2Vec) -> None:
        self.model = model
        self.copies: dict[tuple[str, int], Matrix] = {}  # private to the block
        self.before = {"input": model.input.copy(), "output": model.output.copy()}  # when the round began
        self.changes: list[tuple[str, int, Matrix]] = []  # of the round

    def take(self, inputs: Rows, target: int, negatives: Rows, lr: float) -> float:
        """One step; returns the loss before it. Equal inputs are one, with their number as weight."""
        rows, weights = np.unique(inputs, return_counts=True)
        outputs, label, output_weights = self.model.outputs_of(target, negatives)
        stale = [self.model.hierarchical or row == target for row in outputs.tolist()]
        x = np.stack([self._row("input", row, True) for row in rows.tolist()])
        o = np.stack([self._row("output", row, s) for row, s in zip(outputs.tolist(), stale, strict=True)])
        if self.model.options.architecture == "skipgram":
            loss, gradient = _logistic(x @ o.T, label, weights[:, None] * output_weights)
            input_changes, output_changes = gradient @ o, gradient.T @ x
        else:
            total = weights.sum() if self.model.options.architecture == "cbow" else 1
            combined = (weights @ x / total)[None]
            loss, gradient = _logistic(combined @ o.T, label, output_weights)
            # each input has the whole change of the combined one
            input_changes, output_changes = weights[:, None] * (gradient @ o), gradient.T @ combined
        for row, change in zip(rows.tolist(), input_changes, strict=True):
            self._add("input", row, lr * change, True)
        for row, change, s in zip(outputs.tolist(), output_changes, stale, strict=True):
            self._add("output", row, lr * change, s)
        return loss

    def _matrix(self, name: str) -> Matrix:
        return self.model.input if name == "input" else self.model.output

    def _row(self, name: str, row: int, stale: bool) -> Matrix:
        if self.model.in_place or not stale:
            now: Matrix = self._matrix(name)[row].copy()
            return now
        return self.copies.setdefault((name, row), self.before[name][row].copy())

    def _add(self, name: str, row: int, change: Matrix, stale: bool) -> None:
        if self.model.in_place or not stale:
            self._matrix(name)[row] += change
        else:
            self.copies[name, row] = self.copies[name, row] + change

    def end_block(self) -> None:
        """The block's changes join the round's."""
        self.changes += [
            (name, row, copy - self.before[name][row]) for (name, row), copy in self.copies.items()
        ]
        self.copies = {}

    def end_round(self) -> None:
        """All blocks' changes reach the matrices."""
        for name, row, change in self.changes:
            self._matrix(name)[row] += change
        self.changes = []
        self.before = {name: self._matrix(name).copy() for name in ("input", "output")}


def _logistic(scores: Matrix, label: Matrix, weights: Matrix) -> tuple[float, Matrix]:
    """The weighted loss -sum log sigmoid(+-score), and its negative gradient by the scores."""
    sigmoid = 1 / (1 + np.exp(-scores))
    loss = weights * np.logaddexp(0, np.where(label == 1, -scores, scores))
    return float(loss.sum()), weights * (label - sigmoid)
