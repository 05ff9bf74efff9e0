"""The networks whose exports are tested: one of each kind, with statistics as after training."""

from __future__ import annotations

from typing import Any

import numpy as np

from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    MaxPool,
)

SHAPE = (12, 10, 2)
CLASSES = ("ant", "bee", "cow")


def network_of(*nodes: tuple[str, Layer, tuple[str, ...]], seed: int = 0) -> Network:
    """A network of these nodes, none of whose arrays is 0 or 1 throughout."""
    graph = Architecture(SHAPE, tuple(Node(*each) for each in nodes))
    first = Network.initial(graph, rng=seed)
    rng = np.random.default_rng(seed)

    def moved(name: str, array: Any) -> Any:
        if name == "variance":
            return (0.5 + rng.random(array.shape)).astype(np.float32)
        return (array + 0.1 * rng.standard_normal(array.shape)).astype(np.float32)

    weights = {
        layer: {name: moved(name, array) for name, array in arrays.items()}
        for layer, arrays in first.weights.items()
    }
    return Network(graph, weights, class_names=CLASSES)


def conv(filters: int, **options: Any) -> Conv:
    """A convolution of 3x3."""
    return Conv((3, 3), filters, **options)


def ends(before: str) -> tuple[tuple[str, Layer, tuple[str, ...]], ...]:
    """The average over positions, and a dense layer that gives logits."""
    return ("average", GlobalAvgPool(), (before,)), ("out", Dense(3, "linear"), ("average",))


def plain() -> Network:
    """Convolutions, pooling and dense layers in a chain."""
    graph = Architecture.parse("3x3x6(conv1)-pool1-3x3x8(conv2)-pool2-12(fc1)-3(out)", SHAPE)
    return network_of(*((node.name, node.layer, node.inputs) for node in graph.nodes))


def batch_norm() -> Network:
    """Batch norm behind a linear convolution, which converters fold, and behind a ReLU."""
    return network_of(
        ("conv1", conv(6, activation="linear", use_bias=False), (INPUT,)),
        ("norm1", BatchNorm(activation="relu"), ("conv1",)),
        ("conv2", conv(8), ("norm1",)),
        ("norm2", BatchNorm(), ("conv2",)),
        *ends("norm2"),
    )


def branched() -> Network:
    """A sum with a shortcut, and branches that are concatenated."""
    return network_of(
        ("conv1", conv(6), (INPUT,)),
        ("conv2", conv(6, activation="linear"), ("conv1",)),
        ("sum", Add("relu"), ("conv1", "conv2")),
        ("left", conv(4, stride=(2, 2)), ("sum",)),
        ("right", MaxPool(), ("sum",)),
        ("both", Concat(), ("left", "right")),
        *ends("both"),
    )


def depthwise() -> Network:
    """A depthwise and a pointwise convolution, each with batch norm."""
    return network_of(
        ("conv1", conv(6, stride=(2, 2)), (INPUT,)),
        ("deep", DepthwiseConv((3, 3), activation="linear", use_bias=False), ("conv1",)),
        ("norm1", BatchNorm(activation="relu"), ("deep",)),
        ("point", Conv((1, 1), 8, activation="linear", use_bias=False), ("norm1",)),
        ("norm2", BatchNorm(activation="relu"), ("point",)),
        *ends("norm2"),
    )


NETWORKS = {each.__name__: each for each in (plain, batch_norm, branched, depthwise)}
