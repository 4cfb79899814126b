"""Training word2vec over token shards by the compiled kernel: what is trained, and the folder that comes out.

The loops are in `csrc/word2vec/`; docs/embeddings.md states the algorithm and where it differs from the C
code of 2013, gensim and fastText.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from nlpkit._core import EpochStatistics, Word2Vec
from nlpkit.embeddings.epochs import PHASE, EpochLoop
from nlpkit.embeddings.keyed_vectors import KeyedVectors
from nlpkit.embeddings.options import Architecture, Negatives, Objective, Word2VecOptions
from nlpkit.embeddings.training_corpus import TrainingCorpus, core_arrays
from nlpkit.embeddings.training_state import Matrix
from nlpkit.errors import UsageError
from nlpkit.files import atomic_folder
from nlpkit.progress import ProgressCallback, no_progress


def train_word2vec(
    shards: str | Path,
    out: str | Path,
    *,
    dim: int = 100,
    window: int = 5,
    negative: int | None = None,
    epochs: int = 5,
    lr: float | None = None,
    sample: float = 1e-3,
    min_count: int = 5,
    architecture: Architecture = "skipgram",
    objective: Objective = "negative-sampling",
    negatives: Negatives = "shared",
    patience: int = 0,
    seed: int = 1,
    threads: int = 0,
    hogwild: bool = False,
    resume: bool = False,
    progress: ProgressCallback = no_progress,
) -> KeyedVectors:
    """Train word vectors over `shards/train` and write them to the folder `out`.

    Where there is `shards/validation`, each epoch ends with the loss on it. Interrupted by Ctrl-C, by kill
    or by a crash, training goes on with `resume` from a checkpoint beside `out`.

    Args:
        shards: a folder of `encode_corpus`; its vocabulary names the rows.
        out: the folder to write; replaced as a whole once training ends.
        dim: the vectors' dimension.
        window: the greatest distance of a context; each centre draws its own from 1 to `window`.
        negative: noise words for each observed one, drawn with the power 0.75 of their counts; 5.
        epochs: passes over the corpus.
        lr: the learning rate at the start; it falls linearly over all epochs to 1e-4 of that. 0.025, or 0.05
            for "cbow".
        sample: a word whose share f of all words is above this is kept with probability
            sqrt(sample / f) + sample / f; 0 keeps every word.
        min_count: words that occur less often get no vector and take no place in a window.
        architecture: "skipgram", or "cbow" (the mean of the contexts predicts the centre), or "cbow-sum".
        objective: "negative-sampling", or "hierarchical-softmax", which predicts each word exactly, at the
            cost of its path in a Huffman tree, without noise words.
        negatives: "shared" draws them once for a centre and takes one step with all its contexts, "exact"
            one for each context, as C does; CBOW has one prediction a centre, so both are the same there.
        patience: stop after so many epochs without a lower held-out loss and keep the vectors of the best
            one; 0 trains all epochs and keeps the last.
        seed: fixes every random choice.
        threads: how many to use; 0 is all that this process may run on. Does not change the result.
        hogwild: let threads update the same rows without locks: fastest, but no two runs are equal.
        resume: go on from the checkpoint of an interrupted training with the same settings, to the same bits
            as if it had never stopped; without a checkpoint, start from the beginning.
        progress: called with the tokens done.

    Returns:
        The vectors, memory-mapped from `out`. `metrics.jsonl` there has a line for each epoch.

    Raises:
        UsageError: an option is out of range, or `shards` is no such folder.
        NlpkitError: there are too few words, they need too much memory, or training diverged.
        VocabularyMismatchError: the shards were made with another vocabulary than the one beside them.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    if threads < 0:
        raise UsageError(f"--threads must be 0 (all) or above, not {threads}.")
    options = Word2VecOptions(
        dim,
        window,
        negative,
        epochs,
        lr,
        sample,
        min_count,
        architecture,
        objective,
        negatives,
        patience,
        seed,
    ).resolved()
    return _train(
        TrainingCorpus.open(shards, options), options, Path(out), threads, hogwild, resume, progress
    )


def _train(
    corpus: TrainingCorpus,
    options: Word2VecOptions,
    out: Path,
    threads: int,
    hogwild: bool,
    resume: bool,
    progress: ProgressCallback,
) -> KeyedVectors:
    with atomic_folder(out) as temporary:
        trainer = CompiledTrainer(corpus, options, threads=threads, hogwild=hogwild)
        loop = EpochLoop(trainer, corpus, options, out, {"trainer": "compiled"})
        loop.run(resume, progress)
        config = {"fingerprint": corpus.vocabulary.fingerprint, **asdict(options)}
        vectors = KeyedVectors(corpus.tokens(), trainer.model.input, corpus.words.counts, config=config)
        vectors.write_files(temporary)
        loop.write_metrics(temporary / "metrics.jsonl")
    loop.remove_checkpoint()
    return KeyedVectors.load(out)


class CompiledTrainer:
    """The kernel's two matrices over a corpus, as `EpochLoop` trains them."""

    part_tokens = Word2Vec.chunk_tokens

    def __init__(
        self, corpus: TrainingCorpus, options: Word2VecOptions, *, threads: int, hogwild: bool
    ) -> None:
        fields = asdict(options)
        for name in ("min_count", "patience"):  # not the kernel's
            del fields[name]
        self.model = Word2Vec(corpus.words.counts, **fields, hogwild=hogwild)
        self.threads = threads
        self._arrays = core_arrays(corpus.data, corpus.words)
        self._held_out = None if corpus.held_out is None else core_arrays(corpus.held_out, corpus.words)

    def train(self, epoch: int, begin: int, end: int, progress: ProgressCallback) -> EpochStatistics:
        """Train on the centres between two positions of an epoch."""
        return self.model.train(
            *self._arrays,
            epoch=epoch,
            begin=begin,
            end=end,
            threads=self.threads,
            progress=partial(progress, PHASE),
        )

    def evaluate(self) -> EpochStatistics | None:
        """The loss on the held-out corpus, if there is one."""
        return None if self._held_out is None else self.model.evaluate(*self._held_out, threads=self.threads)

    def figures(self, loss: float) -> dict[str, float]:
        """Nothing else."""
        return {}

    def matrices(self) -> dict[str, Matrix]:
        """Views of both."""
        return {"input": self.model.input, "output": self.model.output}

    def restore(self, matrices: Mapping[str, Matrix]) -> None:
        """Put some of them back."""
        for name, matrix in matrices.items():
            self.matrices()[name][:] = matrix
