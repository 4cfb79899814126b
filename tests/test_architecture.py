"""The house's rules on its own structure: imports point down, no circles, nothing heavy at the start."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# docs/architecture.md: a room may import lower floors only, and never a room on its own floor.
FLOORS = {
    "nlpkit.errors": 0,
    "nlpkit.progress": 0,
    "nlpkit.interrupts": 0,
    "nlpkit._core": 1,
    "nlpkit.files": 1,
    "nlpkit.temporary": 1,
    "nlpkit.text": 2,
    "nlpkit.tokenization": 3,
    "nlpkit.losses": 4,
    "nlpkit.training": 4,
    "nlpkit.embeddings": 5,
    "nlpkit.lm": 5,
    "nlpkit.vision": 6,
    "nlpkit.pipeline": 7,
    "cli": 8,
}
MAY_IMPORT_ONLY = {  # rooms held to less than "everything below"
    "nlpkit.losses": {"nlpkit.errors", "nlpkit.progress"},
    "nlpkit.training": {
        "nlpkit.errors",
        "nlpkit.progress",
        "nlpkit.interrupts",
        "nlpkit.files",
        "nlpkit.text",
    },
}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "cli" else ".".join(parts[:2])


def source_files() -> list[Path]:
    return sorted([*(ROOT / "nlpkit").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> set[str]:
    """Every nlpkit or cli module that a file imports, also inside functions, as absolute names."""
    package = (
        module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    )
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from nlpkit import _core` names a module, `from nlpkit.files import write_json` a function
            found.update(f"{module}.{alias.name}" if module == "nlpkit" else module for alias in node.names)
    return {name for name in found if name.split(".")[0] in ("nlpkit", "cli")}


def room_edges() -> set[tuple[str, str, str]]:
    edges = set()
    for path in source_files():
        source = room_of(module_name(path))
        for module in imported_modules(path):
            target = room_of(module)
            if target != source:
                edges.add((source, target, path.relative_to(ROOT).as_posix()))
    return edges


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module_name(path)) for path in source_files()} - {"nlpkit"}
    assert rooms <= set(FLOORS), "give the new room a floor here and in docs/architecture.md"


def test_imports_point_down() -> None:
    wrong = [
        f"{path}: {source} -> {target}"
        for source, target, path in room_edges()
        if source in FLOORS and target in FLOORS and FLOORS[target] >= FLOORS[source]
    ]
    assert not wrong


def test_restricted_rooms_import_only_what_they_may() -> None:
    wrong = [
        f"{path}: {source} -> {target}"
        for source, target, path in room_edges()
        if source in MAY_IMPORT_ONLY and target.startswith("nlpkit.") and target in FLOORS
        if target not in MAY_IMPORT_ONLY[source]
    ]
    assert not wrong


def test_modules_form_no_circle() -> None:
    graph = {
        module_name(path): {name for name in imported_modules(path) if name != module_name(path)}
        for path in source_files()
        if path.name != "__init__.py"
    }
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module in done:
            return
        for target in sorted(graph[module] & graph.keys()):
            visit(target, [*trail, module])
        done.add(module)

    for module in sorted(graph):
        visit(module, [])


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: path.stem)
def test_command_files_import_only_light_modules_at_their_top(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "typer", "nlpkit"}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        for name in names:
            assert name.split(".")[0] in allowed, f"{path.name} imports {name} at its top"
            assert name.split(".")[:2] != ["nlpkit", "_core"], (
                f"{path.name} imports the compiled core at its top"
            )


@pytest.mark.parametrize("module", ["nlpkit", "nlpkit.text", "nlpkit.tokenization", "nlpkit.cli.main"])
def test_starting_loads_nothing_heavy(module: str) -> None:
    heavy = {"torch", "sklearn", "scipy", "matplotlib", "pyarrow", "tiktoken"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""


def test_typer_and_rich_stay_in_the_command_line() -> None:
    for path in (ROOT / "nlpkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & {"typer", "rich"}, path.name


def test_the_committed_stub_matches_the_compiled_core(tmp_path: Path) -> None:
    def normal_form(text: str) -> str:
        return ast.dump(ast.parse(text))

    fresh = tmp_path / "_core.pyi"
    subprocess.run(
        [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "nlpkit._core", "-o", str(fresh)], check=True
    )
    committed = (ROOT / "nlpkit" / "_core.pyi").read_text(encoding="utf-8")
    assert normal_form(committed) == normal_form(fresh.read_text(encoding="utf-8")), "run `make stub`"
