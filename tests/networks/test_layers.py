"""The options of layers: whole numbers of every kind, and what is refused."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from growsearch.networks import Architecture
from growsearch.networks.layers import Conv, Dense, MaxPool, SeparableConv, ZeroPad


@pytest.mark.parametrize(
    ("layer", "plain"),
    [
        (Dense(np.int64(8)), Dense(8)),
        (
            Conv((np.int32(3), 3), np.int64(8), dilation=[np.int64(2), 1]),
            Conv((3, 3), 8, dilation=(2, 1)),
        ),
        (SeparableConv((3, 3), 8, multiplier=np.uint8(2)), SeparableConv((3, 3), 8, multiplier=2)),
        (MaxPool(np.array([3, 2]).tolist(), (np.int64(2), 2)), MaxPool((3, 2), (2, 2))),
        (ZeroPad(np.int64(0), 1, 2, 3), ZeroPad(0, 1, 2, 3)),
    ],
)
def test_whole_numbers_of_numpys_are_stored_as_pythons(layer, plain):
    """A layer with numpy's numbers equals the one with Python's, hashes alike and is plain JSON."""
    assert layer == plain
    assert hash(layer) == hash(plain)
    text = json.dumps([getattr(layer, field.name) for field in fields(layer)])
    assert text == json.dumps([getattr(plain, field.name) for field in fields(plain)])


def test_an_input_shape_of_numpys_numbers_is_pythons():
    """Images know their shape as numpy's numbers at times."""
    architecture = Architecture.parse("3(fc1)", (np.int64(4),))
    assert architecture == Architecture.parse("3(fc1)", (4,))
    assert json.loads(json.dumps(architecture.to_json()))["input_shape"] == [4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(True), "^units: expected a whole number of at least 1, got True"),
        (lambda: Dense(8.0), "^units: expected a whole number of at least 1, got 8.0"),
        (lambda: Dense(np.int64(0)), "^units: expected a whole number of at least 1, got .*0"),
        (lambda: Dense(2**31), "^units: expected at most 2,147,483,647, got 2147483648"),
        (lambda: Conv(3, 8), "^kernel: expected two whole numbers, got 3"),
        (lambda: Conv((3, True), 8), "^kernel: expected a whole number .*got True"),
        (lambda: Conv((3, 3, 3), 8), "^kernel: expected two whole numbers, got"),
        (lambda: MaxPool(stride=(0, 1)), "^stride: expected a whole number of at least 1, got 0"),
        (lambda: ZeroPad(0, -1, 0, 0), "^bottom: expected a whole number of at least 0, got -1"),
        (lambda: ZeroPad(False, 0, 0, 0), "^top: expected a whole number .*got False"),
    ],
)
def test_other_sizes_are_plain_value_errors(make, message):
    """A layer names the option; the architecture adds the layer's name."""
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert type(caught.value) is ValueError
