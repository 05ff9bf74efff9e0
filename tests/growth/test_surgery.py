"""Surgery: several growths in their order, planned and done, and the change of the outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth import (
    AddClasses,
    AddInputs,
    Deepen,
    Growth,
    Narrow,
    Remove,
    Widen,
    growth_from_json,
)
from growsearch.growth.surgery import change_of, inputs_of, operated, planned
from growsearch.interop.keras import from_keras
from growsearch.networks import Architecture, Network
from tests.keras_files import L, keras

NETWORK = Network.initial(
    Architecture.parse("3x3x4(conv1)-pool1-6(fc1)-3(fc2)", (8, 8, 1)),
    rng=0,
    initializer="truncated_normal",
)
GROWTHS = [Widen("conv1", 6), Deepen("conv1"), Widen("conv1", 9)]


def test_the_plan_is_what_is_done() -> None:
    """Architecture, parameters and FLOPs; each step begins where the one before ended."""
    architecture, steps = planned(NETWORK.architecture, GROWTHS)
    after = operated(NETWORK, GROWTHS, rng=0)
    assert after.architecture == architecture
    assert [(step.before, step.after) for step in steps][::2] == [("4", "6"), ("6", "9")]
    assert (steps[-1].parameters, steps[-1].flops) == (after.parameters, architecture.flops)
    assert growth_from_json(steps[1].to_json()["growth"]) == GROWTHS[1]


def test_the_change_is_the_largest_one() -> None:
    """Growths change nothing beyond rounding; a shift of one bias is found as it is."""
    inputs = inputs_of(NETWORK)
    after = operated(NETWORK, GROWTHS, rng=0)
    assert change_of(NETWORK, after, GROWTHS, inputs).relative < 1e-5
    bias = after.weights["fc2"]["bias"] + np.float32([0.0, -0.5, 0.25])
    weights = {**after.weights, "fc2": {**after.weights["fc2"], "bias": bias}}
    change = change_of(NETWORK, Network(after.architecture, weights), [], inputs)
    assert abs(change.largest - 0.5) < 1e-5
    assert change.images == len(inputs)


def test_more_outputs_are_compared_by_the_old_logits() -> None:
    """A softmax takes probability from old classes; their logits stay."""
    text = "6(fc1)-{}(fc2,activation=softmax)"
    old = Network.initial(Architecture.parse(text.format(3), (4,)), rng=0)
    wider = Network.initial(Architecture.parse(text.format(5), (5,)), rng=1)
    weights = {
        layer: {name: array.copy() for name, array in arrays.items()}
        for layer, arrays in wider.weights.items()
    }
    weights["fc1"]["kernel"][:4] = old.weights["fc1"]["kernel"]
    weights["fc1"]["bias"][:] = old.weights["fc1"]["bias"]
    weights["fc2"]["kernel"][:, :3] = old.weights["fc2"]["kernel"]
    weights["fc2"]["bias"][:3] = old.weights["fc2"]["bias"]
    after = Network(wider.architecture, weights)
    assert change_of(old, after, [], inputs_of(old)).relative < 1e-12
    assert not np.allclose(after.forward(np.zeros((1, 5)))[:, :3], old.forward(np.zeros((1, 4))))


def test_networks_of_several_inputs_and_outputs_are_compared() -> None:
    """All outputs count, on random values of every input."""
    one, other = L.Input((4,), name="one"), L.Input((3,), name="other")
    hidden = L.Dense(5, activation="relu", name="fc1")(L.Concatenate()([one, other]))
    outs = [L.Dense(2, name="a")(hidden), L.Dense(3, name="b")(hidden)]
    network = from_keras(keras.Model([one, other], outs))
    growths = [Widen("fc1", 8)]
    after = operated(network, growths, rng=0)
    change = change_of(network, after, growths, inputs_of(network))
    assert change.relative < 1e-6
    moved = {layer: dict(arrays) for layer, arrays in after.weights.items()}
    moved["b"]["bias"] = moved["b"]["bias"] + np.float32(1.0)
    other_change = change_of(network, Network(after.architecture, moved), [], inputs_of(network))
    assert abs(other_change.largest - 1.0) < 1e-5


@pytest.mark.parametrize("init", ["zero", "copy"])
def test_growths_that_measure_on_images_follow_new_channels(init: str) -> None:
    """They see the images with the new channels, as the network then takes them."""
    text = "3x3x6(conv1)-batch_norm(bn1,activation=relu)-pool1-3(fc2)"
    network = Network.initial(Architecture.parse(text, (8, 8, 1)), rng=0)
    inputs = inputs_of(network)
    growths = [AddInputs(1, init), Deepen("conv1"), AddClasses(2, prior=0.1)]
    after = operated(network, growths, rng=0, images=inputs)
    assert after.architecture == planned(network.architecture, growths)[0]
    assert change_of(network, after, growths, inputs).relative < 1e-5
    narrow = [AddInputs(1, init), Narrow("conv1", 3, "activation")]
    narrower = operated(network, narrow, rng=0, images=inputs)
    assert narrower.architecture["conv1"].layer.width == 3


def test_a_layer_of_a_network_of_several_inputs_is_taken_out() -> None:
    """It is an identity on values of all of them, given or drawn; a unit that is 0 is dropped."""
    one, other = L.Input((4,), name="one"), L.Input((3,), name="other")
    hidden = L.Dense(5, activation="relu", name="fc1")(L.Concatenate()([one, other]))
    network = from_keras(keras.Model([one, other], L.Dense(2, name="fc2")(hidden)))
    deeper = operated(network, [Deepen("fc1")], rng=0)
    (new,) = {n.name for n in deeper.architecture.nodes} - {
        n.name for n in network.architecture.nodes
    }
    for images in (None, inputs_of(network)):
        again = operated(deeper, [Remove(new)], rng=0, images=images)
        assert again.architecture == network.architecture
    kernel, bias = (np.array(network.weights["fc1"][name]) for name in ("kernel", "bias"))
    kernel[:, 0], bias[0] = 0.0, 1.0
    constant = Network(
        network.architecture, {**network.weights, "fc1": {"kernel": kernel, "bias": bias}}
    )
    narrowed = operated(constant, [Narrow("fc1", 4, "dead")], rng=0)
    assert change_of(constant, narrowed, [], inputs_of(constant)).relative < 1e-6


@pytest.mark.parametrize("growth", [AddInputs(1), Remove("conv2", exact=False)])
def test_what_another_library_adds_to_a_layer_stays(growth: Growth) -> None:
    """Attributes of every layer that is left, as of one that is frozen in Keras."""
    text = "3x3x4(conv1)-3x3x4(conv2)-3(fc1)"
    before = Architecture.parse(text, (8, 8, 1))
    nodes = tuple(replace(node, attributes='{"trainable": false}') for node in before.nodes)
    after = growth.grown(Architecture(before.input_shape, nodes))
    assert {node.attributes for node in after.nodes} == {'{"trainable": false}'}


def test_a_step_that_is_not_exact_is_refused() -> None:
    """The output keeps its width; images of another shape are refused too."""
    with pytest.raises(NotExactError):
        planned(NETWORK.architecture, [Widen("fc2", 5)])
    with pytest.raises(InvalidInputError, match=r"expected images of shape \(8, 8, 1\)"):
        inputs_of(NETWORK, np.zeros((2, 4, 4, 1)))
