"""One function a layer type by numpy and scipy, in float64 and evaluation mode.

They are written for clarity; the algorithm is TensorFlow's (``same`` padding puts the odd pixel at
the end; average pooling does not count padding).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from growsearch.networks import layers
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer, Window
from growsearch.networks.layers.scaling import LEAST_DEVIATION

Float = NDArray[np.float64]
Arrays = Mapping[str, Float]


@singledispatch
def compute(layer: Layer, inputs: list[Float], weights: Arrays) -> Float:
    """Compute one layer's output; a layer type without a function here is an error."""
    raise TypeError(f"the reference has no function for {type(layer).__name__}")


@compute.register
def _(layer: layers.Dense, inputs: list[Float], weights: Arrays) -> Float:
    return _finish(layer, inputs[0] @ weights["kernel"], weights)


@compute.register
def _(layer: layers.Conv, inputs: list[Float], weights: Arrays) -> Float:
    return _finish(layer, _convolved(inputs[0], weights["kernel"], layer), weights)


@compute.register
def _(layer: layers.DepthwiseConv, inputs: list[Float], weights: Arrays) -> Float:
    return _finish(layer, _depthwise(layer, inputs[0], weights["kernel"]), weights)


@compute.register
def _(layer: layers.SeparableConv, inputs: list[Float], weights: Arrays) -> Float:
    inner = _depthwise(layer, inputs[0], weights["depthwise"])
    return _finish(layer, inner @ weights["pointwise"][0, 0], weights)


@compute.register
def _(layer: layers.ConvTranspose, inputs: list[Float], weights: Arrays) -> Float:
    x, kernel = inputs[0], weights["kernel"]
    shape, is_same = layer.output_shape(x.shape[1:]), layer.padding == "same"
    corner = [
        max(size - stride, 0) // 2 if is_same else 0
        for size, stride in zip(layer.kernel, layer.stride, strict=True)
    ]
    height, width = (
        max((pixels - 1) * stride + size, first + wanted)
        for pixels, stride, size, first, wanted in zip(
            x.shape[1:3], layer.stride, layer.kernel, corner, shape[:2], strict=True
        )
    )
    out = np.zeros((len(x), height, width, layer.filters))
    for row, column in np.ndindex(layer.kernel):  # each pixel adds the kernel, times its value
        down, right = layer.stride
        rows = slice(row, row + (x.shape[1] - 1) * down + 1, down)
        columns = slice(column, column + (x.shape[2] - 1) * right + 1, right)
        out[:, rows, columns] += x @ kernel[row, column].T
    top, left = corner
    return _finish(layer, out[:, top : top + shape[0], left : left + shape[1]], weights)


@compute.register
def _(layer: layers.BatchNorm, inputs: list[Float], weights: Arrays) -> Float:
    scale = weights.get("gamma", 1.0) / np.sqrt(weights["variance"] + layer.epsilon)
    x = (inputs[0] - weights["mean"]) * scale + weights.get("beta", 0.0)
    return ACTIVATIONS[layer.activation].function(x)


@compute.register
def _(layer: layers.LayerNorm, inputs: list[Float], weights: Arrays) -> Float:
    return _scaled(_normal(inputs[0], (-1,), layer.epsilon), weights)


@compute.register
def _(layer: layers.GroupNorm, inputs: list[Float], weights: Arrays) -> Float:
    images, *positions, channels = inputs[0].shape
    groups = (layer.groups, channels // layer.groups)
    x = inputs[0].reshape(images, math.prod(positions), *groups)
    return _scaled(_normal(x, (1, 3), layer.epsilon).reshape(inputs[0].shape), weights)


@compute.register
def _(layer: layers.RMSNorm, inputs: list[Float], weights: Arrays) -> Float:
    square = np.mean(inputs[0] ** 2, axis=-1, keepdims=True)
    return _scaled(inputs[0] / np.sqrt(square + layer.epsilon), weights)


@compute.register
def _(layer: layers.UnitNorm, inputs: list[Float], weights: Arrays) -> Float:
    square = np.sum(inputs[0] ** 2, axis=-1, keepdims=True)
    return np.asarray(inputs[0] / np.sqrt(np.maximum(square, layers.UnitNorm.least_square)))


@compute.register
def _(layer: layers.Rescale, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0] * layer.scale + layer.offset


@compute.register
def _(layer: layers.Scale, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0] * weights["gamma"]


@compute.register
def _(layer: layers.RescaleChannels, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0] * weights["scale"] + weights["offset"]


@compute.register
def _(layer: layers.Normalize, inputs: list[Float], weights: Arrays) -> Float:
    deviation = np.maximum(np.sqrt(weights["variance"]), LEAST_DEVIATION)
    return np.asarray((inputs[0] - weights["mean"]) / deviation)


@compute.register
def _(layer: layers.Conv1D, inputs: list[Float], weights: Arrays) -> Float:
    x = np.pad(inputs[0], [(0, 0), (layer.before, 0), (0, 0)])
    kernel = weights["kernel"][:, None]
    return _finish(layer, _convolved(_as_images(x), kernel, layer)[:, :, 0], weights)


@compute.register
def _(layer: layers.MaxPool1D, inputs: list[Float], weights: Arrays) -> Float:
    windows = _windows(_as_images(inputs[0]), layer.view, fill=-np.inf)
    return np.asarray(windows.max(axis=(4, 5))[:, :, 0])


@compute.register
def _(layer: layers.AvgPool1D, inputs: list[Float], weights: Arrays) -> Float:
    windows = _windows(_as_images(inputs[0]), layer.view, fill=np.nan)
    return np.asarray(np.nanmean(windows, axis=(4, 5))[:, :, 0])


@compute.register
def _(layer: layers.GlobalAvgPool1D, inputs: list[Float], weights: Arrays) -> Float:
    return np.asarray(inputs[0].mean(axis=1, keepdims=layer.keepdims))


@compute.register
def _(layer: layers.GlobalMaxPool1D, inputs: list[Float], weights: Arrays) -> Float:
    return np.asarray(inputs[0].max(axis=1, keepdims=layer.keepdims))


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
    return np.asarray(inputs[0].mean(axis=(1, 2), keepdims=layer.keepdims))


@compute.register
def _(layer: layers.GlobalMaxPool, inputs: list[Float], weights: Arrays) -> Float:
    return np.asarray(inputs[0].max(axis=(1, 2), keepdims=layer.keepdims))


@compute.register
def _(layer: layers.Flatten, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0].reshape(len(inputs[0]), math.prod(inputs[0].shape[1:]))


@compute.register
def _(layer: layers.Reshape, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0].reshape(len(inputs[0]), *layer.output_shape(inputs[0].shape[1:]))


@compute.register
def _(layer: layers.Permute, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0].transpose(0, *layer.dims)


@compute.register(layers.Dropout)
@compute.register(layers.AlphaDropout)
@compute.register(layers.GaussianDropout)
@compute.register(layers.GaussianNoise)
@compute.register(layers.Carried)
def _(layer: Layer, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0]


@compute.register
def _(layer: layers.Activation, inputs: list[Float], weights: Arrays) -> Float:
    if layer.function == "leaky_relu":
        return np.where(inputs[0] > 0.0, inputs[0], layer.slope * inputs[0])
    return ACTIVATIONS[layer.function].function(inputs[0])


@compute.register
def _(layer: layers.PReLU, inputs: list[Float], weights: Arrays) -> Float:
    return np.where(inputs[0] > 0.0, inputs[0], weights["alpha"] * inputs[0])


@compute.register
def _(layer: layers.ZeroPad, inputs: list[Float], weights: Arrays) -> Float:
    sides = [(0, 0), (layer.top, layer.bottom), (layer.left, layer.right), (0, 0)]
    return np.pad(inputs[0], sides)


@compute.register
def _(layer: layers.Crop, inputs: list[Float], weights: Arrays) -> Float:
    height, width = inputs[0].shape[1:3]
    rows = slice(layer.top, height - layer.bottom)
    return inputs[0][:, rows, layer.left : width - layer.right]


@compute.register(layers.UpSample)
@compute.register(layers.Resize)
def _(layer: layers.UpSample | layers.Resize, inputs: list[Float], weights: Arrays) -> Float:
    pixels = layer.pixels(inputs[0].shape[1:])
    down, right = (
        _between(old, new, layer.interpolation)
        for old, new in zip(inputs[0].shape[1:3], pixels, strict=True)
    )
    return np.asarray(np.einsum("yh,xw,nhwc->nyxc", down, right, inputs[0], optimize=True))


@compute.register
def _(layer: layers.Add, inputs: list[Float], weights: Arrays) -> Float:
    return ACTIVATIONS[layer.activation].function(functools.reduce(np.add, inputs))


@compute.register
def _(layer: layers.ScaledAdd, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0] + layer.scale * inputs[1]


@compute.register
def _(layer: layers.Subtract, inputs: list[Float], weights: Arrays) -> Float:
    return inputs[0] - inputs[1]


@compute.register
def _(layer: layers.Multiply, inputs: list[Float], weights: Arrays) -> Float:
    return functools.reduce(np.multiply, inputs)


@compute.register
def _(layer: layers.Average, inputs: list[Float], weights: Arrays) -> Float:
    return np.asarray(functools.reduce(np.add, inputs) / len(inputs))


@compute.register
def _(layer: layers.Maximum, inputs: list[Float], weights: Arrays) -> Float:
    return functools.reduce(np.maximum, inputs)


@compute.register
def _(layer: layers.Minimum, inputs: list[Float], weights: Arrays) -> Float:
    return functools.reduce(np.minimum, inputs)


@compute.register
def _(layer: layers.Concat, inputs: list[Float], weights: Arrays) -> Float:
    return np.concatenate(inputs, axis=-1)


def _finish(layer: Any, x: Float, weights: Arrays) -> Float:
    """Add the bias and apply the activation."""
    if "bias" in weights:
        x = x + weights["bias"]
    return ACTIVATIONS[layer.activation].function(x)


def _scaled(x: Float, weights: Arrays) -> Float:
    """Apply the factors and offsets of the channels, of which each may be absent."""
    return x * weights.get("gamma", 1.0) + weights.get("beta", 0.0)


def _normal(x: Float, axes: tuple[int, ...], epsilon: float) -> Float:
    """Return ``x`` with mean 0 and variance 1 over the axes."""
    centred = x - x.mean(axis=axes, keepdims=True)
    normal: Float = centred / np.sqrt(np.mean(centred**2, axis=axes, keepdims=True) + epsilon)
    return normal


def _convolved(x: Float, kernel: Float, layer: layers.Conv | layers.Conv1D) -> Float:
    window = layer.view if isinstance(layer, layers.Conv1D) else layer.window
    windows = _windows(x, window)
    kernels = np.split(kernel, layer.groups, axis=3)
    blocks = np.split(windows, layer.groups, axis=3)
    outputs = [
        np.tensordot(block, part, axes=([4, 5, 3], [0, 1, 2]))
        for block, part in zip(blocks, kernels, strict=True)
    ]
    return np.concatenate(outputs, axis=3)


def _as_images(x: Float) -> Float:
    """Return sequences as images of width 1."""
    return x[:, :, None]


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


def _between(old: int, new: int, interpolation: str) -> Float:
    """Return the share of each old pixel in each new one along an axis, shape (new, old)."""
    rows, share = np.arange(new), np.zeros((new, old))
    if interpolation == "nearest":
        share[rows, (2 * rows + 1) * old // (2 * new)] = 1.0
        return share
    centre = (rows + 0.5) * old / new - 0.5
    below = np.floor(centre)
    for pixel, part in ((below, below + 1.0 - centre), (below + 1.0, centre - below)):
        share[rows, np.clip(pixel, 0, old - 1).astype(int)] += part
    return share
