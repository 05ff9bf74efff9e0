"""Forward pass in float64 by numpy and scipy: the reference for every backend.

One function a layer type, in evaluation mode, written for clarity; the algorithm is TensorFlow's
(``same`` padding puts the odd pixel at the end; average pooling does not count padding).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError
from growsearch.networks import layers
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer, Window
from growsearch.networks.node import INPUT

if TYPE_CHECKING:  # a network imports this module
    from growsearch.networks.network import Network

Float = NDArray[np.float64]
Arrays = Mapping[str, Float]


_BATCH_BYTES = 64_000_000  # of the largest unfolded tensor at a time


def forward(network: Network, images: Any, *, at: str | None = None) -> Float:
    """Return the network's output on ``images``, or that of the layer ``at``.

    Parameters
    ----------
    network : Network
    images : array, shape (n, *input_shape)
        A list of them where the network has several inputs.
    at : str, optional
        Name of the layer whose output is returned; the last one by default.

    A network with layers that only Keras computes is computed there, in float64.

    Returns
    -------
    float64 array, shape (n, *output shape)
    """
    architecture = network.architecture
    if architecture.opaque:
        from growsearch.interop.keras import forward as keras_forward

        return keras_forward(network, images, at=at)
    x = np.asarray(images, np.float64)
    if x.shape[1:] != architecture.input_shape:
        raise InvalidInputError(
            f"images: expected shape (n, {', '.join(map(str, architecture.input_shape))}), "
            f"got {x.shape}"
        )
    name = at or architecture.output.name
    size = _batch(network)
    parts = [_forward(network, x[i : i + size], name) for i in range(0, max(len(x), 1), size)]
    return np.concatenate(parts)


def _forward(network: Network, x: Float, at: str) -> Float:
    values: dict[str, Float] = {INPUT: x}
    for node in network.architecture.nodes:
        weights = {
            name: np.asarray(array, np.float64)
            for name, array in network.weights.get(node.name, {}).items()
        }
        inputs = [values[name] for name in node.inputs]
        values[node.name] = compute(node.layer, inputs, weights)
        if node.name == at:
            break
    return values[at]


def _batch(network: Network) -> int:
    """Count the images whose largest unfolded convolution fits into 64 MB, at least one."""
    largest = 1
    for node in network.architecture.nodes:
        shapes = network.architecture.input_shapes(node)
        kernel = getattr(node.layer, "kernel", getattr(node.layer, "size", (1, 1)))
        positions = int(np.prod(network.architecture.shapes[node.name][:-1], dtype=int))
        largest = max(largest, positions * kernel[0] * kernel[1] * shapes[0][-1])
    return max(1, _BATCH_BYTES // (8 * largest))


@singledispatch
def compute(layer: Layer, inputs: list[Float], weights: Arrays) -> Float:
    """Compute one layer's output; a layer type without a function here is an error."""
    raise TypeError(f"the reference has no function for {type(layer).__name__}")


@compute.register
def _(layer: layers.Dense, inputs: list[Float], weights: Arrays) -> Float:
    return _finish(layer, inputs[0] @ weights["kernel"], weights)


@compute.register
def _(layer: layers.Conv, inputs: list[Float], weights: Arrays) -> Float:
    windows = _windows(inputs[0], layer.window)
    kernels = np.split(weights["kernel"], layer.groups, axis=3)
    blocks = np.split(windows, layer.groups, axis=3)
    outputs = [
        np.tensordot(block, kernel, axes=([4, 5, 3], [0, 1, 2]))
        for block, kernel in zip(blocks, kernels, strict=True)
    ]
    return _finish(layer, np.concatenate(outputs, axis=3), weights)


@compute.register
def _(layer: layers.DepthwiseConv, inputs: list[Float], weights: Arrays) -> Float:
    return _finish(layer, _depthwise(layer, inputs[0], weights["kernel"]), weights)


@compute.register
def _(layer: layers.SeparableConv, inputs: list[Float], weights: Arrays) -> Float:
    inner = _depthwise(layer, inputs[0], weights["depthwise"])
    return _finish(layer, inner @ weights["pointwise"][0, 0], weights)


@compute.register
def _(layer: layers.BatchNorm, inputs: list[Float], weights: Arrays) -> Float:
    scale = weights.get("gamma", 1.0) / np.sqrt(weights["variance"] + layer.epsilon)
    x = (inputs[0] - weights["mean"]) * scale + weights.get("beta", 0.0)
    return ACTIVATIONS[layer.activation].function(x)


@compute.register
def _(layer: layers.LayerNorm, inputs: list[Float], weights: Arrays) -> Float:
    return _normal(inputs[0], (-1,), layer.epsilon) * weights["gamma"] + weights["beta"]


@compute.register
def _(layer: layers.GroupNorm, inputs: list[Float], weights: Arrays) -> Float:
    images, *positions, channels = inputs[0].shape
    groups = (layer.groups, channels // layer.groups)
    x = inputs[0].reshape(images, math.prod(positions), *groups)
    normal = _normal(x, (1, 3), layer.epsilon).reshape(inputs[0].shape)
    return normal * weights["gamma"] + weights["beta"]


@compute.register
def _(layer: layers.MaxPool, inputs: list[Float], weights: Arrays) -> Float:
    windows = _windows(inputs[0], layer.view, fill=-np.inf)
    return np.asarray(windows.max(axis=(4, 5)))


@compute.register
def _(layer: layers.AvgPool, inputs: list[Float], weights: Arrays) -> Float:
    windows = _windows(inputs[0], layer.view, fill=np.nan)
    return np.asarray(np.nanmean(windows, axis=(4, 5)))


@compute.register
def _(layer: layers.GlobalAvgPool, inputs: list[Float], weights: Arrays) -> Float:
    return np.asarray(inputs[0].mean(axis=(1, 2)))


@compute.register
def _(layer: layers.GlobalMaxPool, inputs: list[Float], weights: Arrays) -> Float:
    return np.asarray(inputs[0].max(axis=(1, 2)))


@compute.register
def _(layer: layers.Flatten, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0].reshape(len(inputs[0]), math.prod(inputs[0].shape[1:]))


@compute.register
def _(layer: layers.Dropout, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0]


@compute.register
def _(layer: layers.Activation, inputs: list[Float], weights: Arrays) -> Float:
    if layer.function == "leaky_relu":
        return np.where(inputs[0] > 0.0, inputs[0], layer.slope * inputs[0])
    return ACTIVATIONS[layer.function].function(inputs[0])


@compute.register
def _(layer: layers.ZeroPad, inputs: list[Float], weights: Arrays) -> Float:
    sides = [(0, 0), (layer.top, layer.bottom), (layer.left, layer.right), (0, 0)]
    return np.pad(inputs[0], sides)


@compute.register
def _(layer: layers.Add, inputs: list[Float], weights: Arrays) -> Float:
    return ACTIVATIONS[layer.activation].function(np.sum(inputs, axis=0))


@compute.register
def _(layer: layers.Concat, inputs: list[Float], weights: Arrays) -> Float:
    return np.concatenate(inputs, axis=-1)


def _finish(layer: Any, x: Float, weights: Arrays) -> Float:
    """Add the bias and apply the activation."""
    if "bias" in weights:
        x = x + weights["bias"]
    return ACTIVATIONS[layer.activation].function(x)


def _normal(x: Float, axes: tuple[int, ...], epsilon: float) -> Float:
    """Return ``x`` with mean 0 and variance 1 over the axes."""
    centred = x - x.mean(axis=axes, keepdims=True)
    normal: Float = centred / np.sqrt(np.mean(centred**2, axis=axes, keepdims=True) + epsilon)
    return normal


def _depthwise(layer: Any, x: Float, kernel: Float) -> Float:
    windows = _windows(x, layer.window)
    out = np.einsum("nhwcij,ijcm->nhwcm", windows, kernel, optimize=True)
    return np.asarray(out.reshape(*out.shape[:3], out.shape[3] * out.shape[4]))


def _windows(x: Float, window: Window, fill: float = 0.0) -> Float:
    """Return windows of images, shape (n, height, width, channels, kh, kw); a view if possible."""
    stride, dilation = window.stride, window.dilation
    reach = [(s - 1) * d + 1 for s, d in zip(window.kernel, dilation, strict=True)]
    if window.padding == "same":
        around = [(0, 0)]
        for pixels, step, r in zip(x.shape[1:3], stride, reach, strict=True):
            missing = max((-(-pixels // step) - 1) * step + r - pixels, 0)
            around.append((missing // 2, missing - missing // 2))
        x = np.pad(x, [*around, (0, 0)], constant_values=fill)
    every = sliding_window_view(x, (reach[0], reach[1]), axis=(1, 2))
    view: Float = every[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return view
