"""Refusals of growths: one line that names the layer and the reason."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from growsearch.errors import ArchitectureError, InvalidInputError, NotExactError, OutOfMemoryError
from growsearch.growth import (
    AddBranch,
    AddSkip,
    Deepen,
    DeepenAll,
    EnlargeKernel,
    Limits,
    Widen,
    WidenAll,
    WidenDeepen,
    grow,
    growth_from_json,
)
from growsearch.networks import INPUT, Architecture, Network, Node, Slots
from growsearch.networks.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    GroupNorm,
    LayerNorm,
    MaxPool,
    ZeroPad,
)
from tests.growth_cases import (
    CASES,
    case,
    images_for,
    trained,
)

# The layers of a compound growth, as JSON has them.
ONE_LAYER = {"layers": ["conv1"], "widths": [8]}


def tied_to_input() -> Architecture:
    nodes = (
        Node("conv1", Conv((3, 3), 2), (INPUT,)),
        Node("add1", Add(), (INPUT, "conv1")),
        Node("conv2", Conv((1, 1), 3, activation="linear"), ("add1",)),
    )
    return Architecture((4, 4, 2), nodes)


OUTPUT_BLOCK = Architecture(
    (4,),
    (Node("fc1", Dense(3, activation="linear"), (INPUT,)), Node("bn1", BatchNorm(), ("fc1",))),
)
WINDOWS = CASES["valid, strided, dilated"]
POOLED = case(Conv((3, 3), 3), MaxPool(), LayerNorm())  # a norm that is in no block
# Behind a concatenation a group's channels are those of one branch.
JOINED = case(Conv((3, 3), 2), (Conv((1, 1), 2), Conv((3, 3), 2), Concat()), GroupNorm(2))
PADDED = case(Conv((3, 3), 3), ZeroPad(1, 1, 1, 1), Conv((1, 1), 3))
REFUSALS = [
    (case(Dense(4), shape=(4,)), Widen("dense1", 9), "dense1: .*change the network's outputs"),
    (case(Dense(4), shape=(4,)), Widen("dense0", 4), "dense0: expected more than its 4 .*got 4"),
    (OUTPUT_BLOCK, Widen("fc1", 9), "fc1: .*change the network's outputs"),
    (OUTPUT_BLOCK, Deepen("fc1"), "fc1: .*got the output layer"),
    (CASES["layer norm"], Widen("dense4", 9), "dense4: layer norm .*equally often: 4 -> 9"),
    (CASES["layer norm"], Widen("conv0", 7, "new"), "conv0: its extra units are no copies"),
    (CASES["layer norm"], Widen("conv0", 6, "random"), "conv0: layer norm .*equal shares"),
    (CASES["group norm"], Widen("conv0", 7), "conv0: group norm .*equally often: 4 -> 7"),
    (CASES["group norm"], Widen("conv0", 8, "random"), "conv0: group norm .*equal shares"),
    (JOINED, Widen("conv1", 3), "conv1: its units stand in groups of 2: 2 -> 3"),
    (tied_to_input(), Widen("conv1", 4), "conv1: add1 ties its units to the network's input"),
    (CASES["depthwise"], Widen("depthwise_conv1", 9), "depthwise_conv1: .*no width of its own"),
    (CASES["depthwise"], Deepen("depthwise_conv1"), "depthwise_conv1: .*got depthwise_conv"),
    (CASES["grouped"], Widen("conv0", 7), "conv0: .*2 equal groups: 4 -> 7"),
    (CASES["grouped"], Widen("conv1", 7), "conv1: .*6 equal groups: 6 -> 7"),
    (CASES["softmax"], Widen("conv1", 8), "conv1: each of its units depends on all of them"),
    (CASES["softmax"], Widen("conv2", 8), "conv2: each unit of activation3 depends on all"),
    (CASES["softmax"], WidenAll(("conv1", "conv2"), (8, 8)), "conv1: each of its units depends"),
    (WINDOWS, EnlargeKernel("conv0", (4, 5)), "conv0: .*valid padding.* reads other pixels"),
    (WINDOWS, EnlargeKernel("conv2", (4, 3)), "conv2: in a 4x3 .* reads other pixels"),
    (WINDOWS, EnlargeKernel("conv1", (3, 1)), "conv1: expected a larger kernel than 3x1, got 3x1"),
    (WINDOWS, EnlargeKernel("dense4", 3), "dense4: expected a convolution, got dense"),
    (OUTPUT_BLOCK, DeepenAll(("fc1",)), "fc1: .*got the output layer"),
    (CASES["grouped"], WidenDeepen(("conv0",), (7,), "conv1"), "conv0: .*2 equal groups: 4 -> 7"),
    (PADDED, AddSkip("conv0", "conv2"), "conv0 -> conv2: .*at least as large .*5x4 and 7x6 pixels"),
    (PADDED, AddSkip("conv2", "conv0"), "conv2 -> conv0: expected a source .*before the target"),
    (PADDED, AddSkip("conv0", "dense4"), "dense4: expected a target before the output layer"),
    (POOLED, AddSkip(INPUT, "conv0", "concat"), "conv0: appended units do not fit: layer norm "),
    (POOLED, AddBranch("conv0", 2), "conv0: appended units do not fit: layer norm "),
    (tied_to_input(), AddBranch("conv1", 2), "conv1: add1 ties its units to the network's input"),
    (OUTPUT_BLOCK, AddBranch("fc1", 2), "fc1: expected a layer before the output"),
    (CASES["depthwise"], AddBranch("depthwise_conv1", 2), "depthwise_conv1: .*got depthwise_conv"),
    (PADDED, AddBranch("dense4", 2), "dense4: .*before the output, got the output layer"),
]


@pytest.mark.parametrize(("architecture", "growth", "message"), REFUSALS)
def test_refusals_name_the_layer_and_the_reason(architecture, growth, message):
    """A growth that would not be exact is refused before and while growing, and is no site."""
    with pytest.raises(NotExactError, match=message):
        growth.grown(architecture)
    with pytest.raises(NotExactError, match=message):
        grow(trained(architecture), growth, rng=0)
    assert growth not in type(growth).sites(architecture, Limits())


def test_unknown_layers_are_named():
    """A layer that the network does not have is an ArchitectureError that lists those it has."""
    for growth in (
        Widen("conv9", 8),
        Deepen("conv9"),
        EnlargeKernel("conv9", 5),
        AddSkip("conv0", "conv9"),
        AddSkip("conv9", "conv1"),
        AddBranch("conv9", 2),
    ):
        with pytest.raises(ArchitectureError, match=r"conv0.*got 'conv9'"):
            growth.grown(CASES["grouped"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "widen",
        {},
        {"operation": "shrink", "layer": "conv1"},
        {"operation": ["widen"], "layer": "conv1", "width": 8},
        {"operation": "widen", "layer": "conv1"},
        {"operation": "widen", "layer": 5, "width": 8},
        {"operation": "widen", "layer": ["conv1"], "width": 8},
        {"operation": "widen", "layer": "conv1", "width": "8"},
        {"operation": "widen", "layer": "conv1", "width": True},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": math.inf},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": math.nan},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": -0.1},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": "x"},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": True},
        {"operation": "widen", "layer": "conv1", "width": 8, "split": "unequal"},
        {"operation": "widen", "layer": "conv1", "width": 8, "more": 1},
        {"operation": "widen_all", "layers": ["conv1", "conv2"], "widths": [8]},
        {"operation": "widen_all", "layers": [], "widths": []},
        {"operation": "widen_all", "layers": "c", "widths": [8]},
        {"operation": "widen_all", "layers": ["conv1"], "widths": 8},
        {"operation": "widen_all", "layers": [["conv1"]], "widths": [8]},
        {"operation": "widen_all", "layers": ["conv1"], "widths": ["8"]},
        {"operation": "widen_all", "layers": ["conv1", "conv1"], "widths": [8, 16]},
        {"operation": "widen_all", "layers": ["conv1"], "widths": [8], "zero_sum": -1.0},
        {"operation": "widen", "layer": "conv1", "width": 8, "zero_sum": math.nan},
        {"operation": "widen", "layer": "conv1", "width": 8, "split": "new", "zero_sum": 0.5},
        {"operation": "widen_deepen", **ONE_LAYER, "deepened": "conv1", "split": "half"},
        {"operation": "widen_all", **ONE_LAYER, "split": "half"},
        {"operation": "deepen", "layer": "conv1", "batch_norm": "yes"},
        {"operation": "deepen_all", "layers": "conv1"},
        {"operation": "deepen_all", "layers": []},
        {"operation": "deepen_all", "layers": ["conv1", 2]},
        {"operation": "deepen_all", "layers": ["conv1", "conv1"]},
        {"operation": "deepen_all", "layers": ["conv1"], "batch_norm": 1},
        {"operation": "deepen_all", "layers": {"conv1": 1}},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": [8]},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": [8], "deepened": ["conv1"]},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": 8, "deepened": "conv1"},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": [0], "deepened": "conv1"},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": 0},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": [5]},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": [5, 5.0]},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": True},
        {"operation": "add_skip", "source": "conv1", "target": 2},
        {"operation": "add_skip", "source": "conv1", "target": "conv2", "merge": "product"},
        {"operation": "add_branch", "layer": "conv1", "units": 0},
        {"operation": "add_branch", "layer": "conv1", "units": 2, "kernel": 4},
    ],
)
def test_what_is_no_growth_is_refused(value):
    """Untrusted JSON that is not exactly a growth is an InvalidInputError."""
    with pytest.raises(InvalidInputError, match="a growth: expected"):
        growth_from_json(value)


@pytest.mark.parametrize("option", ["fill", "slots"])
def test_unknown_treatments_are_refused(option):
    """A fill or a slot treatment that does not exist is named, with those that do."""
    with pytest.raises(InvalidInputError, match=f"{option}: expected one of .*got 'other'"):
        grow(trained(CASES["residual"]), Deepen("conv0"), rng=0, **{option: "other"})


@pytest.mark.parametrize("value", ["x", True, None, -0.5])
def test_noise_is_a_number(value):
    """Of 0 or more: any other value is refused by name."""
    with pytest.raises(InvalidInputError, match="noise: expected 0 or more, got"):
        Widen("conv1", 8, noise=value)
    for growth in (Widen("conv1", 8), WidenAll(("conv1",), (8,))):
        with pytest.raises(InvalidInputError, match="zero_sum: expected 0 or more, got"):
            replace(growth, zero_sum=value)
        with pytest.raises(InvalidInputError, match="zero_sum: expected 0 as split new makes no"):
            replace(growth, zero_sum=0.5, split="new")


def test_only_growths_are_grown():
    """A name instead of a growth is a TypeError that shows one."""
    network: Network = trained(CASES["dense only"])
    with pytest.raises(TypeError, match="expected a Growth such as"):
        grow(network, "widen", rng=0)  # type: ignore[arg-type]
    assert images_for(network.architecture).shape == (3, 6)


def test_only_networks_grow():
    """An architecture has no weights to keep a function with."""
    architecture = Architecture.parse("8(fc1)-10(fc2)", input_shape=(3,))
    with pytest.raises(TypeError, match="network: expected a Network, got"):
        grow(architecture, Widen("fc1", 16), rng=0)


def test_a_branch_has_the_kernel_that_it_says():
    """A branch has the layer's kernel if its own would give images that do not fit."""
    text = "3x3x4(conv1,padding=valid)-10(fc1)"
    architecture = Architecture.parse(text, input_shape=(8, 8, 1))
    (site,) = AddBranch.sites(architecture, Limits())
    assert site.kernel is None
    branch = site.grown(architecture)["conv1_branch"].layer
    assert (branch.kernel, branch.padding) == ((3, 3), "valid")
    with pytest.raises(NotExactError, match="images are 6 x 6, got 8 x 8 with kernel 5: use"):
        AddBranch("conv1", 2, 5).grown(architecture)


@pytest.mark.parametrize("layer", ["conv1", "fc1"])
@pytest.mark.parametrize("width", [2**31 - 1, 10**9])
@pytest.mark.parametrize("growth", [Widen, AddBranch])
def test_what_no_memory_holds_is_refused_before_it_is_allocated(growth, layer, width, monkeypatch):
    """The operating system would end the process, without a word."""
    monkeypatch.setattr("growsearch.checks.physical_memory", lambda: 8e9)
    architecture = Architecture.parse("3x3x4(conv1)-8(fc1)-10(fc2)", input_shape=(28, 28, 1))
    parent = Network.initial(architecture, rng=0)
    with pytest.raises(OutOfMemoryError, match=r"expected to need at most .* GB"):
        grow(parent, growth(layer, width - 8), rng=0)


def test_a_network_with_slots_needs_as_much_again(monkeypatch):
    """Weights and two slots: three times four bytes a parameter."""
    architecture = Architecture.parse("8(fc1)-10(fc2)", input_shape=(3,))
    parent = Network.initial(architecture, rng=0)
    slots = dict.fromkeys(("m", "v"), parent.weights)
    trained = Network(architecture, parent.weights, Slots("adam", 1, slots))
    parameters = Widen("fc1", 1000).grown(architecture).parameters
    monkeypatch.setattr("growsearch.checks.physical_memory", lambda: 12.0 * parameters - 1.0)
    grow(parent, Widen("fc1", 1000), rng=0)
    with pytest.raises(OutOfMemoryError, match=f"a network of {parameters:,} parameters: "):
        grow(trained, Widen("fc1", 1000), rng=0)
