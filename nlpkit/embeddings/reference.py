"""word2vec again, slowly, in numpy: the readable twin of `csrc/word2vec/`, which tests compare with.

It states the whole algorithm in the order in which things happen. The compiled core computes the same in
float32, several rows at a time, on several threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit.embeddings.word2vec import Word2VecOptions

Draws = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MASK = 2**64 - 1
DOCUMENT_START = -1

INITIAL_ROWS, SUBSAMPLING, EXAMPLES = 0, 1, 2
"""What the children of the seed's stream are for."""

HOGWILD_BLOCK = 1024
MOST_ROUND_BLOCKS = 8
MOST_ROUND_TOKENS = 256
MOST_ROUND_STEP = 4.5
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What subsampling left of a corpus: rows, and positions; a document's start is a row of -1."""

    rows: Rows
    positions: Draws


class ReferenceWord2Vec:
    """Both matrices, and one epoch at a time. Arguments as `nlpkit._core.Word2Vec`'s."""

    def __init__(self, counts: npt.NDArray[np.uint64], options: Word2VecOptions) -> None:
        self.options = options
        self.counts = counts.astype(np.float64)
        numbers = draws(
            stream(options.seed, INITIAL_ROWS, 0), np.arange(len(counts) * options.dim, dtype=np.uint64)
        )
        uniform = (numbers >> np.uint64(40)).astype(np.float64) * 2.0**-24
        self.input: Matrix = ((uniform - 0.5) / options.dim).reshape(len(counts), options.dim)
        self.output: Matrix = np.zeros_like(self.input)
        self.noise_weights = self.counts**0.75
        self.noise = AliasTable(self.noise_weights)
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

    def round_shape(self) -> tuple[int, int]:
        """Blocks of a round, and kept tokens of a block; csrc/word2vec/rounds.hpp tells why."""
        options = self.options
        contexts = options.window + 1
        pairs = 1 if options.architecture == "cbow" else contexts
        kept = self.counts * self.keep_share
        share, noise = kept / kept.sum(), self.noise_weights / self.noise_weights.sum()
        as_output = pairs * (share + options.negative * noise)
        as_input = contexts * share * (1 + options.negative)
        steps = options.first_lr * max(as_output.max(), as_input.max())
        tokens = int(min(max(MOST_ROUND_STEP / steps, 1), MOST_ROUND_TOKENS))
        blocks = min(tokens, MOST_ROUND_BLOCKS)
        return blocks, tokens // blocks

    def train_epoch(
        self, ids: Rows, offsets: Rows, row_of_id: Rows, *, epoch: int, hogwild: bool = False
    ) -> tuple[float, int]:
        """One pass; returns the summed loss and the number of predictions.

        With `hogwild`, as one thread works then: every step changes the matrices at once.
        """
        kept = self.keep(ids, offsets, row_of_id, epoch)
        blocks, block = (1, HOGWILD_BLOCK) if hogwild else self.round_shape()
        loss, predictions = 0.0, 0
        step = Step(self, hogwild)
        opened: tuple[int, int] = (-1, -1)
        for centre, contexts, key in self.windows(kept, epoch):
            here = (centre // block, centre // (block * blocks))
            if here[0] != opened[0]:
                step.end_block()
            if here[1] != opened[1]:
                step.end_round()
            opened = here
            position = float(kept.positions[here[0] * block]) / len(ids)
            lr = self.options.first_lr * max(1 - (epoch + position) / self.options.epochs, LEAST_LR)
            loss += self._centre(step, kept, centre, contexts, key, float(np.float32(lr)))
            predictions += 1 if self.options.architecture == "cbow" else len(contexts)
        step.end_block()
        step.end_round()
        return loss, predictions

    def _centre(
        self, step: "Step", kept: Kept, centre: int, contexts: list[int], key: Draws, lr: float
    ) -> float:
        options = self.options
        inputs, target = kept.rows[contexts], int(kept.rows[centre])
        per_pair = options.architecture == "skipgram" and options.negatives == "exact"
        count = options.negative * (len(contexts) if per_pair else 1)
        negatives = self.noise(draws(key, np.arange(1, count + 1, dtype=np.uint64)))
        if not per_pair:
            return step.take(inputs, target, negatives, lr)
        return sum(
            step.take(inputs[i : i + 1], target, negatives[i * options.negative :][: options.negative], lr)
            for i in range(len(contexts))
        )


class Step:
    """Gradient steps, at once or with the staleness of rounds."""

    def __init__(self, model: ReferenceWord2Vec, at_once: bool) -> None:
        self.model = model
        self.at_once = at_once
        self.copies: dict[int, Matrix] = {}  # of inputs, private to the block
        self.changes: list[tuple[Matrix, int, Matrix]] = []  # of the round

    def take(self, inputs: Rows, target: int, negatives: Rows, lr: float) -> float:
        """One step; returns the loss before it. Equal rows are one, with their number as weight."""
        rows, weights = np.unique(inputs, return_counts=True)
        noise, noise_weights = np.unique(negatives[negatives != target], return_counts=True)
        outputs = np.array([target, *noise.tolist()])
        label = np.array([1.0] + [0.0] * len(noise))
        output_weights = np.array([1.0, *noise_weights.tolist()])
        x = np.stack([self._input(int(row)) for row in rows])
        o = self.model.output[outputs]
        if self.model.options.architecture == "cbow":
            mean = weights @ x / weights.sum()
            loss, gradient = _logistic(mean[None] @ o.T, label, output_weights)
            self._add_input(
                rows, lr * weights[:, None] * (gradient @ o)
            )  # each has the whole change of the mean
            self._add_output(outputs, lr * gradient.T @ mean[None])
            return loss
        loss, gradient = _logistic(x @ o.T, label, weights[:, None] * output_weights)
        self._add_input(rows, lr * gradient @ o)
        self._add_output(outputs, lr * gradient.T @ x)
        return loss

    def _input(self, row: int) -> Matrix:
        if self.at_once:
            at_once: Matrix = self.model.input[row].copy()
            return at_once
        return self.copies.setdefault(row, self.model.input[row].copy())

    def _add_input(self, rows: Rows, change: Matrix) -> None:
        if self.at_once:
            self.model.input[rows] += change
        for row, one in zip(rows.tolist(), change, strict=True):
            if not self.at_once:
                self.copies[row] = self.copies[row] + one

    def _add_output(self, rows: Rows, change: Matrix) -> None:
        if self.at_once:
            self.model.output[rows] += change
        else:
            self.changes += [
                (self.model.output, row, one) for row, one in zip(rows.tolist(), change, strict=True)
            ]

    def end_block(self) -> None:
        """The block's changes of inputs join the round's."""
        table = self.model.input
        self.changes += [(table, row, copy - table[row]) for row, copy in self.copies.items()]
        self.copies = {}

    def end_round(self) -> None:
        """All blocks' changes reach the matrices."""
        for matrix, row, change in self.changes:
            matrix[row] += change
        self.changes = []


def _logistic(scores: Matrix, label: Matrix, weights: Matrix) -> tuple[float, Matrix]:
    """The weighted loss -sum log sigmoid(+-score), and its negative gradient by the scores."""
    sigmoid = 1 / (1 + np.exp(-scores))
    loss = weights * np.logaddexp(0, np.where(label == 1, -scores, scores))
    return float(loss.sum()), weights * (label - sigmoid)
