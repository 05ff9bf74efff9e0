"""The layers: their options, and what they say of units."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from growsearch.net2net import Units
from growsearch.net2net.arrays import copy_axis
from growsearch.networks import Architecture
from growsearch.networks.compute import compute
from growsearch.networks.layer import TiedUnitsError
from growsearch.networks.layers import (
    LAYERS,
    Add,
    Carried,
    Conv,
    Conv1D,
    Dense,
    Dropout,
    MaxPool,
    MaxPool1D,
    Multiply,
    Permute,
    Reshape,
    Resize,
    SeparableConv,
    ZeroPad,
)
from growsearch.testing.trainer_contract.cases import CASES, ON_SEQUENCES


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
        (MaxPool1D(np.int64(3), None), MaxPool1D(3)),
        (Reshape([np.int64(2), 3]), Reshape((2, 3))),
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
        (lambda: MaxPool(None), "^size: expected two whole numbers, got None"),
        (lambda: MaxPool1D(None), "^size: expected a whole number of at least 1, got None"),
        (lambda: Reshape(4), "^positions: expected whole numbers, got 4"),
        (lambda: Reshape(()), r"^positions: expected 1 or 2 whole numbers, got \(\)"),
        (lambda: Reshape((0, 2)), "^positions: expected a whole number of at least 1, got 0"),
        (lambda: Permute((1, 1, 2)), r"^dims: expected each number from 1 on once, got \(1, 1, 2"),
        (lambda: Resize((2, 2), "cubic"), "^interpolation: expected one of nearest, bilinear, got"),
        (lambda: Dropout(0.5, "rows"), "^together: expected one of units, channels, images, got"),
        (lambda: Conv1D(3, 4, padding="full"), "^padding: expected one of same, valid, causal"),
        (lambda: Conv1D(3, 4, stride=2, dilation=2), "^expects stride 1 with dilation"),
        (lambda: Conv1D(3, 5, groups=2), "^expects filters in 2 equal groups, got 5 filters"),
        (lambda: Carried("a(b"), "^of: expected the name of a class, got 'a"),
        (lambda: Carried("A", "[1]"), r"^options: expected an object as JSON text, got '\[1\]'"),
        (lambda: Carried("A", "{"), "^options: expected an object as JSON text, got '{'"),
    ],
)
def test_other_sizes_are_plain_value_errors(make, message):
    """A layer names the option; the architecture adds the layer's name."""
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert type(caught.value) is ValueError


# -- units ---------------------------------------------------------------------------------------

PASSING = [
    *(
        layer
        for layers in CASES.values()
        for layer in layers
        if not layer.is_producer and not layer.mixes_units
    ),
    Reshape((7, 3)),  # 8 channels of 4
    Reshape((14, 6)),  # 2 channels of 4
]
REFUSING = ("unit_norm", "permute", "reshape")  # with some options, the last two
BALANCED = Units.replicate(2, 4, rng=np.random.default_rng(0), balanced=True).tile(2)


@pytest.mark.parametrize("layer", PASSING, ids=str)
def test_copies_of_a_layers_input_are_copies_of_its_output(layer):
    """A layer with copied inputs computes copies as ``through`` says: <= 1e-12 relative.

    That holds for every layer that passes units on: its inputs and its own weights are copied, and
    no value is split. ``required`` leads back to the units of the inputs.
    """
    shape = (42, 4) if layer.kind in ON_SEQUENCES else (7, 6, 4)
    rng, count = np.random.default_rng(0), min(layer.inputs[1], 3) if layer.inputs[0] > 1 else 1
    inputs = [rng.normal(size=(2, *shape)) for _ in range(count)]
    weights = {name: rng.random(w.shape) + 0.5 for name, w in layer.weights(shape).items()}
    try:
        out = layer.through((BALANCED,) * count, *(shape,) * count)
    except TiedUnitsError:
        assert layer.kind in REFUSING
        return
    units = {"in": BALANCED, "out": out}
    copied = dict(weights)
    for name, weight in layer.weights(shape).items():
        for axis, rule in weight.axes.items():
            assert rule.role == "copy"
            copied[name] = copy_axis(copied[name], units[rule.of].expand(after=rule.repeat), axis)
    before = compute(layer, inputs, weights)
    wider = [copy_axis(x, BALANCED, x.ndim - 1) for x in inputs]
    after = compute(layer, wider, copied)
    expected = copy_axis(before, out, before.ndim - 1)
    np.testing.assert_allclose(after, expected, rtol=1e-12, atol=1e-12)
    assert layer.required(out, *(shape,) * count) == (BALANCED,) * count


def test_all_other_layers_absorb_units():
    """A layer that is no producer passes units on, or refuses them."""
    assert {layer.kind for layer in PASSING} == {k for k, v in LAYERS.items() if not v.width_option}


@pytest.mark.parametrize("join", [Add(), Multiply()])
def test_a_branch_that_is_repeated_stays_as_it_is(join):
    """Of one value a channel, all branches widen; of one a position, only the others do."""
    units = Units.replicate(4, 7, rng=np.random.default_rng(0), split="random")
    whole, one = Units.unchanged(4), Units.unchanged(1)
    images, channels, positions = (5, 3, 4), (1, 1, 4), (5, 3, 1)
    assert join.through((units, whole), images, channels) == units
    assert join.required(units, images, channels) == (units, units)
    assert join.through((units, one), images, positions) == units
    assert join.required(units, images, positions) == (units, one)
    both = Units.replicate(1, 2, rng=np.random.default_rng(0))
    with pytest.raises(TiedUnitsError, match="1 channel beside 4 is repeated"):
        join.through((whole, both), images, positions)
    assert join.through((both, one), positions, positions) == both


def test_a_reshape_that_mixes_units_and_positions_passes_none():
    """4 channels to 6: no unit of one end is one of the other."""
    with pytest.raises(TiedUnitsError, match="from 4 to 6 channels"):
        Reshape((2, 4)).through((Units.replicate(4, 8, rng=np.random.default_rng(0)),), (4, 3, 4))
