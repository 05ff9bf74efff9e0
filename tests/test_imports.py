"""The house rules of imports: who may import whom, and what stays unloaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import growsearch
from growsearch.networks.layers import LAYERS

PACKAGE = Path(growsearch.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# The rooms in the order of who may import whom: a room imports rooms of the rows above its own
# row, and rooms of its own row or of a later one only where NEIGHBOURS says so.
ROWS = (
    ("errors", "checks", "machine", "atomic", "quiet"),
    ("net2net",),
    ("networks", "datasets"),
    ("growth", "training", "interop"),
    ("trials",),
    ("space", "execution", "evidence"),
    ("study",),
    ("figures",),
    ("driver", "upkeep", "reproduction"),
    ("reports", "api", "continuation", "exports", "tracking", "doctor"),
    ("page",),
    ("", "testing"),
    ("cli",),
    ("__main__",),
)
NEIGHBOURS = {
    "checks": {"errors", "machine"},
    "atomic": {"errors"},
    "continuation": {"api"},
    # Network.to_keras is a door for users: it loads interop when it is called.
    "networks": {"interop"},
    # SearchResult.plot_lineage and its like and its export are doors too: they load figures and
    # exports when they are called; the reports read the record of an export.
    "study": {"figures", "exports"},
    "reports": {"exports", "doctor"},
}
# Heavy or characteristic packages -> the only rooms, or folders in them, that may import them.
OWNERS = {
    "tensorflow": {"training/slim", "exports/formats"},
    "tf_slim": {"training/slim"},
    "optuna": {"study", "driver", "upkeep", "tracking"},
    "optuna_dashboard": {"study"},
    "sqlalchemy": {"study"},
    "tenacity": {"study"},
    "click": {"cli"},
    "rich": {"reports", "cli"},
    "matplotlib": {"reports", "figures"},
    "plotly": {"figures", "page", "study/draws.py", "study/shown.py"},
    "pandas": {"study"},
    "jinja2": {"page"},
    "markupsafe": {"page"},
    "tomli_w": {"page"},
    "keras": {"interop", "exports"},
    "sklearn": {"datasets"},
    "pooch": {"datasets"},
    "PIL": {"datasets"},
    "pydantic": {"space", "study", "reproduction", "reports"},
    "safetensors": {"networks"},
    "pytest": {"testing"},
    "ray": {"execution/ray.py"},
    "onnxruntime": {"exports/formats"},
    "ai_edge_litert": {"exports/formats"},
    "openvino": {"exports/formats"},
    "mlflow": {"tracking/mlflow.py"},
    "tensorboardX": {"tracking/tensorboard.py"},
    "wandb": {"tracking/wandb.py"},
}

# Packages that neither an import of growsearch nor its help loads.
HEAVY = {"tensorflow", "tf_slim", "optuna", "keras", "sklearn", "ray", "plotly", "pandas"}


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def our_parts(names: set[str]) -> set[str]:
    parts = set()
    for name in names:
        first, _, rest = name.partition(".")
        if first == "growsearch":
            part = rest.split(".")[0]
            is_part = (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file()
            parts.add(part if part and is_part else "")
    # "from growsearch import datasets" names the package too: what counts is the part.
    return parts - {""} if parts - {""} else parts


def allowed(part: str) -> set[str]:
    """Return the rooms that a room may import."""
    row = next(number for number, rooms in enumerate(ROWS) if part in rooms)
    return {room for rooms in ROWS[:row] for room in rooms} | NEIGHBOURS.get(part, set())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_in_the_house_direction(path):
    """A module imports rooms that stand before its own, and those that NEIGHBOURS names."""
    part = part_of(path)
    for imported in our_parts(imports(path)) - {part}:
        assert imported in allowed(part), f"{part} imports {imported}"
    file = path.relative_to(PACKAGE)
    folder = file.parent.as_posix()
    for package, owners in OWNERS.items():
        if any(name.split(".")[0] == package for name in imports(path)):
            assert {part, folder, file.as_posix()} & owners, f"{folder or part} imports {package}"


def test_the_numpy_core_needs_numpy_and_scipy_only():
    """The core imports the standard library, numpy, scipy and itself: its folder can be copied."""
    known = {"numpy", "scipy"} | set(sys.stdlib_module_names)
    paths = list((PACKAGE / "net2net").rglob("*.py"))
    assert len(paths) > 5
    for path in paths:
        for name in imports(path):
            is_core = f"{name}.".startswith("growsearch.net2net.")
            assert is_core or name.split(".")[0] in known, f"{path.name} imports {name}"


def test_growth_names_no_layer_type():
    """An operation asks the layers, and takes new ones from ``networks/layers/fitting.py``."""
    types = {layer.__name__ for layer in LAYERS.values()}
    for path in (PACKAGE / "growth").glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not names & types, f"{path.name} names {names & types}"


def test_nothing_imports_the_command_line():
    """The command line is the edge: only its own entry imports it."""
    for path in MODULES:
        if part_of(path) not in ("cli", "__main__"):
            assert not any(n.startswith("growsearch.cli") for n in imports(path)), path


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
    )
    return {name.split(".")[0] for name in out.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import growsearch",
        "from growsearch.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "import growsearch.net2net",
    ],
)
def test_heavy_packages_stay_unloaded(code):
    """Importing growsearch, and its help, load neither TensorFlow, Optuna nor Ray."""
    assert not loaded_after(code) & HEAVY


def test_every_public_name_can_be_had():
    """Each name of ``growsearch.__all__`` loads, and unknown names are AttributeErrors."""
    for name in growsearch.__all__:
        assert getattr(growsearch, name) is not None
    assert set(growsearch.__all__) <= set(dir(growsearch))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = growsearch.nonsense
