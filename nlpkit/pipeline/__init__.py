"""The main job end to end: a recipe (TOML) becomes stages, a run folder and a report."""

from nlpkit.pipeline.plan import PlannedStage
from nlpkit.pipeline.recipe import parse_override
from nlpkit.pipeline.record import StageRecord
from nlpkit.pipeline.run import Plan, Run, plan_recipe, run_recipe
from nlpkit.pipeline.stages import demo_recipe

__all__ = [
    "Plan",
    "PlannedStage",
    "Run",
    "StageRecord",
    "demo_recipe",
    "parse_override",
    "plan_recipe",
    "run_recipe",
]
