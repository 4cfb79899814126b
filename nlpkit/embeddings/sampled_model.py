"""word2vec in torch, with the objective as a choice: one step over a batch of centres.

The objectives are functions of scores from `nlpkit.losses`. Negative sampling draws noise words for each
centre and scores them against its contexts, as the compiled trainer does; NCE, sampled softmax and InfoNCE
draw one set for the batch and score it in one matrix product. Only rows of the batch are read and change.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from nlpkit.embeddings.composition import Bags
from nlpkit.embeddings.options import SampledOptions
from nlpkit.losses import (
    InfoNCELoss,
    NegativeSample,
    Sampler,
    nce_loss,
    negative_sampling_loss,
    sampled_softmax_loss,
)
from nlpkit.losses.numerics import unit_rows

TINY = 1e-10
"""AdaGrad's sums begin here, as in torch.optim: rows without a gradient are divided by something."""


class RowTable:
    """A matrix of which each step changes a few rows, by AdaGrad with one scale a row.

    A row's step is the learning rate times its gradient, divided by the root of the sum of its mean squared
    gradients so far (Duchi et al. 2011, here one sum a row): a frequent word, which a batch changes hundreds
    of times, does not overshoot, and a rare one learns from its few occurrences.

    Args:
        weights: (rows, width), changed in place.
    """

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights
        self.squares = torch.full((len(weights),), TINY, device=weights.device)

    def take(self, ids: Tensor) -> "Taken":
        """The rows of these ids, each once, to compute with."""
        rows, places = torch.unique(ids, return_inverse=True)
        return Taken(self, rows, places, self.weights[rows].requires_grad_())

    def change(self, rows: Tensor, gradient: Tensor, lr: float) -> None:
        """Step against the gradient of distinct rows."""
        self.squares[rows] += gradient.square().mean(dim=1)
        self.weights[rows] -= lr * gradient * self.squares[rows].rsqrt()[:, None]


@dataclass(frozen=True, slots=True)
class Taken:
    """Distinct rows of a table, as a leaf of the graph, and where each id asked for is among them."""

    table: RowTable
    rows: Tensor
    places: Tensor
    values: Tensor

    def all(self) -> Tensor:
        """A row for each id, shaped (*ids, width)."""
        return functional.embedding(self.places, self.values)

    def change(self, lr: float) -> None:
        """Step against the gradient that the backward pass left."""
        if self.values.grad is not None:
            self.table.change(self.rows, self.values.grad, lr)


class SampledModel:
    """Input rows, output rows and an objective.

    As in the 2013 C code a context is an input, and its centre the target; in CBOW the mean or the sum of the
    contexts is the input.

    Args:
        counts: how often each word occurs, (words,).
        options: the hyper-parameters.
        rows: how many input rows there are, the words' own first; None: only these.
        bags: of each word, the rows that its vector is the mean of; None: its own.
        device: where to compute.
    """

    def __init__(
        self,
        counts: npt.NDArray[np.uint64],
        options: SampledOptions,
        rows: int | None = None,
        bags: Bags | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.options, self.bags, self.words = options, bags, len(counts)
        self.noise = options.noise_words(self.words)
        self.sampler = Sampler.unigram(counts.tolist()).to(device)
        self.random = torch.Generator(device or "cpu").manual_seed(options.seed)
        start = torch.Generator().manual_seed(options.seed)
        self.input = RowTable(self._first_rows(rows or self.words, start).to(device))
        self.output = RowTable(self._first_outputs(start).to(device))

    def _first_rows(self, rows: int, start: torch.Generator) -> Tensor:
        """Uniform as in the 2013 C code; but of length 1 or so where cosines are taken, whose gradient grows
        as rows are shorter: AdaGrad would remember that for ever.
        """
        dim = self.options.dim
        width = math.sqrt(12 / dim) if self.options.objective == "infonce" else 1 / dim
        return (torch.rand(rows, dim, generator=start) - 0.5) * width

    def _first_outputs(self, start: torch.Generator) -> Tensor:
        """Zeros as in the 2013 C code, but where cosines are taken; a last column is the bias."""
        dim = self.options.dim
        match self.options.objective:
            case "negative-sampling":
                return torch.zeros(self.words, dim)
            case "infonce":
                return self._first_rows(self.words, start)
            case "nce":  # starts near the noise and normalised
                log_q = self.sampler.log_q.float().cpu()
                return torch.cat([torch.zeros(self.words, dim), log_q[:, None]], dim=1)
            case "sampled-softmax":
                return torch.zeros(self.words, dim + 1)

    def step(self, centres: Tensor, contexts: Tensor, lr: float) -> Tensor:
        """Draw noise words and change the rows of a batch; its summed loss before that, a scalar.

        Args:
            centres: (centres,) rows.
            contexts: (centres, places) rows of the words near each; -1 where there is none.
            lr: the learning rate.
        """
        loss, taken = self.loss(centres, contexts, self.draw(centres))
        loss.backward()  # type: ignore[no-untyped-call]
        for one in taken:
            one.change(lr)
        return loss.detach()

    def draw(self, centres: Tensor) -> NegativeSample:
        """Noise words: (centres, noise) for negative sampling, else (noise,) for the batch."""
        return self.sampler.draw(
            centres,
            self.noise,
            per_target=self.options.objective == "negative-sampling",
            unique=self.options.objective == "sampled-softmax",
            generator=self.random,
        )

    def loss(self, centres: Tensor, contexts: Tensor, noise: NegativeSample) -> tuple[Tensor, list[Taken]]:
        """The summed loss of all predictions, float64, and the rows it depends on; arguments as `step`'s."""
        there = contexts >= 0
        inputs, vectors = self._vectors(contexts.clamp(min=0))  # (centres, places, dim)
        if self.options.architecture != "skipgram":
            vectors, there = self._combined(vectors, there)
        outputs = self.output.take(torch.cat([centres, noise.ids.flatten()]))
        rows = outputs.all()
        targets, others = rows[: len(centres)], rows[len(centres) :].reshape(*noise.ids.shape, -1)
        scores = self._scores(vectors, targets, others, there)
        return self._objective(*scores, centres, noise, there.nonzero()[:, 0]), [inputs, outputs]

    def _combined(self, vectors: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """CBOW's input, (centres, 1, dim), and that each centre has one.

        As in the compiled trainer, each context receives the whole change of the mean.
        """
        total = (vectors * there[..., None]).sum(dim=1, keepdim=True)
        if self.options.architecture == "cbow":
            mean = total / there.sum(dim=1)[:, None, None]
            total = total + (mean - total).detach()
        return total, there.new_ones(len(there), 1)

    def _vectors(self, words: Tensor) -> tuple[Taken, Tensor]:
        if self.bags is None:
            taken = self.input.take(words)
            return taken, taken.all()
        found, places = torch.unique(words, return_inverse=True)
        bags = self.bags.of(found.cpu().numpy())
        ids, starts = (torch.from_numpy(array).to(words.device) for array in (bags.ids, bags.offsets[:-1]))
        taken = self.input.take(ids)
        composed = functional.embedding_bag(taken.places, taken.values, starts, mode="mean")
        return taken, functional.embedding(places, composed)

    def _scores(
        self, vectors: Tensor, targets: Tensor, others: Tensor, there: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(pairs,) of the targets, and (pairs, noise)."""
        dim = self.options.dim
        if self.options.objective == "infonce":
            vectors, targets, others = (unit_rows(one) for one in (vectors, targets, others))
            vectors = vectors / self.options.divisor
        positive = (vectors @ targets[:, :dim, None]).squeeze(-1)
        if others.ndim == 3:
            return positive[there], (vectors @ others.mT)[there]
        negative = vectors[there] @ others[:, :dim].T
        if others.shape[1] > dim:
            positive, negative = positive + targets[:, dim:], negative + others[:, dim]
        return positive[there], negative

    def _objective(
        self, positive: Tensor, negative: Tensor, centres: Tensor, noise: NegativeSample, of: Tensor
    ) -> Tensor:
        """The loss of scores, summed; `of` (predictions,) says which centre each is of."""
        hits = noise.ids == centres[:, None]  # (centres, noise)
        counts = noise.target_log_counts[of], noise.log_counts
        match self.options.objective:
            case "negative-sampling":
                losses = negative_sampling_loss(positive, negative, excluded=hits[of], reduction="none")
            case "infonce":
                losses = InfoNCELoss().from_scores(positive, negative) * len(positive)
            case "nce":
                losses = nce_loss(positive, negative, *counts, reduction="none")
            case "sampled-softmax":
                losses = sampled_softmax_loss(
                    positive, negative, *counts, excluded=hits[of], reduction="none"
                )
        return losses.sum(dtype=torch.float64)

    def word_vectors(self) -> npt.NDArray[np.float32]:
        """All words' vectors."""
        with torch.no_grad():
            everything = torch.arange(self.words, device=self.input.weights.device)
            parts = torch.split(everything, 2**16)
            vectors: npt.NDArray[np.float32] = torch.cat([self._vectors(p)[1].cpu() for p in parts]).numpy()
        return vectors

    def piece_vectors(self) -> npt.NDArray[np.float32]:
        """The input rows behind the words' own; zeros where no word has the piece."""
        vectors: npt.NDArray[np.float32] = self.input.weights.cpu().numpy().copy()
        if self.bags is not None:
            vectors[np.setdiff1d(np.arange(len(vectors)), self.bags.ids)] = 0
        return vectors[self.words :]
