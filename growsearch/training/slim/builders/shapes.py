"""Pooling, and layers that change the shape of images, in the tf-slim graph."""

from __future__ import annotations

import math
from typing import Any

from growsearch.networks import layers as specs
from growsearch.training.slim.backend import slim, tf
from growsearch.training.slim.builders.base import Mode, build


@build.register
def _(layer: specs.MaxPool, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return slim.max_pool2d(
        inputs[0], layer.size, layer.strides, padding=layer.padding.upper(), scope=name
    )


@build.register
def _(layer: specs.AvgPool, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return slim.avg_pool2d(
        inputs[0], layer.size, layer.strides, padding=layer.padding.upper(), scope=name
    )


@build.register
def _(layer: specs.GlobalAvgPool, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    # A pool over all positions: the gradient of a mean is spread in float32, ten times as slowly.
    pooled = slim.avg_pool2d(inputs[0], inputs[0].shape[1:3], stride=1, scope=name)
    return pooled if layer.keepdims else tf.squeeze(pooled, axis=(1, 2))


@build.register
def _(layer: specs.GlobalMaxPool, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return tf.reduce_max(inputs[0], axis=(1, 2), keepdims=layer.keepdims, name=name)


@build.register
def _(layer: specs.Flatten, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    return tf.reshape(inputs[0], (-1, math.prod(inputs[0].shape[1:])), name=name)


@build.register
def _(layer: specs.Reshape, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    shape = layer.output_shape(tuple(inputs[0].shape[1:]))
    return tf.reshape(inputs[0], (-1, *shape), name=name)


@build.register
def _(layer: specs.Permute, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return tf.transpose(inputs[0], (0, *layer.dims), name=name)


@build.register
def _(layer: specs.ZeroPad, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    sides = [(0, 0), (layer.top, layer.bottom), (layer.left, layer.right), (0, 0)]
    return tf.pad(inputs[0], sides, name=name)


@build.register
def _(layer: specs.Crop, inputs: list[Any], name: str, mode: Mode) -> Any:
    del name, mode
    height, width = inputs[0].shape[1:3]
    rows = slice(layer.top, height - layer.bottom)
    return inputs[0][:, rows, layer.left : width - layer.right]


@build.register(specs.UpSample)
@build.register(specs.Resize)
def _(layer: Any, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    pixels = layer.pixels(tuple(inputs[0].shape[1:]))
    out = tf.image.resize(inputs[0], pixels, layer.interpolation, name=name)
    return tf.cast(out, inputs[0].dtype)
