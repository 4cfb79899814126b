"""The main job end to end: a recipe (TOML) becomes stages, a run folder and a report."""

from nlpkit.pipeline.recipe import parse_override
from nlpkit.pipeline.run import Plan, Run, plan_recipe, run_recipe

__all__ = ["Plan", "Run", "parse_override", "plan_recipe", "run_recipe"]
