"""Overrides of a search space: TOML values by dotted keys, blamed by the option they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from growsearch.space import Override, SearchSpace, read_shipped
from tests.space_values import refused


def test_overrides_are_toml_values() -> None:
    """Values are numbers, lists, text with or without quotation marks; the last of a key counts."""
    space = SearchSpace.load(
        "digits",
        [
            *("training.steps=7", "training.steps=8", "choices.learning_rate=[1e-5, 1e-4]"),
            *("training.slots=reset", 'teacher.optimizer="sgd"', "pruning.tolerance=0.1"),
            *(" search.trials = 3 ", "judge.margin=0.01 # a little"),
        ],
    )
    assert space.training.steps == 8
    assert space.choices.learning_rate == (1e-5, 1e-4)
    assert (space.training.slots, space.teacher.optimizer) == ("reset", "sgd")
    assert space.pruning is not None
    assert (space.pruning.tolerance, space.search.trials) == (0.1, 3)
    assert space.judge.margin == 0.01


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("steps", "expected KEY=VALUE"),
        ("=5", "expected KEY=VALUE"),
        ("training..steps=5", "expected KEY=VALUE"),
        (".steps=5", "expected KEY=VALUE"),
        (
            "training.steps.more=5",
            "training.steps.more: expected training.steps to be a table, got 60",
        ),
        ("training=5", "training"),
        ("training.steps=", "training.steps"),
        ("training.steps=many", "training.steps"),
        ("training.stepz=5", "training.stepz: expected no such key"),
        ("training.steps=5\nname = 'x'", "training.steps"),
        ("training.steps=" + "[" * 5000, "training.steps"),
        ("training.steps=0x" + "f" * 6000, "training.steps"),
        ("training.steps=" + "9" * 6000, "training.steps"),
        (".".join("a" * 3000) + "=1", "a: expected no such key"),
        ("training.a\nb=1", "no such key"),
    ],
)
def test_an_unusable_override_is_one_line(override: str, named: str) -> None:
    """The line names the form that was expected, or the key."""
    assert named in refused(SearchSpace.load, "digits", [override])


def test_an_override_is_blamed_for_what_it_broke(tmp_path: Path) -> None:
    """The option of the wrong value is named; an error of the file itself is the file's."""
    assert refused(SearchSpace.load, "digits", ["training.steps=0"]).startswith("--set: training")
    seeds = Override("controls.seeds", 0, "--control-seeds")
    text = refused(SearchSpace.load, "digits", ["seed=1", seeds])
    assert text.startswith(("--set: seed", "--control-seeds: controls.seeds"))
    assert refused(SearchSpace.load, "digits", [seeds]).startswith("--control-seeds: controls.se")
    path = tmp_path / "mine.toml"
    path.write_text(read_shipped("digits").replace("steps = ", "steps = -"))
    assert refused(SearchSpace.load, path, ["judge.margin=1.0"]).startswith(f"{path}: ")


def test_the_last_override_of_a_key_is_blamed_alone() -> None:
    """An override that another one replaces has no part in the result."""
    both = [Override("controls.seeds", 3, "--set"), Override("controls.seeds", 0, "--seeds")]
    assert refused(SearchSpace.load, "digits", both).startswith("--seeds: controls.seeds: ")
    assert SearchSpace.load("digits", both[::-1]).controls.seeds == 3


def test_an_override_above_or_below_the_wrong_key_is_blamed() -> None:
    """A whole table is to blame for a key in it, and a key for its table."""
    arms = Override("controls.arms", {"random": 1.0, "scratch": 2.0}, "--arms")
    text = refused(SearchSpace.load, "digits", ["training.steps=5", arms])
    assert text.startswith("--arms: controls.arms.scratch: ")
    text = refused(SearchSpace.load, "digits", ["judge.margin=1.0", "limits.layers=1"])
    assert text.startswith("--set: limits: expected room for the teacher")


def test_one_override_needs_no_list() -> None:
    """A text is one override, and is not read letter by letter."""
    assert SearchSpace.load("digits", "training.steps=7").training.steps == 7
    assert SearchSpace.load("digits", Override("training.steps", 7)).training.steps == 7
    assert "got 'training.steps'" in refused(SearchSpace.load, "digits", "training.steps")


def test_the_text_of_an_override_is_parsed_into_a_value() -> None:
    """The key is dotted, the value is TOML, and the option stays with them."""
    parsed = Override.parse("controls.arms = {random = 0.5}")
    assert parsed == Override("controls.arms", {"random": 0.5}, "--set")
    assert Override.parse("training.slots=reset").value == "reset"
    assert Override.parse("choices.learning_rate=[-.5, 1e-3, .25]").value == [-0.5, 0.001, 0.25]
    assert Override.parse("controls.arms={random=.5}").value == {"random": 0.5}
    assert Override.parse("data=.5/a.b").value == ".5/a.b"


def test_values_of_python_need_no_text() -> None:
    """Tuples and None too, for which TOML has no form; the file's other values stay."""
    given = [Override("limits.width", None), Override("choices.log2_factor", (0.5, 1.0))]
    space = SearchSpace.load("digits", given)
    assert space.limits.width is None
    assert space.limits.layers == SearchSpace.load("digits").limits.layers
    assert space.choices.log2_factor == (0.5, 1.0)


@pytest.mark.parametrize(
    "given", [5, None, [5], [None], {"training.steps": 5}, b"training.steps=5"]
)
def test_what_is_no_override_is_one_line(given: Any) -> None:
    """The line names the argument and the form that it expects."""
    assert "overrides: expected" in refused(SearchSpace.load, "digits", given)


def test_values_that_go_round_in_a_circle_are_one_line() -> None:
    """A table that holds itself is refused as any other wrong value."""
    circle: dict[str, Any] = {}
    circle["width"] = circle
    for key in ("limits", "limits.width", "teacher.architecture", "name"):
        assert key in refused(SearchSpace.load, "digits", Override(key, circle, "--mine"))
