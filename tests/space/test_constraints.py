"""Every constraint on a search space: a value that breaks it is one line: key, expected, got."""

from __future__ import annotations

from typing import Any

import pytest

from growsearch.errors import InvalidInputError, SearchSpaceError
from growsearch.space import SearchSpace
from growsearch.training.plan import SCHEDULES
from tests.space_values import refused, values, with_value

IMPOSSIBLE = [
    ("name", ""),
    ("name", "-x"),
    ("name", "a/b"),
    ("name", "x" * 65),
    ("name", 5),
    ("data", "imagenet"),
    ("stand_in", "mnist"),
    ("teacher.architecture", ""),
    ("teacher.architecture", "conv-conv"),
    ("teacher.architecture", 5),
    ("teacher.input_shape", []),
    ("teacher.input_shape", [28, 28]),
    ("teacher.input_shape", [28, 28, 0]),
    ("teacher.input_shape", ["28", 28, 1]),
    ("teacher.initializer", "zeros"),
    ("teacher.steps", -1),
    ("teacher.steps", 10**9 + 1),
    ("teacher.steps", True),
    ("teacher.steps", 5.0),
    ("teacher.steps", "5"),
    ("teacher.batch_size", 0),
    ("teacher.learning_rate", 0.0),
    ("teacher.learning_rate", -1.0),
    ("teacher.learning_rate", 101.0),
    ("teacher.learning_rate", float("nan")),
    ("teacher.learning_rate", float("inf")),
    ("teacher.optimizer", "rmsprop"),
    ("teacher.evaluate_every", 0),
    ("choices.operations", []),
    ("choices.operations", ["widen", "shrink"]),
    ("choices.operations", ["widen", "widen"]),
    ("choices.operations", "widen"),
    ("choices.log2_factor", [2.0, 0.5]),
    ("choices.log2_factor", [-0.5, 1.0]),
    ("choices.log2_factor", [0.5, 11.0]),
    ("choices.log2_factor", [0.5]),
    ("choices.log2_factor", [0.5, 1.0, 2.0]),
    ("choices.log2_factor", [0.5, float("nan")]),
    ("choices.log2_factor", ["0.5", "1.0"]),
    ("choices.learning_rate", [1e-3, 1e-4]),
    ("choices.learning_rate", [0.0, 1e-3]),
    ("choices.learning_rate", 1e-3),
    ("limits.layers", 0),
    ("limits.width", -1),
    ("limits.kernel", 1.5),
    ("limits.parameters", "many"),
    ("limits.flops", float("inf")),
    ("limits.width_multiple", 0),
    ("training.steps", 0),
    ("training.batch_size", -5),
    ("training.optimizer", None),
    ("training.evaluate_every", 0),
    ("training.slots", "keep"),
    ("controls.arms", ["net2net"]),
    ("controls.arms", "random"),
    ("controls.arms", ["random", "random"]),
    ("controls.arms", {"random": 1.1}),
    ("controls.arms", {"random": -0.1}),
    ("controls.arms", {"net2net": 1.0}),
    ("controls.arms", {"random": "often"}),
    ("controls.seeds", 0),
    ("controls.tuned", 16),
    ("judge.margin", 11.0),
    ("judge.margin", -0.1),
    ("judge.held_out", 1.0),
    ("search.trials", 0),
    ("search.sampler", "grid"),
    ("search.startup_trials", -1),
    ("search.seed", -1),
    ("search.seed", 2**32),
]


@pytest.mark.parametrize(("key", "value"), IMPOSSIBLE)
def test_an_impossible_value_names_its_key_and_itself(key: str, value: Any) -> None:
    """The line holds source, key, expected and got."""
    text = refused(lambda: SearchSpace.parse(with_value(key, value), source="mine.toml"))
    assert text.startswith(f"mine.toml: {key}")
    assert "got" in text
    # Words of pydantic for its own types.
    for foreign in ("String", "Tuple", "instance of", "pattern", "dictionary", "constrained"):
        assert foreign not in text


@pytest.mark.parametrize("pruning", [{}, {"tolerance": -0.1}, {"tolerance": 0.1, "warmup": 3}, 5])
def test_pruning_is_checked_where_it_is_given(pruning: Any) -> None:
    """The section is optional; its keys are not."""
    assert "pruning" in refused(SearchSpace.parse, with_value("pruning", pruning))


@pytest.mark.parametrize("limit", ["layers=3", "parameters=1000", "flops=1000"])
def test_limits_leave_room_for_the_teacher(limit: str) -> None:
    """A space whose first network is too large already can never grow."""
    assert "room for the teacher" in refused(SearchSpace.load, "digits", [f"limits.{limit}"])
    SearchSpace.load("digits", [f"limits.{limit}", 'choices.operations=["widen", "narrow"]'])


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("limits.width=63", "limits.width: expected at least 64, the width of the teacher's fc1"),
        ("limits.width_multiple=257", "limits.width_multiple: expected at most 256"),
    ],
)
def test_limits_that_leave_no_width_are_refused(override: str, named: str) -> None:
    """The key is named; the output layer's width, which never grows, does not count."""
    assert named in refused(SearchSpace.load, "digits", [override])
    small = "teacher.architecture=5x5x4(conv1)-pool1-8(fc1)-10(fc2)"
    SearchSpace.load("digits", [small, "limits.width=8", "limits.width_multiple=8"])


@pytest.mark.parametrize("key", ["typo", "teacher.typo", "choices.typo", "pruning.typo"])
def test_an_unknown_key_is_named_with_those_there_are(key: str) -> None:
    """A typing error never passes for a default."""
    changed = with_value("pruning", {"tolerance": 0.1})
    *sections, last = key.split(".")
    table = changed[sections[0]] if sections else changed
    table[last] = 3
    text = refused(SearchSpace.parse, changed)
    assert f"{key}: expected no such key, but " in text
    known = {"teacher": "architecture", "choices": "operations", "pruning": "tolerance"}
    assert known.get(sections[0] if sections else "", "teacher") in text
    assert text.endswith("got 3")


@pytest.mark.parametrize(
    "key", ["name", "data", "teacher", "choices", "training", "teacher.steps", "training.steps"]
)
def test_a_missing_key_is_named(key: str) -> None:
    """A key without a default must be there."""
    changed = values()
    *sections, last = key.split(".")
    del (changed[sections[0]] if sections else changed)[last]
    assert f"{key}: expected a value, got none" in refused(SearchSpace.parse, changed)


@pytest.mark.parametrize("section", ["teacher", "training", "polish"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_decay_that_nothing_applies_is_refused(section: str, optimizer: str) -> None:
    """Adam and SGD have no weight decay: a value for it would change nothing."""
    changed = values()
    changed[section] = {**changed.get(section, {"steps": 9}), "optimizer": optimizer}
    changed[section]["weight_decay"] = 0.01
    message = refused(SearchSpace.parse, changed)
    assert f"{section}.weight_decay: expected none with {optimizer}" in message
    assert "adamw and momentum" in message
    changed[section]["weight_decay"] = 0.0
    SearchSpace.parse(changed)


@pytest.mark.parametrize(
    ("section", "keys", "named"),
    [
        ("teacher", {"schedule": "one_cycle", "warmup": 1}, "warmup: expected 0 with one_cycle"),
        ("training", {"schedule": "wsd", "warmup": 7}, "warmup: expected at most 6, which wsd"),
        ("polish", {"warmup": 1}, "warmup: expected 0, as a polish trains a network on"),
        ("polish", {"schedule": "inverse_sqrt"}, "schedule: expected a schedule with an end"),
        ("polish", {"last": {"schedule": "inverse_sqrt"}}, "last.schedule: expected a schedule w"),
    ],
)
def test_a_schedule_fits_its_training(section: str, keys: dict[str, Any], named: str) -> None:
    """A warm-up ends before the fall begins; a polish has an end, and no updates to count."""
    changed = values()
    changed[section] = {**changed.get(section, {}), "steps": 9} | keys
    assert f"{section}.{named}" in refused(SearchSpace.parse, changed)


@pytest.mark.parametrize("section", ["teacher", "training"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_trunk_has_no_schedule_with_an_end(section: str, schedule: str) -> None:
    """Its rate falls to 0 once, in its decay; without a trunk every schedule is accepted."""
    changed = values()
    changed[section] |= {"schedule": schedule}
    SearchSpace.parse(changed)
    changed["trunk"] = {}
    if schedule in ("constant", "inverse_sqrt"):
        SearchSpace.parse(changed)
    else:
        named = f"{section}.schedule: expected constant or inverse_sqrt beside [trunk], which ends"
        message = refused(SearchSpace.parse, changed)
        assert named in message
        assert message.endswith(f"got {schedule!r}")


def test_a_decay_to_choose_needs_an_optimizer_that_decays() -> None:
    """Without one all values that Optuna could choose would train alike."""
    changed = values()
    changed["training"]["optimizer"] = "adam"
    changed["choices"]["weight_decay"] = [0.001, 0.1]
    assert "choices.weight_decay: expected none with adam" in refused(SearchSpace.parse, changed)
    changed["training"]["optimizer"] = "adamw"
    SearchSpace.parse(changed)


def test_an_error_is_also_the_builtin_that_a_caller_expects() -> None:
    """SearchSpaceError is a ValueError and the library's InvalidInputError."""
    assert issubclass(SearchSpaceError, ValueError)
    assert issubclass(SearchSpaceError, InvalidInputError)


@pytest.mark.parametrize(
    ("override", "instead"),
    [
        ("pruning={tolerance = 0.1}", "trunk.tolerance"),
        ("judge.rule=not_inferior", "trunk.tolerance"),
        ("judge.margin=2.0", "trunk.tolerance"),
        ("choices.ema=[0.0, 0.99]", "trunk.average"),
    ],
)
def test_keys_that_a_trunk_does_not_read_are_refused(override: str, instead: str) -> None:
    """They would be stored, shown and sampled, and do nothing."""
    key = override.partition("=")[0]
    text = refused(SearchSpace.load, "mnist", [override])
    assert f"{key}: expected none beside [trunk], which does not read it: set {instead}" in text


def test_a_gain_in_loss_needs_a_trunk() -> None:
    """Without one it is never known, and the sampler would never learn."""
    text = refused(SearchSpace.load, "digits", ["search.objective=loss_gain"])
    assert "search.objective: expected gain, gain_per_second or two objectives" in text


def test_a_training_that_there_is_not_has_no_warmup() -> None:
    """A network is given: the length of the teacher's warm-up says nothing."""
    overrides = ["teacher.steps=0", "teacher.schedule=cosine", "teacher.warmup=5"]
    assert SearchSpace.load("digits", overrides).teacher.plan.warmup == 0
    text = refused(SearchSpace.load, "digits", [*overrides[1:], "teacher.steps=5"])
    assert "teacher.warmup: expected at most 4" in text
