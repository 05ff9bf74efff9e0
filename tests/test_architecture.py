"""docs/architecture.md and CONTRIBUTING.md say what the code does: paths, names, tables, lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from growsearch.driver.opening import FILES
from growsearch.execution.workers import IMAGES
from growsearch.study import attributes
from growsearch.study.attributes.base import StudyAttribute
from growsearch.study.database import DATABASE
from growsearch.study.open import CONTROL_SUFFIX, WEIGHTS
from growsearch.study.run_id import FILE
from growsearch.study.shown import ARTIFACTS
from growsearch.trials.progress import FOLDER
from tests.command_line import ROOT
from tests.test_imports import NEIGHBOURS, OWNERS, ROWS

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FOLDERS = ("growsearch", "tests", "docs", "examples", "benchmarks", "search_spaces", ".github")
CODE = re.compile(r"`([^`\n]+)`")


def paths_of(text: str) -> list[str]:
    """Return what stands in code type or in a command and looks like a path of the checkout."""
    words = [word for code in re.findall(r"`+([^`]+)`+", text) for word in code.split()]
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    return [
        *(word for word in words if word.partition("/")[0] in FOLDERS and "/" in word),
        *links,
    ]


@pytest.mark.parametrize(
    ("text", "folder"),
    [(CONTRIBUTING, ROOT), (ARCHITECTURE, ROOT)],
    ids=["CONTRIBUTING.md", "architecture.md"],
)
def test_every_path_exists(text: str, folder: Path) -> None:
    """A file that moves takes its name in the documents along."""
    paths = paths_of(text)
    assert len(paths) > 10
    assert [path for path in paths if not (folder / path).exists()] == []


@pytest.mark.parametrize("text", [CONTRIBUTING, ARCHITECTURE], ids=["CONTRIBUTING", "architecture"])
def test_every_name_is_in_its_file(text: str) -> None:
    """A file defines the name that a document places in it by "`NAME` in `file`"."""
    found = re.findall(r"`(\w+)` in\s+`([\w./]+\.py)`", text)
    assert found
    for name, path in found:
        assert name in defined(ROOT / path), f"{path} does not define {name}"


def defined(path: Path) -> set[str]:
    """Return the names that a module assigns or defines, those of its classes included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


# -- docs/architecture.md ------------------------------------------------------------------------


def drawn() -> set[Path]:
    """Return the paths of the drawing of the tree."""
    (drawing,) = re.findall(r"```\n(growsearch/\n.*?)```", ARCHITECTURE, re.DOTALL)
    paths: set[Path] = set()
    above: list[Path] = [ROOT]
    for line in drawing.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r" {2,}", line.strip())[0].split()
        del above[depth + 1 :]
        for name in names:
            paths.add(above[depth] / name)
        if names[0].endswith("/"):
            above.append(above[depth] / names[0])
    return paths


def test_the_drawing_is_of_the_tree() -> None:
    """Every path that is drawn exists, and every folder of the package is drawn."""
    paths = drawn()
    assert sorted(str(path) for path in paths if not path.exists()) == []
    package = ROOT / "growsearch"
    folders = {path.parent for path in package.rglob("*.py")}
    assert folders <= paths
    assert {path for path in package.glob("*.py") if not path.stem.startswith("_")} <= paths


def tables() -> Iterator[list[list[str]]]:
    """Yield the document's tables: for each row the code words of each cell."""
    for table in re.findall(r"(?:^\|.*\n)+", ARCHITECTURE, re.MULTILINE):
        rows = [row.strip().strip("|").split("|") for row in table.splitlines()]
        yield [[cell.strip() for cell in row] for row in rows]


def table(*heading: str) -> list[list[str]]:
    """Return the rows of the one table with a heading."""
    (found,) = [rows[2:] for rows in tables() if rows[0] == list(heading)]
    return found


def test_the_rows_of_imports_are_those_that_are_enforced() -> None:
    """The rows of imports in the document are those of tests/test_imports.py."""
    written = [tuple(CODE.findall(rooms)) for _, rooms in table("row", "rooms")]
    assert written == [tuple(room or "growsearch" for room in rooms) for rooms in ROWS]
    numbers = [number for number, _ in table("row", "rooms")]
    assert numbers == [str(place) for place in range(1, len(ROWS) + 1)]


def test_the_exceptions_are_those_that_are_enforced() -> None:
    """Imports within a row, and the owners of heavy packages, agree too."""
    beside = {room: set(CODE.findall(cell)) for room, cell in table("room", "may also import")}
    assert beside == {f"`{room}`": others for room, others in NEIGHBOURS.items()}
    owners = {name: set(CODE.findall(cell)) for name, cell in table("package", "imported in")}
    assert owners == {f"`{name}`": rooms for name, rooms in OWNERS.items()}


def test_the_loop_is_quoted() -> None:
    """The lines of both loops stand in their modules as they stand in the document."""
    driver = ROOT / "growsearch" / "driver"
    loops = [driver / "loop.py", driver / "trunk" / "loop.py", driver / "loop.py"]
    quoted = re.findall(r"```python\n(.*?)```", ARCHITECTURE, re.DOTALL)
    for lines, path in zip(quoted, loops, strict=True):
        assert lines in path.read_text(encoding="utf-8")
    steps = {name.strip("`") for name, _ in table("step", "does")}
    called = set(re.findall(r"(\w+)\((?:run|session|state)\b", "".join(quoted)))
    assert steps == called


def test_the_values_are_in_their_modules() -> None:
    """Each value that flows is a class of the module that the document names."""
    for name, module, _ in table("value", "module", "is"):
        assert name.strip("`") in defined(ROOT / module.strip("`"))


def test_the_attributes_are_those_of_the_study() -> None:
    """Every attribute of a study has a row, with its class."""
    written = {(name, kind) for name, kind, _ in table("attribute of the study", "class", "is")}
    classes = [
        value
        for value in vars(attributes).values()
        if isinstance(value, type)
        and issubclass(value, StudyAttribute)
        and "attribute" in vars(value)
    ]
    assert written == {(f"`{each.attribute}`", f"`{each.__name__}`") for each in classes}


def test_the_files_of_a_run_are_named() -> None:
    """Database, weights and identity have the names that the code gives them."""
    names = [name.strip("`") for name, _ in table("in the run folder", "is")]
    folders = [f"{name}/" for name in (IMAGES, FOLDER, ARTIFACTS)]
    assert names == [DATABASE, f"{WEIGHTS}/", FILE, *folders, FILES, ".lock"]
    assert f"`{CONTROL_SUFFIX}`" in ARCHITECTURE
