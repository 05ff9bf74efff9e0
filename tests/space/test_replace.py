"""A search space with some values replaced: merged by sections, checked as a whole."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from growsearch.errors import SearchSpaceError
from growsearch.space import SearchSpace
from tests.space_values import JUNK, refused

DIGITS = SearchSpace.load("digits")
POLISHED = DIGITS.replace(
    name="polished",
    pruning={"tolerance": 0.05, "warmup_steps": 4},
    polish={
        "share": 0.8,
        "cycles": 2,
        "learning_rate": 0.4,
        "steps": 70,
        "last": {"schedule": "constant", "ema": 0.9995, "zoom": 0.1},
    },
    judge={"rule": "not_inferior", "held_out": 0.2},
)


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_a_space_with_nothing_replaced_is_the_same(name: str) -> None:
    """No value changes on the way through the checks."""
    space = SearchSpace.load(name)
    assert space.replace() == space
    for section in SearchSpace.model_fields:
        assert space.replace(**{section: getattr(space, section)}) == space


def test_a_mapping_changes_the_keys_that_it_names() -> None:
    """The other keys of the section, the other sections and the old space stay as they are."""
    space = DIGITS.replace(
        teacher={"input_shape": (32, 32, 3)}, limits=MappingProxyType({"width": 64}), name="mine"
    )
    assert space.architecture.input_shape == (32, 32, 3)
    assert (space.limits.width, space.limits.layers) == (64, DIGITS.limits.layers)
    assert space.name == "mine"
    changed = {"teacher", "limits", "name"}
    assert space.model_dump(exclude=changed) == DIGITS.model_dump(exclude=changed)
    assert SearchSpace.load("digits") == DIGITS


def test_a_section_within_a_section_is_merged_too() -> None:
    """The last cycle of a polish keeps the keys that are not named."""
    space = POLISHED.replace(polish={"last": {"ema": 0.5}})
    assert space.polish is not None
    assert POLISHED.polish is not None
    assert space.polish.last is not None
    assert POLISHED.polish.last is not None
    assert space.polish.last.ema == 0.5
    assert space.polish.last.zoom == POLISHED.polish.last.zoom
    assert space.polish.share == POLISHED.polish.share


def test_a_value_that_is_no_section_is_replaced_as_a_whole() -> None:
    """A table of arms is one value; so is an architecture; so is a section given as such."""
    assert DIGITS.replace(controls={"arms": {"scratch": 0.5}}).controls.arms == {"scratch": 0.5}
    assert DIGITS.replace(controls={"arms": []}).controls.arms == {}
    graph = DIGITS.architecture.to_json()
    assert DIGITS.replace(teacher={"architecture": graph}).architecture == DIGITS.architecture
    assert DIGITS.replace(judge=POLISHED.judge).judge == POLISHED.judge
    bounds = DIGITS.limits.model_copy(update={"layers": 5, "kernel": None})
    assert DIGITS.replace(limits=bounds).limits == bounds


def test_none_removes_an_optional_section_or_value() -> None:
    """A mapping brings an optional section back."""
    assert POLISHED.replace(pruning=None, polish=None).pruning is None
    assert DIGITS.replace(limits={"width": None}).limits.width is None
    pruning = DIGITS.replace(pruning={"tolerance": 0.1}).pruning
    assert pruning is not None
    assert (pruning.tolerance, pruning.warmup_steps) == (0.1, 0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"limits": {"width": 63}}, "limits.width: expected at least 64, the width of the teach"),
        ({"limits": DIGITS.limits.model_copy(update={"width": 63})}, "limits.width: expected at"),
        ({"limits": {"layers": 1}}, "limits: expected room for the teacher"),
        ({"teacher": {"input_shape": (4, 4)}}, "teacher.input_shape: "),
        ({"teacher": {"steps": "5"}}, "teacher.steps: expected a valid integer; got '5'"),
        ({"teacher": None}, "teacher: expected a table; got None"),
        ({"teacher": POLISHED.judge}, "teacher."),
        ({"training": 5}, "training: expected a table; got 5"),
        ({"training": {"stepz": 5}}, "training.stepz: expected no such key, but steps"),
        ({"traning": {"steps": 5}}, "traning: expected no such key, but name, data"),
        ({"training": {5: 5}}, "training.5: "),
        ({"pruning": {}}, "pruning.tolerance: expected a value, got none"),
        ({"polish": {"last": {"steps": 5}}}, "polish.last.steps: expected no such key"),
        ({"self": 1}, "self: expected no such key"),
    ],
)
def test_what_does_not_fit_is_one_line(changes: dict[str, Any], named: str) -> None:
    """The line holds key, expected and got, and the old space stays as it is."""
    space = POLISHED if "polish" in changes else DIGITS
    before = space.model_dump_json()
    text = refused(lambda: space.replace(**changes))
    assert text.startswith(f"search space: {named}")
    assert "got" in text
    assert space.model_dump_json() == before


def _sections(space: SearchSpace) -> dict[str, list[str]]:
    plain = space.model_dump()
    return {name: list(plain[name]) for name in plain if isinstance(plain[name], dict)}


def test_junk_in_any_place_is_a_space_or_one_line() -> None:
    """Each of 1,000 damaged changes gives a space that loads again, or a SearchSpaceError."""
    replaced = 0
    for seed in range(1000):
        rng = random.Random(seed)
        space = rng.choice([DIGITS, POLISHED])
        section, keys = rng.choice(list(_sections(space).items()))
        junk = rng.choice(JUNK)
        change = {rng.choice([*keys, "other"]): junk} if rng.random() < 0.8 else junk
        try:
            found = space.replace(**{section: change})
        except SearchSpaceError as error:
            text = str(error)
        else:
            replaced, text = replaced + 1, "fine"
            assert SearchSpace.parse(found.model_dump(mode="json")) == found, seed
        assert "\n" not in text, seed
        assert 0 < len(text) < 1500, seed
    assert 0 < replaced < 500


def test_a_space_is_frozen() -> None:
    """Only a copy can differ."""
    with pytest.raises(ValidationError, match="frozen"):
        DIGITS.name = "other"


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"steps": np.int64(3), "ema": np.float32(0.5)}},
        {"teacher": {"input_shape": (np.int32(32), np.int16(32), 3)}},
        {"teacher": {"input_shape": list(np.array([32, 32, 3]))}},
        {"choices": {"log2_factor": [np.float64(0.5), np.float32(1.5)]}},
        {"controls": {"arms": {"random": np.float32(0.5)}, "seeds": np.uint8(2)}},
        {"search": {"seed": np.int64(2**32 - 1)}, "limits": {"width": np.int64(4096)}},
    ],
)
def test_numpys_numbers_are_pythons(changes: dict[str, Any]) -> None:
    """A number of numpy is the same number of Python, which JSON can hold."""
    space = POLISHED.replace(**changes)
    for section, keys in changes.items():
        for key in keys:
            value = getattr(getattr(space, section), key)
            plain = list(value.values()) if isinstance(value, dict) else np.ravel(value).tolist()
            given = list(keys[key].values()) if isinstance(keys[key], dict) else np.ravel(keys[key])
            assert plain == list(given)
            held = value.values() if isinstance(value, dict) else value
            for each in held if isinstance(held, Iterable) else (held,):
                assert type(each) in (int, float)
    assert SearchSpace.parse(json.loads(space.model_dump_json())) == space


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"training": {"steps": np.float64(3.0)}}, "training.steps: expected a valid integer"),
        ({"training": {"steps": np.int64(-1)}}, "training.steps: expected"),
        ({"training": {"steps": np.array(3)}}, "training.steps: expected"),
        ({"training": {"flip": np.int64(1)}}, "training.flip: expected"),
        ({"training": {"steps": np.True_}}, "training.steps: expected"),
        ({"judge": {"margin": np.float64("nan")}}, "judge.margin: expected"),
    ],
)
def test_numpys_numbers_are_checked_as_pythons(changes: dict[str, Any], named: str) -> None:
    """Kind and bounds hold for numbers of numpy too; an array of one number is none."""
    assert refused(lambda: DIGITS.replace(**changes)).startswith(f"search space: {named}")
