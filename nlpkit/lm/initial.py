"""Training on from weights that are there: another run's, or imported ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nlpkit.errors import UsageError
from nlpkit.files import sha256_file
from nlpkit.lm.config import RecurrentConfig, TransformerConfig
from nlpkit.lm.layers import STYLES
from nlpkit.lm.model import LanguageModel
from nlpkit.lm.run import RunConfig, read_run_config, require_weights
from nlpkit.training.checkpoints import load_tensors, load_weights
from nlpkit.training.processes import load_whole_state

FREE = {"context_length", "dropout", "variational", "word_dropout", "weight_dropout"}
"""What of a model's config its weights leave open."""

POSITIONS = "positions.weight"
"""Learned positions, (context_length, n_embd)."""


@dataclass(frozen=True)
class InitialWeights:
    """The weights of a run folder, for another run to begin with."""

    run: Path
    config: RunConfig
    sha256: str
    """Of the file of weights."""

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given options, with those of the model that the weights are of.

        Raises:
            UsageError: a given option asks for another model.
        """
        model = self.config.model
        own = {"model": "transformer", **asdict(model)}
        del own["n_vocab"]
        if isinstance(model, RecurrentConfig):
            own["model"] = own.pop("cell")
        for key, value in own.items():
            if key not in FREE and given.get(key, value) != value:
                raise UsageError(
                    f"the weights of {self.run} are of a model with {key} {value}, not {given[key]}: leave "
                    "the option out."
                )
        longest = model.context_length
        if self._has_positions and given.get("context_length", 0) > longest:
            raise UsageError(
                f"the weights of {self.run} have learned positions for {longest} tokens: give at most that "
                f"as --context-length, not {given['context_length']}."
            )
        return {**own, **given}

    def load_into(self, model: LanguageModel) -> None:
        """Put the weights into a model on the CPU; of learned positions as many as its context has.

        Raises:
            CorruptFileError: the file is damaged or does not fit its config.json.
        """
        path = self.run / "model.safetensors"
        context = model.config.context_length
        if not self._has_positions or context == self.config.model.context_length:
            load_weights(model, path)
            return
        tensors = load_tensors(path)
        load_whole_state(model, {**tensors, POSITIONS: tensors[POSITIONS][:context]})

    @property
    def _has_positions(self) -> bool:
        model = self.config.model
        return isinstance(model, TransformerConfig) and not STYLES[model.block].rotary


def open_initial(run: Path) -> InitialWeights:
    """The weights of a run folder.

    Raises:
        UsageError: the folder holds no run, or one without weights yet.
        CorruptFileError: config.json is damaged.
    """
    config = read_run_config(run)
    return InitialWeights(run, config, sha256_file(require_weights(run)))
