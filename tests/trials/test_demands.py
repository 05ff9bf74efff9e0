"""Demands: what a network asks of a device."""

from __future__ import annotations

import pytest

import growsearch as gs
from growsearch.networks.layers import KerasLayer
from growsearch.networks.node import INPUT, Node
from growsearch.training import Speed
from growsearch.trials.demands import DEMANDS, known_demands, milliseconds_of


def test_demands_follow_from_the_architecture() -> None:
    """Parameters, the weights of an int8 file, and the most int8 values that are held at once."""
    plain = gs.Architecture.parse("3x3x8(a)-pool1-10(b)", (28, 28, 1))
    kernels = 9 * 8 + 14 * 14 * 8 * 10
    assert known_demands(plain) == {
        "parameters": kernels + 18,
        "flash_bytes": kernels + 28 * 18,
        "arena_bytes": 28 * 28 * 8 + 14 * 14 * 8,
    }


def test_a_demand_that_is_not_known_is_left_out() -> None:
    """A layer of Keras' with an output of unknown size has no arena; the others are known."""
    odd = KerasLayer("[0, 4]", layer='{"class_name": "Odd"}')
    opaque = gs.Architecture((8, 8, 1), (Node("odd", odd, (INPUT,)),))
    assert known_demands(opaque).keys() == {"parameters", "flash_bytes"}


@pytest.mark.parametrize(
    ("seconds", "batch", "milliseconds"),
    [(0.0123, 32, 0.38), (0.01235, 32, 0.39), (2.0, 1, 2000.0), (0.0, 8, 0.0)],
)
def test_times_have_two_digits(seconds: float, batch: int, milliseconds: float) -> None:
    """Of an update, divided by its images: more digits are noise."""
    assert milliseconds_of(Speed("float32", seconds), batch) == milliseconds


def test_values_are_told_with_their_units() -> None:
    """Whole numbers with commas, times as they are."""
    texts = {name: demand.text(1234.0) for name, demand in DEMANDS.items()}
    assert texts == {
        "parameters": "1,234 parameters",
        "milliseconds": "1234 ms an image in training",
        "flash_bytes": "1,234 bytes of flash",
        "arena_bytes": "1,234 bytes of arena",
    }
