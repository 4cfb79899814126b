"""Training word vectors by torch: more objectives than the compiled trainer has, words of pieces, GPUs."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from nlpkit.embeddings.composition import Bags, PieceTable, bags_with_own_rows
from nlpkit.embeddings.epochs import PHASE, EpochLoop
from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.options import Architecture, SampledObjective, SampledOptions
from nlpkit.embeddings.sampled_model import SampledModel
from nlpkit.embeddings.token_table import TokenTable
from nlpkit.embeddings.training_corpus import TrainingCorpus, check_memory
from nlpkit.embeddings.training_state import Matrix, Tally
from nlpkit.embeddings.windows import PART_TOKENS, Part, WindowReader, Windows, keep_shares
from nlpkit.errors import UsageError
from nlpkit.files import atomic_folder
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import TokenShards
from nlpkit.tokenization import Vocabulary, WordVocabulary, load_vocabulary

LEAST_LR = 1e-4
"""Of the learning rate at the start, as in the 2013 C code."""

EXAMPLES, HELD_OUT = 1, 2
"""What random numbers are for."""

BatchLoss: TypeAlias = Callable[[int, Tensor, Tensor], Tensor]
"""The summed loss of a batch: where it begins among the part's centres, (centres,), (centres, places)."""


def train_sampled_vectors(
    shards: str | Path,
    out: str | Path,
    *,
    objective: SampledObjective = "nce",
    dim: int = 100,
    window: int = 5,
    negative: int | None = None,
    epochs: int = 5,
    lr: float = 0.2,
    sample: float = 1e-3,
    min_count: int = 5,
    architecture: Architecture = "skipgram",
    temperature: float | None = None,
    batch: int = 1024,
    pieces: str | Path | None = None,
    device: str = "cpu",
    patience: int = 0,
    seed: int = 1,
    threads: int = 0,
    resume: bool = False,
    progress: ProgressCallback = no_progress,
) -> KeyedVectors:
    """Train word vectors over `shards/train` by an objective of choice, and write them to `out`.

    What is not said here is as in `train_word2vec`: `dim`, `window`, `epochs`, `sample`, `min_count`,
    `architecture`, `patience`, `resume`, held-out losses, checkpoints and `metrics.jsonl`.

    Args:
        shards: a folder of `encode_corpus`; its vocabulary names the rows.
        out: the folder to write; replaced as a whole once training ends.
        objective: what becomes of the scores of a word and its contexts: "negative-sampling" (as
            `train_word2vec`, which is many times as fast on a CPU), "nce" (scores become log-probabilities),
            "sampled-softmax", or "infonce" (cosines divided by `temperature`).
        negative: noise words, drawn by count^0.75: for each centre (negative sampling; 5) or each batch (the
            others; half the words, 512 at most). Sampled softmax draws distinct ones.
        lr: AdaGrad's learning rate at the start; it falls linearly to 1e-4 of that.
        temperature: of "infonce" alone; 0.1.
        batch: centres in a step.
        pieces: a tokenizer's folder: a word's vector is the mean of its own row and those of its pieces, so
            that words never seen have one too.
        device: "cpu", "cuda" or another of torch's.
        seed: fixes every random choice; on a CPU, runs with as many threads are equal to the bit.
        threads: how many torch uses on the CPU; 0 leaves that to torch.
        progress: called with the tokens done.

    Returns:
        The vectors, memory-mapped from `out`. For "infonce", `metrics.jsonl` there also says what an epoch's
        loss tells of the mutual information (`mi_nats`).

    Raises:
        UsageError: as `train_word2vec`, or torch lacks the device.
        NlpkitError: as `train_word2vec`.
        VocabularyMismatchError: as `train_word2vec`.
        KeyboardInterrupt: as `train_word2vec`.
    """
    if threads < 0:
        raise UsageError(f"--threads must be 0 (all) or above, not {threads}.")
    options = SampledOptions(
        objective,
        dim,
        window,
        negative,
        epochs,
        lr,
        sample,
        min_count,
        architecture,
        temperature,
        batch,
        patience,
        seed,
    )
    corpus = TrainingCorpus.open(shards, options)
    with _torch_threads(threads):
        return _train(corpus, options, Path(out), pieces, _device(device), resume, progress)


def _train(
    corpus: TrainingCorpus,
    options: SampledOptions,
    out: Path,
    pieces: str | Path | None,
    device: torch.device,
    resume: bool,
    progress: ProgressCallback,
) -> KeyedVectors:
    tokens = corpus.tokens()
    cutter, prefix, bags = _pieces(pieces, corpus.vocabulary, tokens)
    rows = len(tokens) if cutter is None else len(tokens) + cutter.n_vocab
    check_memory(rows, options.dim)
    settings = {"trainer": "torch", "pieces": "" if cutter is None else cutter.fingerprint}
    with atomic_folder(out) as temporary:
        model = SampledModel(corpus.words.counts, options, rows, bags, device)
        loop = EpochLoop(TorchTrainer(model, corpus), corpus, options, out, settings)
        loop.run(resume, progress)
        table = None if cutter is None else PieceTable(cutter, model.piece_vectors(), prefix)
        config = {"fingerprint": corpus.vocabulary.fingerprint, "trainer": "torch", **asdict(options)}
        found = KeyedVectors(tokens, model.word_vectors(), corpus.words.counts, config=config, pieces=table)
        found.write_files(temporary)
        loop.write_metrics(temporary / "metrics.jsonl")
    loop.remove_checkpoint()
    return KeyedVectors.load(out)


def _pieces(
    folder: str | Path | None, vocabulary: Vocabulary, tokens: TokenTable
) -> tuple[Vocabulary | None, str, Bags | None]:
    if folder is None:
        return None, "", None
    prefix = " " if isinstance(vocabulary, WordVocabulary) and vocabulary.unit == "word" else ""
    cutter = load_vocabulary(Path(folder))
    return cutter, prefix, bags_with_own_rows(tokens, cutter, prefix)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch raises either, by device
        raise UsageError(f"--device {name}: this torch cannot use it; cpu always works.") from error
    return device


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """While the block runs, torch uses so many threads; 0 changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TorchTrainer:
    """A model over a corpus, as `EpochLoop` trains it."""

    part_tokens = PART_TOKENS

    def __init__(self, model: SampledModel, corpus: TrainingCorpus) -> None:
        self.model = model
        self.options = model.options
        self.size = len(corpus.data)
        self._reader = self._reader_of(corpus.data, corpus)
        self._held_out = None if corpus.held_out is None else self._reader_of(corpus.held_out, corpus)

    def _reader_of(self, data: TokenShards, corpus: TrainingCorpus) -> WindowReader:
        keep = keep_shares(corpus.words.counts, self.options.sample)
        return WindowReader(data, corpus.words.rows, keep, self.options.window)

    def train(self, epoch: int, begin: int, end: int, progress: ProgressCallback) -> Tally:
        """Train on the centres between two positions of an epoch."""
        total = Tally()
        seed = (self.options.seed, EXAMPLES, epoch)
        for part in self._reader.parts(seed, begin, end):
            self._seed_noise(*seed, part.begin)
            total.add(self._work_through(part, self._step_at(epoch, part)))
            done = epoch * self.size + part.end
            progress(PHASE, done, self.options.epochs * self.size)
        return total

    def evaluate(self) -> Tally | None:
        """The loss on the held-out corpus, if there is one."""
        if self._held_out is None:
            return None
        total = Tally()
        seed = (self.options.seed, HELD_OUT)
        with torch.no_grad():
            for part in self._held_out.parts(seed):
                self._seed_noise(*seed, part.begin)
                total.add(self._work_through(part, self._loss))
        return total

    def _seed_noise(self, *numbers: int) -> None:
        """Make the draws that follow a function of some numbers."""
        (state,) = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
        self.model.random.manual_seed(int(state >> np.uint64(1)))

    def _work_through(self, part: Part, batch_loss: BatchLoss) -> Tally:
        """The losses of a part, batch by batch."""
        device, batch, windows = self.model.input.weights.device, self.options.batch, part.windows
        loss = torch.zeros((), dtype=torch.float64, device=device)
        for start in range(0, len(windows), batch):
            chosen = windows[start : start + batch]
            centres, contexts = (
                torch.from_numpy(rows).long().to(device) for rows in (chosen.centres, chosen.contexts)
            )
            loss += batch_loss(start, centres, contexts)
        return Tally(float(loss), self._predictions(windows), part.words, part.kept)

    def _predictions(self, windows: Windows) -> int:
        if self.options.architecture != "skipgram":
            return len(windows)
        return int(np.count_nonzero(windows.contexts >= 0))

    def _step_at(self, epoch: int, part: Part) -> BatchLoss:
        """Steps over a part, at learning rates that fall from batch to batch."""

        def step(start: int, centres: Tensor, contexts: Tensor) -> Tensor:
            position = part.begin + (part.end - part.begin) * start / len(part.windows)
            left = 1 - (epoch + position / self.size) / self.options.epochs
            return self.model.step(centres, contexts, self.options.lr * max(left, LEAST_LR))

        return step

    def _loss(self, start: int, centres: Tensor, contexts: Tensor) -> Tensor:
        return self.model.loss(centres, contexts, self.model.draw(centres))[0]

    def figures(self, loss: float) -> dict[str, float]:
        """For InfoNCE the bound on the mutual information, at most the logarithm of the candidates."""
        if self.options.objective != "infonce":
            return {}
        return {"mi_nats": math.log(1 + self.model.noise) - loss}

    def matrices(self) -> dict[str, Matrix]:
        """Both tables, and AdaGrad's sums."""
        return {name: tensor.cpu().numpy() for name, tensor in self._tensors().items()}

    def restore(self, matrices: Mapping[str, Matrix]) -> None:
        """Put some of them back."""
        for name, matrix in matrices.items():
            self._tensors()[name].copy_(torch.from_numpy(np.array(matrix)))

    def _tensors(self) -> dict[str, Tensor]:
        tables = {"input": self.model.input, "output": self.model.output}
        sums = {f"{name}_squares": table.squares for name, table in tables.items()}
        return {name: table.weights for name, table in tables.items()} | sums
