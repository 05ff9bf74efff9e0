"""The documents: every key of a search space, every link, and the workflow of the forge."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from growsearch.exports import FORMATS
from growsearch.growth import SEARCHED, TREATMENTS
from growsearch.networks.network import INITIALIZERS
from growsearch.space import SearchSpace, sections, trainings
from growsearch.training.fields import OneOf
from growsearch.training.plan import plan_knobs
from growsearch.trials.arms import ARMS, CANDIDATE, controls
from growsearch.trials.demands import DEMANDS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "search_spaces.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.MULTILINE)
SECTIONS = [
    *(trainings.Teacher, sections.Choices, sections.Bounds, trainings.BriefTraining),
    *(sections.Controls, sections.Judge, sections.Pruning, trainings.Polish, sections.Trunk),
    sections.Search,
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_has_a_row(section: type[BaseModel]) -> None:
    """A new key needs a row that describes it."""
    assert set(section.model_fields) <= set(ROWS)


def test_every_row_is_a_key() -> None:
    """A key that is removed leaves no row."""
    keys = {name for section in SECTIONS for name in section.model_fields}
    top = {name for name in SearchSpace.model_fields if f"[{name}]" not in TEXT}
    assert top == {"name", "data", "stand_in"}
    assert set(ROWS) == keys | top


@pytest.mark.parametrize(
    "choices",
    [
        *(SEARCHED, controls(), TREATMENTS, INITIALIZERS, trainings.Ending.model_fields),
        get_args(sections.Rule),
        get_args(sections.Fitted),
        DEMANDS,
        *(knob.rule.choices for knob in plan_knobs() if isinstance(knob.rule, OneOf)),
    ],
)
def test_every_choice_is_named(choices: Any) -> None:
    """In code type."""
    for choice in choices:
        assert f"`{choice}`" in TEXT, choice


def test_the_documents_give_the_questions_of_the_arms() -> None:
    """The README's table and the list of docs/search_spaces.md hold the rows' own questions."""
    questions = {arm: row.question for arm, row in ARMS.items()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## What the arms mean\n")[2].partition("\n## ")[0]
    table = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", section, flags=re.MULTILINE))
    assert table == questions
    section = TEXT.partition("## `[controls]`")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^- `(\w+)`: (.+)$", section, flags=re.MULTILINE))
    assert listed == {arm: text for arm, text in questions.items() if arm != CANDIDATE}


def test_the_forge_runs_the_projects_checks() -> None:
    """The workflow calls .ci/run, on the least and on the newest Python of the project file."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").read_text().startswith("#!/usr/bin/env bash\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = [c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c]
    assert job["strategy"]["matrix"]["python"] == [ours[0], ours[-1]]
    assert ours[0] == project["requires-python"].removeprefix(">=")
    (setup,) = [step for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert setup["with"]["python-version"] == "${{ matrix.python }}"


DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "benchmarks").glob("*.md"),
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_tests_of_the_documents_exist(path: Path) -> None:
    """A link leads to a file, and a test, benchmark or example that is named is there."""
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    named = re.findall(r"(?:tests|benchmarks|examples)/[\w/]+\.py", text)
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/search_spaces.md"])
def test_names_of_growsearch_are_todays(name: str) -> None:
    """A dotted name in code type is a module, or a name in one."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for dotted in re.findall(r"`(growsearch(?:\.\w+)+)(?:\(.*?\))?`", text):
        resolved = pkgutil.resolve_name(dotted)
        assert resolved is not None


def test_the_defaults_of_a_trunk_are_told() -> None:
    """Each key of ``[trunk]`` has its default in its row."""
    section = TEXT.partition("## `[trunk]`")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (none|[\d.,]+) \|", section, flags=re.MULTILINE))
    fields = sections.Trunk.model_fields
    values = {
        name: None if text == "none" else float(text.replace(",", ""))
        for name, text in told.items()
    }
    assert values == {name: field.default for name, field in fields.items()}


def test_every_format_of_an_export_is_told() -> None:
    """docs/export.md has a row for each format: its suffixes, its tolerance, its extra."""
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([\w-]+)` \| (.*?) \|.*\| ([\de.-]+) \| (.*?) ?\|$", text, re.MULTILINE
    )
    assert [name for name, *_ in rows] == list(FORMATS)
    for name, files, tolerance, install in rows:
        row = FORMATS[name]
        assert tuple(re.findall(r"`(\.\w+)`", files)) == (*row.suffixes, *row.beside)
        assert float(tolerance) == row.tolerance
        assert install == (f"`growsearch[{row.extra}]`" if row.extra else "")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for row in FORMATS.values():
        named = {
            re.split(r"[<>=]", each)[0].replace("-", "_") for each in extras.get(row.extra, [])
        }
        assert named >= set(row.modules)
