"""Keys that follow from a plan's fields: what mypy reads of them is what pydantic checks."""

from __future__ import annotations

import ast
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from growsearch.space import plan_keys
from growsearch.training import TrainingPlan
from growsearch.training.fields import Interval, Key, OneOf, Switch, Whole
from growsearch.training.plan import plan_knobs

TYPES = {Whole: "int", Interval: "float", OneOf: "str", Switch: "bool"}
CLASSES = {Key.TRAINING: "TrainingKeys", Key.LAST: "LastKeys", Key.CHOICE: "ChoiceKeys"}


def written(name: str) -> dict[str, str]:
    """The fields of a class as they stand for mypy: name -> type and default."""
    module = ast.parse(Path(plan_keys.__file__).read_text(encoding="utf-8"))
    (found,) = (each for each in ast.walk(module) if getattr(each, "name", "") == name)
    assert isinstance(found, ast.ClassDef)
    stand = (each for each in found.body if isinstance(each, ast.AnnAssign))
    return dict(ast.unparse(each).split(": ", 1) for each in stand)


def derived(key: Key) -> dict[str, str]:
    """The same fields, by the rules of the plan's."""
    own, found = {field.name for field in fields(TrainingPlan)}, {}
    for knob in plan_knobs():
        if key not in knob.keys:
            continue
        kind = TYPES[type(knob.rule)]
        if key is Key.LAST:
            found[knob.name] = f"{kind} | None = None"
        elif key is Key.CHOICE:
            found[knob.name] = f"tuple[{kind}, {kind}] | None = None"
        else:
            holder = "TrainingPlan" if knob.name in own else "Augmentation"
            default = "" if knob.default is MISSING else f" = {holder}.{knob.name}"
            found[knob.name] = f"{kind} | None{default}" if knob.default is None else kind + default
    return found


@pytest.mark.parametrize("key", CLASSES, ids=lambda key: key.name)
def test_mypy_reads_the_fields_of_the_plan(key: Key) -> None:
    """A field of the plan stands for mypy in each section that has its key, and no other does."""
    assert written(CLASSES[key]) == derived(key)


@pytest.mark.parametrize("key", CLASSES, ids=lambda key: key.name)
def test_mypy_reads_the_fields_of_the_section(key: Key) -> None:
    """Names and order are those of the section that pydantic makes."""
    assert list(written(CLASSES[key])) == list(getattr(plan_keys, CLASSES[key]).model_fields)
