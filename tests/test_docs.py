"""The reference of search spaces names every key and every choice, with its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from growsearch.growth import GROWTHS, TREATMENTS
from growsearch.networks.network import INITIALIZERS
from growsearch.space import SearchSpace, sections
from growsearch.training.fields import OneOf
from growsearch.training.plan import plan_knobs
from growsearch.trials.arms import controls

TEXT = (Path(__file__).parents[1] / "docs" / "search_spaces.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.MULTILINE)
SECTIONS = [
    *(sections.Teacher, sections.Choices, sections.Bounds, sections.BriefTraining),
    *(sections.Controls, sections.Judge, sections.Pruning, sections.Polish, sections.Search),
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
        *(GROWTHS, controls(), TREATMENTS, INITIALIZERS, sections.LastCycle.model_fields),
        get_args(sections.Rule),
        *(knob.rule.choices for knob in plan_knobs() if isinstance(knob.rule, OneOf)),
    ],
)
def test_every_choice_is_named(choices: Any) -> None:
    """In code type."""
    for choice in choices:
        assert f"`{choice}`" in TEXT, choice
