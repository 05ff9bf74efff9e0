"""Search spaces: what ships loads, what is wrong is one line, whatever the bytes."""

from __future__ import annotations

import copy
import json
import random
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from growsearch.errors import InvalidInputError, SearchSpaceError
from growsearch.growth import GROWTHS
from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layers import Add, Conv, Dense, Flatten
from growsearch.space import SearchSpace, read_shipped
from growsearch.training import Augmentation, TrainingPlan

MUTATIONS = 2500


def values(name: str = "digits") -> dict[str, Any]:
    return tomllib.loads(read_shipped(name))


def refused(call: Any, *args: Any) -> str:
    """The error's text, which is one line of bearable length."""
    with pytest.raises(SearchSpaceError) as caught:
        call(*args)
    text = str(caught.value)
    assert "\n" not in text
    assert 0 < len(text) < 1500
    return text


# --- what ships ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_shipped_spaces_load(name: str) -> None:
    """Each is named as its file, may grow, and begins with a line that describes it."""
    space = SearchSpace.load(name)
    assert space.name == name
    assert space.growth_limits.allow(space.architecture)
    assert set(space.choices.operations) <= set(GROWTHS)
    assert read_shipped(name).startswith("# ")
    assert space.teacher.plan.steps == values(name)["teacher"]["steps"]
    assert space.plan({"learning_rate": 0.5}).learning_rate == 0.5
    assert space.plan({"learning_rate": 0.5}).steps == values(name)["training"]["steps"]


def test_these_spaces_ship() -> None:
    """In the order of their names."""
    assert SearchSpace.shipped() == ("digits", "mnist", "mnist_fast", "mnist_residual")


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_a_space_survives_json(name: str) -> None:
    """The study keeps it as JSON: read back, it is the same."""
    space = SearchSpace.load(name)
    assert SearchSpace.parse(json.loads(space.model_dump_json())) == space


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    """A path given as text or as a Path."""
    path = tmp_path / "mine.toml"
    path.write_text(read_shipped("digits"))
    assert SearchSpace.load(path) == SearchSpace.load(str(path)) == SearchSpace.load("digits")


@pytest.mark.parametrize("name", ["nothing", "", "digits.toml", "/", ".", "a\0b", "x" * 5000])
def test_what_is_no_space_names_those_there_are(name: str) -> None:
    """An unknown name or a path without a file."""
    assert "digits, mnist, mnist_fast, mnist_residual" in refused(SearchSpace.load, name)


def test_an_unknown_shipped_name_is_refused() -> None:
    """Also where only a shipped name will do."""
    assert "'../digits'" in refused(read_shipped, "../digits")


# --- every constraint ---------------------------------------------------------------------------

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
    ("teacher.steps", 0),
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


def with_value(key: str, value: Any) -> dict[str, Any]:
    changed = values()
    *sections, last = key.split(".")
    table = changed
    for section in sections:
        table = table[section]
    table[last] = value
    return changed


@pytest.mark.parametrize(("key", "value"), IMPOSSIBLE)
def test_an_impossible_value_names_its_key_and_itself(key: str, value: Any) -> None:
    """One line: source, key, expected, got."""
    text = refused(lambda: SearchSpace.parse(with_value(key, value), source="mine.toml"))
    assert text.startswith(f"mine.toml: {key}")
    assert "got" in text
    # What pydantic says of itself.
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


GRAPH = Architecture(
    (28, 28, 1),
    (
        Node("conv1", Conv((3, 3), 4), (INPUT,)),
        Node("conv2", Conv((3, 3), 4), ("conv1",)),
        Node("sum1", Add(), ("conv1", "conv2")),
        Node("flat", Flatten(), ("sum1",)),
        Node("fc1", Dense(10, "linear"), ("flat",)),
    ),
)


def test_a_space_may_begin_with_a_graph(tmp_path: Path) -> None:
    """As a TOML table, as JSON text, and as the study keeps it."""
    found = [
        SearchSpace.parse(with_value("teacher.architecture", GRAPH.to_json())),
        SearchSpace.parse(with_value("teacher.architecture", json.dumps(GRAPH.to_json()))),
    ]
    path = tmp_path / "graph.toml"
    text = re.sub(
        r"(?m)^architecture = .*$",
        lambda _: f"architecture = '{json.dumps(GRAPH.to_json())}'",
        read_shipped("digits"),
    )
    path.write_text(text)
    found.append(SearchSpace.load(path))
    for space in found:
        assert space.architecture == GRAPH
        assert SearchSpace.parse(json.loads(space.model_dump_json())) == space


def test_a_graph_brings_the_shape_of_its_input() -> None:
    """Another one beside it is refused; an unusable graph names its key."""
    changed = with_value("teacher.architecture", Architecture.parse("3(fc1)", (4, 4, 1)).to_json())
    changed["teacher"].pop("input_shape", None)
    assert SearchSpace.parse(changed).teacher.input_shape == (4, 4, 1)
    changed["teacher"]["input_shape"] = [5, 5, 1]
    text = refused(SearchSpace.parse, changed)
    assert "teacher.input_shape: expected (4, 4, 1), as the architecture's; got [5, 5, 1]" in text
    for wrong in ("{", "{}", {"layers": 5}, {"input_shape": [1], "layers": [[]]}):
        text = refused(SearchSpace.parse, with_value("teacher.architecture", wrong))
        assert "teacher.architecture: " in text


def test_an_override_is_blamed_for_what_it_broke(tmp_path: Path) -> None:
    """By its option; what the file itself has wrong is the file's."""
    assert refused(SearchSpace.load, "digits", ["training.steps=0"]).startswith("--set: training")
    text = refused(
        lambda: SearchSpace.load(
            "digits", ["seed=1", "controls.seeds=0"], options={"controls.seeds": "--control-seeds"}
        )
    )
    assert text.startswith(("--set: seed", "--control-seeds: controls.seeds"))
    text = refused(
        lambda: SearchSpace.load(
            "digits", ["controls.seeds=0"], options={"controls.seeds": "--control-seeds"}
        )
    )
    assert text.startswith("--control-seeds: controls.seeds: ")
    path = tmp_path / "mine.toml"
    path.write_text(read_shipped("digits").replace("steps = ", "steps = -"))
    assert refused(SearchSpace.load, path, ["judge.margin=1.0"]).startswith(f"{path}: ")


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
    """What has no default must be there."""
    changed = values()
    *sections, last = key.split(".")
    del (changed[sections[0]] if sections else changed)[last]
    assert f"{key}: expected a value, got none" in refused(SearchSpace.parse, changed)


# --- overrides ----------------------------------------------------------------------------------


def test_overrides_are_toml_values() -> None:
    """Numbers, lists, text with and without quotation marks; the last one counts."""
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
        ("training.steps.more=5", "expected steps to be a table"),
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
    """It names what was wrong with it."""
    assert named in refused(SearchSpace.load, "digits", [override])


# --- mutated, and worse -------------------------------------------------------------------------

DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]
JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 10**9, -(10**18), 2**63, 10**400, 16**6000, 1e308, 5e-324),
    *(float("nan"), float("inf"), -float("inf"), 0.5, "", "digits", "\n", "\0", "\ud800", "é" * 9),
    *("x" * 10_000, [], {}, [[]], [None], {"": {}}, {"a": [{"b": 1}]}, [1e-9, 1], [1, 2, 3], DEEP),
    *(b"bytes", {"1": 2}, "5x5x99999999999999(conv1)-10(fc1)", "1(a)-" * 500, [28, 28, 10**12]),
]


def mutated(rng: random.Random) -> dict[str, Any]:
    """A shipped space with up to three changes anywhere in it."""
    changed: dict[str, Any] = copy.deepcopy(values(rng.choice(SearchSpace.shipped())))
    for _ in range(rng.randint(1, 3)):
        table: Any = changed
        while True:
            inner = [key for key in table if isinstance(table[key], dict)]
            if not inner or rng.random() < 0.3:
                break
            table = table[rng.choice(inner)]
        if not table:
            continue
        key = rng.choice(list(table))
        change = rng.choice(["drop", "junk", "junk", "scale", "rename", "swap", "into a list"])
        if change == "drop":
            del table[key]
        elif change == "junk":
            table[key] = rng.choice(JUNK)
        elif change == "scale" and isinstance(table[key], int | float):
            table[key] *= rng.choice([-1, 0, 0.5, 2, 10**6, 10**12])
        elif change == "rename":
            table[rng.choice(["x", "", "a\nb", "k" * 5000, key.upper()])] = table.pop(key)
        elif change == "swap":
            other = rng.choice(list(table))
            table[key], table[other] = table[other], table[key]
        elif change == "into a list":
            table[key] = [table[key]]
    return changed


def test_mutated_spaces_load_or_are_one_line() -> None:
    """Thousands of damaged spaces: a space, or a SearchSpaceError, and nothing else."""
    loaded = 0
    for seed in range(MUTATIONS):
        changed = mutated(random.Random(seed))
        try:
            space = SearchSpace.parse(changed)
        except SearchSpaceError as error:
            text = str(error)
        else:
            loaded, text = loaded + 1, "fine"
            assert space.growth_limits.allow(space.architecture)
            assert space.plan(
                {
                    "learning_rate": space.choices.learning_rate[0],
                    **{n: b[0] for n, b in space.choices.knobs.items()},
                }
            )
        assert "\n" not in text, seed
        assert 0 < len(text) < 1500, seed
    assert 0 < loaded < MUTATIONS / 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\xff\xfe\x00",
        bytes(range(256)) * 4,
        "name = 'é'".encode("utf-16"),
        b"name = 'digits'\n\xc3\x28",
        b"a = " + b"[" * 100_000,
        b"a = " + b"{b=" * 10_000,
        b".".join([b"a"] * 10_000) + b" = 1",
        b"[" + b".".join([b"a"] * 10_000) + b"]",
        b"name = 'x'\nname = 'y'",
        b"[teacher]\n[teacher]",
        b"steps = " + b"9" * 10_000,
        b"steps = 0x" + b"f" * 10_000,
        b'"a\\nb" = 1',
        b"when = 1979-05-27T07:32:00Z",
        b"x = 99999-99-99",
        b'name = "\\ud800"',
    ],
    ids=range(18),
)
def test_foreign_bytes_are_one_line_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    """Binary files, other encodings, nesting without end."""
    path = tmp_path / "foreign.toml"
    path.write_bytes(content)
    assert str(path) in refused(SearchSpace.load, path)


def test_every_truncation_of_a_space_is_one_line_or_loads(tmp_path: Path) -> None:
    """A file of which the end is missing."""
    path, text = tmp_path / "cut.toml", read_shipped("mnist_residual").encode()
    for length in range(0, len(text), 13):
        path.write_bytes(text[:length])
        try:
            SearchSpace.load(path)
        except SearchSpaceError as error:
            message = str(error)
            assert "\n" not in message


def test_a_folder_and_a_link_to_nowhere_are_no_spaces(tmp_path: Path) -> None:
    """Only files are read."""
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "link.toml"):
        assert "expected one of" in refused(SearchSpace.load, path)


def test_an_error_is_also_the_builtin_that_one_expects() -> None:
    """ValueError, and the library's InvalidInputError."""
    assert issubclass(SearchSpaceError, ValueError)
    assert issubclass(SearchSpaceError, InvalidInputError)


def test_a_space_tells_the_whole_plan() -> None:
    """Every field of a plan but its place in a longer schedule, for teacher and candidates."""
    changed = {
        **{"steps": 7, "batch_size": 9, "optimizer": "momentum", "evaluate_every": 3},
        **{"momentum": 0.8, "weight_decay": 0.01, "precision": "auto", "schedule": "cosine"},
        **{"label_smoothing": 0.1, "ema": 0.9},
    }
    images = {f.name: type(f.default)(1) for f in fields(Augmentation)}
    plain = values()
    plain["teacher"] |= changed | images | {"learning_rate": 0.5}
    plain["training"] |= changed | images
    space = SearchSpace.parse(plain)
    expected = TrainingPlan(**changed, learning_rate=0.5, augmentation=Augmentation(**images))
    assert space.teacher.plan == space.plan({"learning_rate": 0.5}) == expected
    left_out = {f.name for f in fields(TrainingPlan)} - {*changed, "learning_rate", "augmentation"}
    assert left_out == {"schedule_start", "schedule_steps", "seconds"}


@pytest.mark.parametrize("section", ["teacher", "training", "polish"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_decay_that_nothing_applies_is_refused(section: str, optimizer: str) -> None:
    """Adam and SGD have none: nobody tunes a knob that turns nothing."""
    changed = values()
    changed[section] = {**changed.get(section, {"steps": 9}), "optimizer": optimizer}
    changed[section]["weight_decay"] = 0.01
    message = refused(SearchSpace.parse, changed)
    assert f"{section}.weight_decay: expected none with {optimizer}" in message
    assert "adamw and momentum" in message
    changed[section]["weight_decay"] = 0.0
    SearchSpace.parse(changed)


def test_a_decay_to_choose_needs_an_optimizer_that_decays() -> None:
    """Or Optuna would choose among equals."""
    changed = values()
    changed["training"]["optimizer"] = "adam"
    changed["choices"]["weight_decay"] = [0.001, 0.1]
    assert "choices.weight_decay: expected none with adam" in refused(SearchSpace.parse, changed)
    changed["training"]["optimizer"] = "adamw"
    SearchSpace.parse(changed)
