"""The house rules of imports: who may import whom, and what stays unloaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import growsearch

PACKAGE = Path(growsearch.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Part -> the parts of growsearch that it may import. A part is a folder, or a module at the top.
ALLOWED = {
    "errors": set(),
    "checks": {"errors"},
    "net2net": set(),
    "statistics": set(),
    "datasets": {"errors"},
    # Network.to_keras is a door for users: it loads keras_models when it is called.
    "networks": {"checks", "errors", "net2net", "keras_models"},
    "keras_models": {"errors", "networks"},
    "growth": {"checks", "errors", "net2net", "networks"},
    "trainers": {"checks", "errors", "datasets", "networks"},
    "training": {"errors", "datasets", "networks", "trainers"},
    "driver": {"errors", "datasets", "networks", "growth", "statistics", "trainers"},
    "experiments": {"errors", "datasets", "networks", "growth", "trainers", "training"},
    "reports": {"errors", "networks", "driver", "experiments", "statistics"},
    "api": {"checks", "errors", "datasets", "driver", "trainers", "training"},
    "cli": {"", "errors", "api", "driver", "experiments", "reports", "training"},
    "__main__": {"cli"},
    "": {
        *("api", "datasets", "driver", "errors", "growth", "keras_models", "net2net", "networks"),
        *("experiments", "trainers", "training"),
    },
}
# Heavy or characteristic packages -> the only parts that may import them.
OWNERS = {
    "tensorflow": {"training"},
    "tf_slim": {"training"},
    "optuna": {"driver", "cli"},
    "optuna_dashboard": {"driver"},
    "click": {"cli"},
    "rich": {"reports", "cli"},
    "matplotlib": {"reports"},
    "keras": {"keras_models"},
    "sklearn": {"datasets"},
    "pooch": {"datasets"},
    "pydantic": {"driver", "experiments"},
    "safetensors": {"networks"},
}


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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_in_the_house_direction(path):
    """A module imports only the parts that stand before its own."""
    part = part_of(path)
    for imported in our_parts(imports(path)) - {part}:
        assert imported in ALLOWED[part], f"{part} imports {imported}"
    for package, owners in OWNERS.items():
        if any(name.split(".")[0] == package for name in imports(path)):
            assert part in owners, f"{part} imports {package}"


def test_the_numpy_core_needs_numpy_and_scipy_only():
    """The core imports the standard library, numpy, scipy and itself."""
    known = {"numpy", "scipy", "growsearch"} | set(sys.stdlib_module_names)
    for path in (PACKAGE / "net2net").glob("*.py"):
        for name in imports(path):
            assert name.split(".")[0] in known, f"{path.name} imports {name}"


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
    """Importing growsearch, and its help, load neither TensorFlow nor Optuna."""
    assert not loaded_after(code) & {"tensorflow", "tf_slim", "optuna", "keras", "sklearn"}


def test_every_public_name_can_be_had():
    """Each name of ``growsearch.__all__`` loads, and unknown names are AttributeErrors."""
    for name in growsearch.__all__:
        assert getattr(growsearch, name) is not None
    assert set(growsearch.__all__) <= set(dir(growsearch))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = growsearch.nonsense
