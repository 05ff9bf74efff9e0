"""The first network of a search space: a graph as a table or as text, and all of its plan."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layers import Add, Conv, Dense, Flatten
from growsearch.space import SearchSpace, read_shipped
from growsearch.training import Augmentation, TrainingPlan
from tests.space_values import refused, values, with_value

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
    """The graph may be a TOML table or JSON text, and the study stores it as text."""
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
    """Another shape beside it is refused; an unusable graph names its key."""
    changed = with_value("teacher.architecture", Architecture.parse("3(fc1)", (4, 4, 1)).to_json())
    changed["teacher"].pop("input_shape", None)
    assert SearchSpace.parse(changed).teacher.input_shape == (4, 4, 1)
    changed["teacher"]["input_shape"] = [5, 5, 1]
    text = refused(SearchSpace.parse, changed)
    assert "teacher.input_shape: expected (4, 4, 1), as the architecture's; got [5, 5, 1]" in text
    for wrong in ("{", "{}", {"layers": 5}, {"input_shape": [1], "layers": [[]]}):
        text = refused(SearchSpace.parse, with_value("teacher.architecture", wrong))
        assert "teacher.architecture: " in text


def test_a_space_tells_the_whole_plan() -> None:
    """Teacher and candidates set every field of a plan but its place in a longer schedule."""
    changed = {
        **{"steps": 7, "batch_size": 9, "optimizer": "momentum", "evaluate_every": 3},
        **{"momentum": 0.8, "weight_decay": 0.01, "precision": "auto", "schedule": "cosine"},
        **{"label_smoothing": 0.1, "ema": 0.9, "warmup": 2, "rewarm": 3},
        **{"decay_share": 0.5, "timescale": 4},
    }
    images = {f.name: type(f.default)(1) for f in fields(Augmentation)}
    plain = values()
    plain["teacher"] |= changed | images | {"learning_rate": 0.5}
    plain["training"] |= changed | images
    space = SearchSpace.parse(plain)
    expected = TrainingPlan(**changed, learning_rate=0.5, augmentation=Augmentation(**images))
    assert space.teacher.plan == space.plan({"learning_rate": 0.5}) == expected
    left_out = {f.name for f in fields(TrainingPlan)} - {*changed, "learning_rate", "augmentation"}
    places = {"schedule_start", "schedule_steps"}
    assert left_out == places | {"seconds", "time_limit", "class_weight", "evaluate_start"}
