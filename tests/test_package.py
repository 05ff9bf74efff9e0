"""The wheel: one package with its search spaces, its types and its version."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import growsearch

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

needs_build = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("build", "hatchling"))),
    reason="needs build and hatchling, as in: pip install build hatchling",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel that hatchling builds of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def names(wheel: zipfile.Path) -> list[str]:
    return wheel.root.namelist()


@needs_build
def test_the_wheel_holds_one_package(wheel: zipfile.Path) -> None:
    """Beside its metadata a wheel brings the name growsearch and no other."""
    version = growsearch.__version__
    assert {name.split("/")[0] for name in names(wheel)} == {
        *("growsearch", f"growsearch-{version}.dist-info")
    }


@needs_build
def test_the_wheel_holds_every_module_and_nothing_else(wheel: zipfile.Path) -> None:
    """All modules are shipped, with the mark that they are typed; tests and caches are not."""
    shipped = {name for name in names(wheel) if re.match(r"growsearch/.*[^/]$", name)}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "growsearch").rglob("*.py")}
    spaces = {f"growsearch/search_spaces/{p.name}" for p in (ROOT / "search_spaces").glob("*")}
    templates = {str(p.relative_to(ROOT)) for p in (ROOT / "growsearch").rglob("templates/*")}
    assert spaces
    assert templates
    assert shipped == modules | spaces | templates | {"growsearch/py.typed"}


@needs_build
def test_the_wheel_runs_by_itself(wheel: zipfile.Path, tmp_path: Path) -> None:
    """Unpacked far from the checkout, it lists its spaces and prints its version."""
    wheel.root.extractall(tmp_path)
    for arguments, expected in ((["spaces"], "mnist_residual"), (["--version"], "version")):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "growsearch", *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path / "growsearch",
            env={"PYTHONPATH": str(tmp_path)},
        )
        assert expected in done.stdout
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import growsearch; print(growsearch.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert where.stdout.startswith(str(tmp_path))


@needs_build
def test_the_wheel_installs_one_command(wheel: zipfile.Path) -> None:
    """The command growsearch is the entry of the command line."""
    (entry,) = (name for name in names(wheel) if name.endswith("entry_points.txt"))
    text = (wheel / entry).read_text(encoding="utf-8")
    assert re.findall(r"^\S+ = \S+$", text, re.MULTILINE) == ["growsearch = growsearch.cli:entry"]


def test_there_is_one_version() -> None:
    """Package, project file and installed metadata have the same version."""
    assert growsearch.__version__ == PROJECT["version"]
    assert growsearch.__version__ == importlib.metadata.version("growsearch")


def test_the_version_is_printed() -> None:
    """``growsearch --version`` prints the version of the package."""
    done = subprocess.run(
        [sys.executable, "-m", "growsearch", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == f"growsearch, version {growsearch.__version__}\n"


def test_the_changelog_begins_with_the_version() -> None:
    """The newest section of the changelog is of the version that is shipped, released or not."""
    newest = re.search(r"^## (?:Unreleased \()?([\d.]+)\)?$", CHANGELOG, re.MULTILINE)
    assert newest is not None
    assert newest[1] == growsearch.__version__


def test_changes_stand_in_the_groups_of_keepachangelog() -> None:
    """Each section has groups of known names, in one order, and every change stands in a group."""
    known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for section in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
        before, *groups = re.split(r"^### ", section, flags=re.MULTILINE)
        assert "\n- " not in before
        names = [group.splitlines()[0] for group in groups]
        assert names == [name for name in known if name in names]


def test_a_change_is_a_sentence() -> None:
    """Every entry of the changelog is one line that ends in a full stop."""
    entries = [line for line in CHANGELOG.splitlines()[1:] if line and not line.startswith("#")]
    for entry in entries[1:]:
        assert re.fullmatch(r"- .*\.", entry), entry


def test_the_readmes_python_is_the_projects() -> None:
    """README and project file ask for the same Python."""
    least = PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {least} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")
