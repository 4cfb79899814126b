"""The training loop and what it stands on: data positions, optimizers, schedules, checkpoints."""

from nlpkit.training.config import config_from, refuse_unknown
from nlpkit.training.loop import Figures, LogCallback, no_log, run_training
from nlpkit.training.loop_config import LoopConfig
from nlpkit.training.muon import Muon
from nlpkit.training.optimizers import OptimizerConfig, build_optimizers
from nlpkit.training.positions import Documents, Positions, Streams, Windows, read_rows
from nlpkit.training.recomputation import RecomputeConfig
from nlpkit.training.task import Task

__all__ = [
    "Documents",
    "Figures",
    "LogCallback",
    "LoopConfig",
    "Muon",
    "OptimizerConfig",
    "Positions",
    "RecomputeConfig",
    "Streams",
    "Task",
    "Windows",
    "build_optimizers",
    "config_from",
    "no_log",
    "read_rows",
    "refuse_unknown",
    "run_training",
]
