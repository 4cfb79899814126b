from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nlpkit.pipeline import Run, run_recipe
from nlpkit.pipeline.stage import Outcome, Stage, StageContext

RECIPE = """\
name = "small"
seed = 7

[text]
inputs = ["one", "two"]

[count]
rate = 0.5

[train]
steps = 3
"""


@dataclass
class Pipeline:
    """Three stages of a line each over a text file, and a recipe that runs them.

    `text` reads `source`; `count` needs text; `train` needs count, is resumable, and stops at `stop_at`.
    """

    folder: Path
    ran: list[str] = field(default_factory=list)
    stop_at: int | None = None
    error: BaseException = field(default_factory=KeyboardInterrupt)

    @property
    def recipe(self) -> Path:
        return self.folder / "small.toml"

    @property
    def out(self) -> Path:
        return self.folder / "run"

    @property
    def source(self) -> Path:
        return self.folder / "source.txt"

    @property
    def stages(self) -> list[Stage]:
        return [
            Stage("text", self.text, {"inputs": list[str], "lines": bool}, reads=self.fingerprint),
            Stage("count", self.count, {"rate": float, "seed": int}, needs=("text",)),
            Stage("train", self.train, {"steps": int, "model": str}, needs=("count",), resumable=True),
            Stage("page", self.page, {}, uses=("train", "count"), publish=self.publish),
        ]

    def fingerprint(self, parameters: Mapping[str, Any]) -> str:
        return self.source.read_text()

    def text(self, context: StageContext) -> Outcome:
        self.ran.append("text")
        (context.folder / "text.txt").write_text(self.source.read_text())
        return Outcome("a text", {"documents": 1})

    def count(self, context: StageContext) -> Outcome:
        self.ran.append("count")
        (context.folder / "deep").mkdir()
        text = (context.inputs["text"] / "text.txt").read_text()
        (context.folder / "deep" / "count").write_text(str(len(text)))
        context.progress("counting", 1, 1)
        return Outcome("a count", {"rate": context.parameters["rate"]})

    def train(self, context: StageContext) -> Outcome:
        """Append a line a step to `steps`, going on from what is there."""
        path = context.folder / "steps"
        done = len(path.read_text().splitlines()) if path.exists() else 0
        for step in range(done, context.parameters["steps"]):
            if step == self.stop_at:
                raise self.error
            self.ran.append(f"step {step}")
            with path.open("a") as file:
                file.write(f"{step}\n")
        return Outcome("a model")

    def page(self, context: StageContext) -> Outcome:
        self.ran.append("page")
        return Outcome("a page", {"inputs": sorted(context.inputs)})

    def publish(self, out: Path) -> None:
        (out / "report.html").write_text((out / "run.json").read_text())

    def run(self, **overrides: Any) -> Run:
        """Run the recipe; `train__steps=4` overrides train.steps."""
        dotted = {key.replace("__", "."): value for key, value in overrides.items()}
        self.ran.clear()
        return run_recipe(self.recipe, stages=self.stages, out=self.out, overrides=dotted)

    def statuses(self, **overrides: Any) -> dict[str, tuple[str, str]]:
        from nlpkit.pipeline import plan_recipe

        dotted = {key.replace("__", "."): value for key, value in overrides.items()}
        plan = plan_recipe(self.recipe, stages=self.stages, out=self.out, overrides=dotted)
        return {planned.stage.name: (planned.status, planned.reason) for planned in plan.stages}

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.recipe.write_text(RECIPE)
    pipeline.source.write_text("some text")
    return pipeline


@pytest.fixture
def write_recipe(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
