"""Networks and data that the laws are tried on, and comparisons of what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.networks import INPUT, Architecture, Network, Node, Slots
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    Activation,
    Add,
    AlphaDropout,
    Average,
    AvgPool,
    AvgPool1D,
    BatchNorm,
    Carried,
    Concat,
    Conv,
    Conv1D,
    ConvTranspose,
    Crop,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAvgPool,
    GlobalAvgPool1D,
    GlobalMaxPool,
    GlobalMaxPool1D,
    GroupNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPool1D,
    Minimum,
    Multiply,
    Normalize,
    Permute,
    PReLU,
    Rescale,
    RescaleChannels,
    Reshape,
    Resize,
    RMSNorm,
    Scale,
    ScaledAdd,
    SeparableConv,
    Subtract,
    UnitNorm,
    UpSample,
    ZeroPad,
)
from growsearch.networks.optimizers import OPTIMIZERS

Array = NDArray[Any]

IMAGE = (7, 6, 4)  # not square, so that height and width cannot be mistaken for each other
CLASSES = 3
FLOAT32 = 1e-5  # error against the float64 reference, as a share of the largest output

# Kind -> specifications of which every option occurs with a value that changes the result.
CASES: dict[str, list[Layer]] = {
    "dense": [Dense(5, "tanh"), Dense(5, use_bias=False), Dense(1, "linear")],
    "conv": [
        Conv((3, 3), 5),
        Conv((3, 3), 5, padding="valid", activation="gelu"),
        Conv((2, 4), 5, stride=(2, 1), use_bias=False),
        Conv((3, 2), 5, stride=(3, 2), padding="valid"),
        Conv((1, 1), 5, stride=(2, 3)),
        Conv((3, 3), 5, dilation=(2, 1)),
        Conv((3, 2), 5, dilation=(2, 3), padding="valid"),
        Conv((3, 3), 6, groups=2),
        Conv((3, 2), 8, stride=(2, 1), groups=4, padding="valid", use_bias=False),
        Conv((2, 3), 4, dilation=(1, 2), groups=4, activation="silu"),
    ],
    "separable_conv": [
        SeparableConv((3, 3), 5),
        SeparableConv((2, 3), 5, stride=(2, 2), multiplier=2, use_bias=False),
        SeparableConv((3, 2), 5, padding="valid", multiplier=3, activation="tanh"),
        SeparableConv((3, 2), 5, dilation=(2, 2)),
    ],
    "depthwise_conv": [
        DepthwiseConv((3, 3)),
        DepthwiseConv((2, 3), stride=(2, 2), multiplier=2, use_bias=False),
        DepthwiseConv((3, 2), padding="valid", multiplier=3, activation="tanh"),
        DepthwiseConv((3, 2), dilation=(2, 2)),
    ],
    "conv_transpose": [
        ConvTranspose((3, 3), 5, stride=(2, 2)),
        ConvTranspose((2, 4), 5, stride=(2, 1), use_bias=False),
        ConvTranspose((3, 2), 5, stride=(1, 3), padding="valid", activation="tanh"),
    ],
    "conv1d": [
        Conv1D(3, 5),
        Conv1D(2, 5, stride=2, use_bias=False),
        Conv1D(3, 5, padding="valid", dilation=2, activation="tanh"),
        Conv1D(3, 6, padding="causal", dilation=2, groups=2),
    ],
    "max_pool1d": [MaxPool1D(), MaxPool1D(3, 1), MaxPool1D(3, 2, "valid")],
    "avg_pool1d": [AvgPool1D(), AvgPool1D(3, 1), AvgPool1D(3, 2, "valid")],
    "global_avg_pool1d": [GlobalAvgPool1D(), GlobalAvgPool1D(keepdims=True)],
    "global_max_pool1d": [GlobalMaxPool1D(), GlobalMaxPool1D(keepdims=True)],
    "batch_norm": [
        BatchNorm(),
        BatchNorm(epsilon=0.3, activation="relu"),
        BatchNorm(epsilon=1e-7),
        BatchNorm(scale=False),
        BatchNorm(center=False),
    ],
    "layer_norm": [
        LayerNorm(),
        LayerNorm(epsilon=0.3),
        LayerNorm(scale=False),
        LayerNorm(center=False),
    ],
    "group_norm": [
        GroupNorm(2),
        GroupNorm(1, epsilon=0.3),
        GroupNorm(2, scale=False),
        GroupNorm(2, center=False),
    ],
    "rms_norm": [RMSNorm(), RMSNorm(epsilon=0.3)],
    "unit_norm": [UnitNorm()],
    "rescale": [Rescale(2.0, -0.5)],
    "rescale_channels": [RescaleChannels()],
    "scale": [Scale()],
    "normalize": [Normalize()],
    "max_pool": [
        MaxPool(),
        MaxPool((3, 2), stride=(1, 2)),
        MaxPool((2, 3), stride=(2, 1), padding="valid"),
    ],
    "avg_pool": [
        AvgPool(),
        AvgPool((3, 2), stride=(1, 2)),
        AvgPool((2, 3), stride=(2, 1), padding="valid"),
    ],
    "global_avg_pool": [GlobalAvgPool(), GlobalAvgPool(keepdims=True)],
    "global_max_pool": [GlobalMaxPool(), GlobalMaxPool(keepdims=True)],
    "flatten": [Flatten()],
    "reshape": [Reshape((2, 4)), Reshape((4,))],
    "permute": [Permute((2, 1, 3)), Permute((3, 1, 2))],
    "zero_pad": [ZeroPad(1, 0, 2, 3), ZeroPad(0, 0, 0, 0)],
    "crop": [Crop(1, 0, 2, 1)],
    "up_sample": [UpSample(), UpSample((3, 2), "bilinear")],
    "resize": [Resize((3, 8)), Resize((9, 4), "nearest")],
    "dropout": [Dropout(0.9), Dropout(0.9, "channels"), Dropout(0.9, "images")],
    "alpha_dropout": [AlphaDropout(0.9)],
    "gaussian_dropout": [GaussianDropout(0.9)],
    "gaussian_noise": [GaussianNoise(0.3)],
    "carried": [Carried("RandomFlip")],
    "prelu": [PReLU(), PReLU(shared=False)],
    "activation": [
        *(Activation(name) for name in ACTIVATIONS),
        Activation("leaky_relu", slope=0.7),
    ],
    "add": [Add(), Add("tanh")],
    "scaled_add": [ScaledAdd(0.3)],
    "subtract": [Subtract()],
    "multiply": [Multiply()],
    "average": [Average()],
    "maximum": [Maximum()],
    "minimum": [Minimum()],
    "concat": [Concat()],
}
ON_SEQUENCES = ("conv1d", "max_pool1d", "avg_pool1d", "global_avg_pool1d", "global_max_pool1d")
ON_FEATURES = (
    *("dense", "activation", "prelu"),
    *("batch_norm", "layer_norm", "group_norm", "rms_norm", "unit_norm"),
    *("rescale", "rescale_channels", "scale", "normalize"),
    *("dropout", "alpha_dropout", "gaussian_dropout", "gaussian_noise", "carried"),
    *("add", "scaled_add", "subtract", "multiply", "average", "maximum", "minimum", "concat"),
)


def trained(architecture: Architecture, seed: int = 0) -> Network:
    """Return a network whose every weight differs from its start, moving statistics included."""
    rng = np.random.default_rng(seed)
    weights: dict[str, dict[str, Array]] = {}
    for layer, specifications in architecture.weights.items():
        weights[layer] = {}
        for name, weight in specifications.items():
            scale = 1.0 / np.sqrt(max(weight.fan_in, 1))
            array = rng.normal(scale=scale if weight.fill == "kernel" else 0.5, size=weight.shape)
            if name == "variance":
                array = rng.uniform(0.1, 2.0, size=weight.shape)
            weights[layer][name] = array.astype(np.float32)
    return Network(architecture, weights)


def split(
    images: int, shape: tuple[int, ...] = IMAGE, seed: int = 0, classes: int = CLASSES
) -> Split:
    """Return random images with random labels."""
    rng = np.random.default_rng(seed)
    return Split(rng.random((images, *shape), np.float32), rng.integers(0, classes, images))


def around(layer: Layer, *, features: bool = False) -> Architecture:
    """Return a small graph with the layer in the middle, on images or on features."""
    nodes = [Node("a", Conv((3, 3), 4, activation="tanh"), (INPUT,))]
    if features:
        nodes += [Node("f", Flatten(), ("a",)), Node("g", Dense(4, "tanh"), ("f",))]
    if layer.kind in ON_SEQUENCES:
        nodes.append(Node("s", Reshape((14,)), ("a",)))
    before = nodes[-1].name
    inputs: tuple[str, ...] = (before,)
    if type(layer).inputs[0] > 1:
        other = Dense(4, "tanh") if features else Conv((1, 1), 4, activation="tanh")
        nodes.append(Node("b", other, (before,)))
        inputs = (before, "b", before)[: type(layer).inputs[1]]
    nodes.append(Node("tested", layer, inputs))
    if len(Architecture(IMAGE, tuple(nodes)).shapes["tested"]) > 1:
        nodes.append(Node("flat", Flatten(), ("tested",)))
    nodes.append(Node("out", Dense(CLASSES, "linear"), (nodes[-1].name,)))
    return Architecture(IMAGE, tuple(nodes))


def side_by_side(*graphs: Architecture) -> Architecture:
    """Return one graph of several on the same images, with the outputs of all in a row.

    Layers of graph ``n`` are named "n_" and their own name.
    """
    nodes: list[Node] = []
    for number, graph in enumerate(graphs):
        for node in graph.nodes:
            inputs = (name if name == INPUT else f"{number}_{name}" for name in node.inputs)
            nodes.append(Node(f"{number}_{node.name}", node.layer, tuple(inputs)))
    outputs = tuple(f"{number}_{graph.output.name}" for number, graph in enumerate(graphs))
    return Architecture(IMAGE, (*nodes, Node("all", Concat(), outputs)))


def random_graph(seed: int) -> Architecture:
    """Return a random graph with branches, sums and concatenations of any layer types."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    shapes: dict[str, tuple[int, ...]] = {INPUT: IMAGE}

    def put(layer: Layer, *inputs: str) -> str:
        shapes[name] = layer.output_shape(*(shapes[i] for i in inputs))
        nodes.append(Node(name, layer, inputs))
        return name

    current, to_features = INPUT, ("flatten", "global_avg_pool", "global_max_pool")
    length = int(rng.integers(3, 9))
    for number in range(length):
        name, is_image = f"n{number}", len(shapes[current]) == 3
        of_images = sorted(set(CASES) - {*to_features, *ON_SEQUENCES})
        kinds = of_images if is_image else ON_FEATURES
        kind = str(rng.choice(to_features if is_image and number == length - 2 else kinds))
        layer = CASES[kind][int(rng.integers(len(CASES[kind])))]
        inputs: tuple[str, ...] = (current,)
        if layer.inputs[0] > 1:
            twins = [other for other, shape in shapes.items() if shape == shapes[current]]
            inputs = (current, *(str(i) for i in rng.choice(twins, min(layer.inputs[1], 3) - 1)))
        try:
            current = put(layer, *inputs)
        except ValueError:  # too small for this window, or not divisible into these groups
            continue
    name = "flat"
    if len(shapes[current]) > 1:
        current = put(Flatten(), current)
    name = "out"
    put(Dense(CLASSES, "linear"), current)
    return _pruned(tuple(nodes))


def _pruned(nodes: tuple[Node, ...]) -> Architecture:
    needed = {nodes[-1].name}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return Architecture(IMAGE, tuple(node for node in nodes if node.name in needed))


def rich() -> Network:
    """Return a network with everything that training touches: norm, groups, sum, dropout."""
    return trained(
        Architecture(
            IMAGE,
            (
                Node("conv1", Conv((3, 3), 6), (INPUT,)),
                Node("norm1", BatchNorm(), ("conv1",)),
                Node("conv2", Conv((3, 3), 6, groups=2), ("norm1",)),
                Node("sum1", Add("relu"), ("norm1", "conv2")),
                Node("pool1", MaxPool(), ("sum1",)),
                Node("flat", Flatten(), ("pool1",)),
                Node("drop1", Dropout(0.3), ("flat",)),
                Node("fc1", Dense(16), ("drop1",)),
                Node("fc2", Dense(CLASSES, "linear"), ("fc1",)),
            ),
        )
    )


def regression(*between: Node) -> Network:
    """Return softmax regression, whose gradient has a closed form, behind some layers."""
    before = between[-1].name if between else "flat"
    nodes = (
        Node("flat", Flatten(), (INPUT,)),
        *between,
        Node("fc", Dense(CLASSES, "linear"), (before,)),
    )
    return trained(Architecture((2, 2, 1), nodes))


def arrays(weights: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Return copies of the weights by "layer name"."""
    return {
        f"{layer} {name}": np.array(array)
        for layer, named in weights.items()
        for name, array in named.items()
    }


def assert_close(got: Any, expected: Any, tolerance: float, what: str = "") -> None:
    """Assert a largest absolute difference of ``tolerance`` times the largest expected value."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape, what
    error = np.abs(got - expected).max(initial=0.0)
    assert error <= tolerance * np.abs(expected).max(initial=0.0), f"{what}: {error}"


def assert_same(network: Network, other: Network) -> None:
    """Assert that weights and slots are equal to the last bit."""
    assert network.sha256 == other.sha256


def with_slots(network: Network, optimizer: str, step: int, seed: int = 1) -> Network:
    """Return the network with random slots, as after ``step`` updates."""
    rng = np.random.default_rng(seed)
    values = {
        slot: {
            layer: {
                name: np.float32(0.1) ** degree * rng.random(weight.shape, np.float32)
                for name, weight in weights.items()
                if weight.trainable
            }
            for layer, weights in network.architecture.weights.items()
        }
        for slot, degree in OPTIMIZERS[optimizer].degrees.items()
    }
    return replace(network, slots=Slots(optimizer, step, values))
