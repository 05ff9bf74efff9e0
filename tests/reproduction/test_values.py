"""A reproduction as a value: through JSON and back, checked, with means and deviations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.errors import InvalidInputError
from growsearch.reproduction.finished import FILE
from growsearch.reproduction.result import Reproduction, spreads
from tests.fake_reproduction import synthetic

# Third parties' own: TensorFlow's Keras warns about its own layers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")


def test_json_round_trip(measured: tuple[Reproduction, Path]) -> None:
    """The values of to_json are JSON; from_json reads the same reproduction, to the last bit."""
    found, out = measured
    for each in (found, synthetic(0.001), synthetic(seeds=1)):
        text = json.dumps(each.to_json(), allow_nan=False)
        assert Reproduction.from_json(text) == each
    assert json.loads((out / FILE).read_text()) == json.loads(json.dumps(found.to_json()))


def test_files_of_earlier_versions_open() -> None:
    """The keys on disk are fixed, whatever the names in the code; stored tables are not read."""
    names = ["wider", "random pad", "deeper", "random init", "continued"]
    trainings = [("teacher", "reset"), *((n, slots) for n in names for slots in ("reset", "carry"))]
    stored = {
        "measured_on": "test images, as the original's were",
        "iterations": 40,
        "steps": [0, 40],
        "source": "IDX files in data",
        "stand_in": False,
        "fingerprint": "0" * 64,
        "test_images": 10_000,
        "caveats": ["trained on 500 images, the original on 55,000"],
        "repeats": [
            {
                "seed": 0,
                "curves": [
                    {"experiment": name, "slots": slots, "accuracy": [0.1, 0.9]}
                    for name, slots in trainings
                ],
                "seconds": 60.0,
                "environment": "a machine",
            }
        ],
        "comparable": False,
        "experiments": [],
    }
    found = Reproduction.from_json(json.dumps(stored))
    assert found.accuracies("wider", "carry").tolist() == [[0.1, 0.9]]
    again = json.loads(json.dumps(found.to_json()))
    assert again == stored | {"experiments": again["experiments"]}
    row = {"iteration", "accuracy", "carried", "published", "difference"}
    assert all(set(each["rows"][0]) == row for each in again["experiments"])


def test_json_has_the_tables() -> None:
    """The JSON has mean, deviation, published figure and difference of every row."""
    value = synthetic(-0.01).to_json()
    assert value["comparable"] is True
    assert "test images" in value["measured_on"]
    wider = value["experiments"][1]
    assert wider["name"] == "wider"
    row = wider["rows"][1]
    assert (row["iteration"], row["published"], row["difference"]) == (100, 0.9136, -0.01)
    assert row["accuracy"] == {
        "mean": pytest.approx(0.9036),
        "std": pytest.approx(0.001 * 2**0.5),
        "n": 2,
    }


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("repeats", 0, "curves", 0, "accuracy", 3), 1.5),
        (("repeats", 0, "curves", 0, "accuracy", 3), float("nan")),
        (("repeats", 0, "curves", 0, "accuracy"), [0.5]),
        (("repeats", 0, "curves", 0, "experiment"), "narrower"),
        (("repeats", 0, "curves", 0, "slots"), "lost"),
        (("repeats", 0, "curves"), []),
        (("repeats", 1, "seed"), 0),
        (("steps",), "many"),
        (("fingerprint",), None),
    ],
)
def test_wrong_values_are_refused(path: tuple[Any, ...], wrong: Any) -> None:
    """A file with one value of the wrong kind, count or range is no reproduction."""
    value = json.loads(json.dumps(synthetic().to_json()))
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = wrong
    with pytest.raises(InvalidInputError):
        Reproduction.from_json(json.dumps(value))


def test_spreads_are_means_and_sample_deviations() -> None:
    """Mean and deviation are over the seeds, with n - 1; one seed has no deviation."""
    two = spreads(np.array([[0.1, 0.5], [0.3, 0.5]]))
    assert [s.mean for s in two] == pytest.approx([0.2, 0.5])
    assert [s.std for s in two] == pytest.approx([0.1 * 2**0.5, 0.0])
    (one,) = spreads(np.array([[0.1]]))
    assert (one.mean, one.std, one.n) == (0.1, None, 1)
