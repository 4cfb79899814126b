"""Language models: recurrent and Transformer, trained on token shards, measured in bits per byte."""

from nlpkit.lm.config import ModelConfig, RecurrentConfig, TransformerConfig
from nlpkit.lm.evaluate import Evaluation, evaluate_lm
from nlpkit.lm.generate import generate
from nlpkit.lm.model import LanguageModel, build_model
from nlpkit.lm.presets import PRESETS, LmOptions
from nlpkit.lm.run import LoadedRun, load_run
from nlpkit.lm.train import TrainSummary, train_lm

__all__ = [
    "PRESETS",
    "Evaluation",
    "LanguageModel",
    "LmOptions",
    "LoadedRun",
    "ModelConfig",
    "RecurrentConfig",
    "TrainSummary",
    "TransformerConfig",
    "build_model",
    "evaluate_lm",
    "generate",
    "load_run",
    "train_lm",
]
