"""The places of new layers: behind, or beside, a layer with its norm and activation."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.growth import AddBranch, AddSkip, Deepen, Limits, grow
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GroupNorm,
    LayerNorm,
)
from tests.growth_cases import case, change, images_for, trained


def block(activation: str, norm: Layer, function: str | None) -> Architecture:
    """A convolution with its norm, its activation before or behind that, and a dense layer."""
    last = (Activation(function),) if function else ()
    return case(Conv((3, 3), 4, activation=activation), norm, *last, Flatten(), Dense(4))


def added(parent: Architecture, child: Architecture) -> list[str]:
    """The kinds of the new nodes, each with its activation if that is not linear."""
    return [
        f"{node.layer.kind} {getattr(node.layer, 'activation', 'linear')}".removesuffix(" linear")
        for node in child.nodes
        if node.name not in parent
    ]


def assert_exact(architecture: Architecture, growth: Deepen | AddBranch | AddSkip) -> Network:
    parent = trained(architecture)
    child = grow(parent, growth, rng=0, images=images_for(architecture))
    assert change(parent, child) <= 1e-9
    return child


LN, BN, GN = LayerNorm(0.01), BatchNorm(momentum=0.5), GroupNorm(2, epsilon=0.01)


@pytest.mark.parametrize(
    ("activation", "norm", "function", "batch_norm", "expected"),
    [
        # A layer norm is never the identity: a branch, normalised and activated as the block is.
        ("linear", LN, "relu", None, ["conv", "layer_norm", "activation relu", "conv", "add"]),
        ("linear", LN, "gelu", None, ["conv", "layer_norm", "activation gelu", "conv", "add"]),
        ("relu", LN, None, None, ["conv", "layer_norm", "activation relu", "conv", "add"]),
        ("linear", LN, None, None, ["conv", "layer_norm", "conv", "add"]),
        ("linear", GN, "relu", None, ["conv", "group_norm", "activation relu", "conv", "add"]),
        # ReLU is the last step, and changes nothing if it is applied again: an identity.
        ("linear", LN, "relu", True, ["conv", "batch_norm relu"]),
        ("linear", LN, "relu", False, ["conv relu"]),
        # Values behind the norm have both signs, which ReLU would change: a branch.
        ("relu", LN, None, True, ["conv", "batch_norm relu", "conv", "add"]),
        ("relu", LN, None, False, ["conv relu", "conv", "add"]),
        ("linear", BN, "relu", None, ["conv", "batch_norm relu"]),
        ("linear", BN, "gelu", None, ["conv", "batch_norm gelu", "conv", "add"]),
        ("linear", BN, "relu", False, ["conv relu"]),
    ],
)
def test_a_new_layer_stands_behind_the_whole_block(
    activation: str, norm: Layer, function: str | None, batch_norm: bool | None, expected: list[str]
) -> None:
    """Behind the norm and its activation, activated itself: no two linear layers in a row."""
    architecture = block(activation, norm, function)
    child = assert_exact(architecture, Deepen("conv0", batch_norm)).architecture
    assert child["conv0_deep"].inputs == ("activation2" if function else f"{norm.kind}1",)
    assert added(architecture, child) == expected


def test_a_block_goes_as_far_as_nothing_else_uses_it() -> None:
    """Dropout belongs to it; a second consumer inside ends it."""
    whole = case(Conv((3, 3), 3), Dropout(0.5), LN, Dropout(0.5), shape=(4, 4, 2))
    assert Deepen("conv0").grown(whole)["conv0_deep"].inputs == ("dropout3",)
    shared = Architecture(
        (4, 4, 2),
        (
            Node("conv1", Conv((3, 3), 3), (INPUT,)),
            Node("norm1", LN, ("conv1",)),
            Node("sum1", Add(), ("conv1", "norm1")),
            Node("conv2", Conv((3, 3), 3), ("sum1",)),
        ),
    )
    assert Deepen("conv1").grown(shared)["conv1_deep"].inputs == ("conv1",)


@pytest.mark.parametrize(
    ("norm", "units", "expected"),
    [
        (BN, 2, {"bn": BatchNorm(momentum=0.5, activation="gelu")}),
        (LN, 2, {"ln": LN, "act": Activation("gelu")}),
        (GN, 4, {"gn": GN, "act": Activation("gelu")}),
        (GN, 3, {"gn": GroupNorm(1, epsilon=0.01), "act": Activation("gelu")}),
    ],
)
def test_a_branch_is_normalised_as_the_block_beside_it(
    norm: Layer, units: int, expected: dict[str, Layer]
) -> None:
    """Norm and activation stand in the branch too, with the options of the block's norm."""
    architecture = block("linear", norm, "gelu")
    child = assert_exact(architecture, AddBranch("conv0", units)).architecture
    kinds = ["conv", *(layer.kind for layer in expected.values()), "concat"]
    assert [kind.split()[0] for kind in added(architecture, child)] == kinds
    assert {end: child[f"conv0_branch_{end}"].layer for end in expected} == expected


@pytest.mark.parametrize("growth", [AddBranch("conv0", 2, 5), AddSkip(INPUT, "conv0", "concat")])
def test_units_are_appended_behind_the_norm_of_the_block(growth: AddBranch | AddSkip) -> None:
    """There they change no statistics of the layer norm."""
    architecture = block("linear", LN, "relu")
    assert growth in type(growth).sites(architecture, Limits(width_multiple=2))
    assert_exact(architecture, growth)


def test_a_network_whose_output_has_no_weights_gets_its_skips() -> None:
    """A softmax at the end, as of a Keras model: new weights have the dtype of the others."""
    architecture = Architecture.parse(
        "3x3x3(conv1)-3x3x3(conv2)-global_avg_pool(gap)-3(fc1,activation=linear)"
        "-activation(soft,function=softmax)",
        (4, 4, 2),
    )
    child = assert_exact(architecture, AddSkip("conv1", "conv2"))
    assert child.weights["conv2_skip_project"]["kernel"].dtype == np.float32
