"""Convolutions and pooling along sequences in the tf-slim graph: as over images of width 1."""

from __future__ import annotations

from typing import Any

from growsearch.networks import layers as specs
from growsearch.training.slim.backend import slim, tf
from growsearch.training.slim.builders.activations import activate
from growsearch.training.slim.builders.base import Mode, build
from growsearch.training.slim.variables import layer_variable


@build.register
def _(layer: specs.Conv1D, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = tf.pad(inputs[0], [(0, 0), (layer.before, 0), (0, 0)]) if layer.before else inputs[0]
    shape = (layer.kernel, int(x.shape[-1]) // layer.groups, layer.filters)
    kernel = layer_variable(name, "kernel", shape, x.dtype)[:, None]
    window = layer.view
    outputs = [
        tf.nn.conv2d(block, part, window.stride, window.padding.upper(), dilations=window.dilation)
        for block, part in zip(
            tf.split(x[:, :, None], layer.groups, axis=3),
            tf.split(kernel, layer.groups, axis=3),
            strict=True,
        )
    ]
    out = tf.concat(outputs, axis=3)[:, :, 0]
    if layer.use_bias:
        out = out + layer_variable(name, "bias", (layer.filters,), x.dtype)
    return activate(layer.activation, out)


@build.register(specs.MaxPool1D)
@build.register(specs.AvgPool1D)
def _(layer: Any, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    pool = slim.max_pool2d if isinstance(layer, specs.MaxPool1D) else slim.avg_pool2d
    window = layer.view
    images = inputs[0][:, :, None]
    pooled = pool(images, window.kernel, window.stride, padding=window.padding.upper(), scope=name)
    return pooled[:, :, 0]


@build.register
def _(layer: specs.GlobalAvgPool1D, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return tf.reduce_mean(inputs[0], axis=1, keepdims=layer.keepdims, name=name)


@build.register
def _(layer: specs.GlobalMaxPool1D, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return tf.reduce_max(inputs[0], axis=1, keepdims=layer.keepdims, name=name)
