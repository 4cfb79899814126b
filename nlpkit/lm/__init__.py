"""Language models: recurrent and Transformer, trained on token shards, measured in bits per byte."""

from nlpkit.lm.compare import Comparison, Curve, compare_runs, plot_curves
from nlpkit.lm.config import ModelConfig, RecurrentConfig, TransformerConfig
from nlpkit.lm.evaluate import Evaluation, evaluate_lm
from nlpkit.lm.generate import generate
from nlpkit.lm.huggingface import ImportSummary, export_lm, import_lm
from nlpkit.lm.model import LanguageModel, build_model
from nlpkit.lm.presets import PRESETS, LmOptions
from nlpkit.lm.run import LoadedRun, load_run
from nlpkit.lm.train import TrainSummary, train_lm
from nlpkit.lm.verify import Verification, verify_lm

__all__ = [
    "PRESETS",
    "Comparison",
    "Curve",
    "Evaluation",
    "ImportSummary",
    "LanguageModel",
    "LmOptions",
    "LoadedRun",
    "ModelConfig",
    "RecurrentConfig",
    "TrainSummary",
    "TransformerConfig",
    "Verification",
    "build_model",
    "compare_runs",
    "evaluate_lm",
    "export_lm",
    "generate",
    "import_lm",
    "load_run",
    "plot_curves",
    "train_lm",
    "verify_lm",
]
