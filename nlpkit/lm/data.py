"""What a language model is trained on: the splits of an encoded corpus and their vocabulary."""

from dataclasses import dataclass
from pathlib import Path

import torch

from nlpkit.errors import UsageError
from nlpkit.lm.placement import Placement
from nlpkit.lm.presets import TrainingPlan
from nlpkit.lm.run import RunConfig, Training, check_vocabulary
from nlpkit.lm.task import LanguageModelTask
from nlpkit.text.shards import TokenShards
from nlpkit.tokenization import Vocabulary, load_vocabulary
from nlpkit.training.processes import Processes


@dataclass(frozen=True)
class TrainingData:
    """The splits of an encoded corpus and their vocabulary."""

    train: TokenShards
    validation: TokenShards | None
    vocabulary: Vocabulary

    @property
    def sizes(self) -> dict[str, int]:
        """Of the training split."""
        index = self.train.index
        return {"tokens": index.tokens, "documents": index.documents, "text_bytes": index.text_bytes}

    def check_vocabulary(self, config: RunConfig, run: Path) -> None:
        """Raise where these data were not made with the vocabulary of a run."""
        place = self.train.folder.parent / "vocabulary"
        check_vocabulary(self.vocabulary, config.fingerprint, place, run)

    def check_belongs(self, config: RunConfig, run: Path) -> None:
        """Raise where these are not the data that a run was begun with."""
        self.check_vocabulary(config, run)
        if config.begun(run).train != self.sizes:
            raise UsageError(f"{run} was begun with other shards: bring those, or choose another --out.")

    def config(self, plan: TrainingPlan, dtype: torch.dtype, initial: str | None) -> RunConfig:
        """What config.json says of a run on these data; `initial`: the sum of the weights it begins with."""
        training = Training(plan, self.sizes, str(dtype).removeprefix("torch."), initial)
        return RunConfig(plan.model, self.train.index.fingerprint, training)

    def task(self, plan: TrainingPlan, placement: Placement, processes: Processes) -> LanguageModelTask:
        """Training a placed model on these data."""
        return LanguageModelTask(
            placement.model,
            plan,
            self.train,
            self.validation,
            self.vocabulary.document_end,
            dtype=placement.precision.dtype,
            network=placement.network,
            processes=processes,
        )


def open_data(shards: Path) -> TrainingData:
    """The splits and the vocabulary, all of one fingerprint."""
    train = TokenShards(shards / "train")
    fingerprint = train.index.fingerprint
    validation = None
    if (shards / "validation").is_dir():
        validation = TokenShards(shards / "validation", fingerprint=fingerprint)
        if not len(validation):
            raise UsageError(
                f"{shards / 'validation'} is empty: encode the corpus with a larger --validation, with "
                "--split tail, or with --validation 0 to train without one."
            )
    vocabulary = load_vocabulary(shards / "vocabulary")
    check_vocabulary(vocabulary, fingerprint, shards / "vocabulary", shards / "train")
    return TrainingData(train, validation, vocabulary)
