"""A plan and its augmentation refuse unusable values, and tell their fields in one place."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np
import pytest

from growsearch.errors import InvalidInputError
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.training import Augmentation, TrainingPlan
from growsearch.training.fields import Key, knobs_of
from growsearch.training.plan import plan_knobs

NAN, INFINITY = float("nan"), float("inf")

UNUSABLE = {
    "steps": [0, 1.5, True, "5", None],
    "batch_size": [-1],
    "learning_rate": [0.0, -0.1, NAN, INFINITY, "fast", None, True],
    "optimizer": ["adagrad", None, ["adam"]],
    "evaluate_every": [0],
    "evaluate_start": [1, "yes", None],
    "momentum": [1.0, NAN],
    "weight_decay": [-0.1, INFINITY, "much"],
    "precision": ["float16"],
    "schedule": ["triangular"],
    "warmup": [-1, 0.5, 2],
    "decay_share": [0.0, 1.1, NAN, None],
    "timescale": [0, 1e4],
    "rewarm": [-1, 1.5, True],
    "schedule_start": [-1],
    "schedule_steps": [0, 9.0],
    "seconds": [0.0, INFINITY],
    "time_limit": [-1.0, 0.0],
    "label_smoothing": [1.0],
    "ema": [-0.1, NAN],
    "class_weight": ["equal", None, {0: 1.0}],
    "augmentation": [{"shift": 1}, None],
    "shift": [-1, 0.5, 10.0, True],
    "rotate": [181.0, -1.0, NAN],
    "zoom": [-0.1, 1.1, NAN],
    "erase": [-1],
    "flip": [1, "yes", None],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in UNUSABLE.items() for value in values]
)
def test_an_unusable_value_is_named(field: str, value: Any) -> None:
    """A plan that cannot be followed is refused when it is made, by the field's name."""
    is_image = field in {each.name for each in fields(Augmentation)}
    make: Any = Augmentation if is_image else partial(TrainingPlan, steps=1, schedule="wsd")
    with pytest.raises(InvalidInputError, match=rf"^{field}: expected .*, got "):
        make(**{field: value})


def test_every_field_is_tried() -> None:
    """A new field brings values that it refuses."""
    assert set(UNUSABLE) == {each.name for each in (*fields(TrainingPlan), *fields(Augmentation))}


@pytest.mark.parametrize("holder", [TrainingPlan, Augmentation])
def test_every_field_is_described(holder: type[Any]) -> None:
    """The docstring has an entry for each field, in their order; every field has a rule."""
    entries = re.findall(r"^    (\w+(?:, \w+)*) : ", str(holder.__doc__), re.MULTILINE)
    names = [each.name for each in fields(holder)]
    assert entries == names
    assert [knob.name for knob in knobs_of(holder)] == [n for n in names if n != "augmentation"]


def test_the_bounds_of_a_field_are_in_its_message() -> None:
    """Closed and open ends, units and choices."""
    for field, value, expected in (
        ("learning_rate", 0.0, "expected more than 0, got 0.0"),
        ("momentum", 1.0, "expected 0 <= momentum < 1, got 1.0"),
        ("weight_decay", -1.0, "expected 0 or more, got -1.0"),
        ("steps", 0, "expected a whole number of at least 1, got 0"),
        ("precision", "x", "expected one of auto, float32, bfloat16, got 'x'"),
    ):
        with pytest.raises(InvalidInputError, match=re.escape(f"{field}: {expected}")):
            TrainingPlan(**{"steps": 1, field: value})
    with pytest.raises(InvalidInputError, match="rotate: expected 0 to 180 degrees, got 181"):
        Augmentation(rotate=181.0)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_decay_that_nothing_applies_is_refused(optimizer: str) -> None:
    """Only AdamW's and momentum's weights decay."""
    with pytest.raises(InvalidInputError, match=f"weight_decay: expected none with {optimizer}: "):
        TrainingPlan(1, optimizer=optimizer, weight_decay=0.1)
    assert TrainingPlan(1, optimizer=optimizer, weight_decay=0.0).decay == 0.0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_plan_that_names_no_decay_has_the_optimizers(optimizer: str) -> None:
    """0 where the optimizer has none."""
    assert TrainingPlan(1, optimizer=optimizer).decay == (OPTIMIZERS[optimizer].decay or 0.0)


def test_a_schedule_ends_no_earlier_than_its_plan() -> None:
    """The message names the step at which the plan ends."""
    with pytest.raises(InvalidInputError, match=r"schedule_steps: expected .* at least 12, .*11"):
        TrainingPlan(7, schedule_start=5, schedule_steps=11)
    assert TrainingPlan(7, schedule_start=5, schedule_steps=12).schedule_steps == 12


@pytest.mark.parametrize(
    ("schedule", "share", "most"),
    [("linear", 0.3, 99), ("cosine", 0.3, 99), ("wsd", 0.3, 70), ("wsd", 0.07, 93), ("wsd", 1, 0)],
)
def test_a_warm_up_ends_where_the_fall_begins(schedule: str, share: float, most: int) -> None:
    """The message names the steps that are left for it, of the whole schedule."""
    make = partial(TrainingPlan, 40, schedule=schedule, decay_share=share, schedule_start=60)
    assert make(warmup=most).warmup == most
    with pytest.raises(InvalidInputError) as error:
        make(warmup=most + 1)
    assert str(error.value) == (
        f"warmup: expected at most {most}, which {schedule} leaves of its 100 steps, got {most + 1}"
    )
    if share < 1:  # of a longer schedule more is left
        assert make(warmup=most + 1, schedule_steps=200).schedule_end == 200


def test_a_warm_up_may_be_longer_than_a_plan_without_an_end() -> None:
    """Several trainings share it; one cycle has a rise of its own."""
    for schedule in ("constant", "inverse_sqrt"):
        assert TrainingPlan(5, schedule=schedule, warmup=9).warmup == 9
    with pytest.raises(InvalidInputError, match=r"warmup: expected 0 with one_cycle, .*, got 1$"):
        TrainingPlan(5, schedule="one_cycle", warmup=1)


def test_whole_numbers_of_numpy_become_pythons() -> None:
    """A plan can be written to JSON."""
    plan = TrainingPlan(np.int64(3), augmentation=Augmentation(shift=np.int32(2)))
    assert (type(plan.steps), type(plan.augmentation.shift)) == (int, int)


def test_flat_keys_make_the_plan() -> None:
    """Keys of the augmentation stand beside those of the plan, and can be changed one by one."""
    plan = TrainingPlan.of_keys({"steps": 5, "shift": 2, "zoom": 0.1})
    assert plan == TrainingPlan(5, augmentation=Augmentation(shift=2, zoom=0.1))
    changed = plan.with_keys({"ema": 0.5, "zoom": 0.2})
    assert changed == TrainingPlan(5, ema=0.5, augmentation=Augmentation(shift=2, zoom=0.2))
    assert plan.with_keys({}) == plan


def test_a_space_has_a_key_for_all_but_the_place_in_a_schedule() -> None:
    """A field without a key is set by the driver."""
    without = {knob.name for knob in plan_knobs() if not knob.keys}
    # The weights of classes have one key, in [training], for all trainings of a run.
    set_elsewhere = {"schedule_start", "schedule_steps", "seconds", "class_weight"}
    assert without == set_elsewhere | {"evaluate_start", "time_limit"}
    assert Key.CHOICE in {knob.name: knob.keys for knob in plan_knobs()}["weight_decay"]


@pytest.mark.parametrize(("field", "most"), [("shift", 6), ("erase", 7)])
def test_an_augmentation_fits_the_images(field: str, most: int) -> None:
    """The shorter side bounds a shift and a square; features bear no augmentation."""
    Augmentation(**{field: most}).check_images((9, 7, 3))
    message = f"{field}: expected at most {most} pixels for images of 9 x 7, got {most + 1}"
    with pytest.raises(InvalidInputError, match=message):
        Augmentation(**{field: most + 1}).check_images((9, 7, 3))
    with pytest.raises(InvalidInputError, match=rf"{field}: expected images, .* shape \(8,\)"):
        Augmentation(**{field: 1}).check_images((8,))
    Augmentation().check_images((8,))
