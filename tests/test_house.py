"""The rooms of the package: imports go down the floors, so that a reader of one room need not know those above."""

import ast
from pathlib import Path

import fairseq_align

FLOORS = (
    "errors version lazy",
    "files objectives ranges",
    "text results",
    "lexicon training",
    "data embeddings huggingface",
    "downstream alignment",
    "tasks models criterions derivation",
    "evaluation",
    "commands",
    "cli doctor",
)
TOP = f"{FLOORS[0]} {FLOORS[1]} {FLOORS[-1]}"
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}
PACKAGE = Path(fairseq_align.__file__).parent


def rooms(path: Path) -> set[str]:
    """The rooms that a module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    named += [f"{node.module}.{name.name}" for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names]
    named += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    parts = (name.split(".") for name in named)
    return {part[1] for part in parts if part[0] == "fairseq_align" and len(part) > 1 and part[1] in FLOOR}


def test_imports_go_down_or_stay_in_their_room():
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE]
    climbing = {
        f"{path.relative_to(PACKAGE)} -> {room}"
        for path in paths
        for own in [path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
        for room in rooms(path)
        if room != own and FLOOR[room] >= FLOOR[own]
    }
    assert len(paths) > 50 and climbing == set()


def test_nothing_lies_at_the_top_but_the_ground_and_the_roof():
    found = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert found <= set(TOP.split())
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == FLOOR.keys() - set(TOP.split())
