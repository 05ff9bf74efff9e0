"""Dense layers and convolutions in the tf-slim graph."""

from __future__ import annotations

from typing import Any

from growsearch.networks import layers as specs
from growsearch.training.slim.backend import slim, tf
from growsearch.training.slim.builders.activations import ACTIVATIONS, activate
from growsearch.training.slim.builders.base import Mode, build
from growsearch.training.slim.variables import layer_variable


@build.register
def _(layer: specs.Dense, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    with _finish(layer, [slim.fully_connected]):
        return slim.fully_connected(inputs[0], layer.units, scope=name)


@build.register
def _(layer: specs.Conv, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    if layer.groups > 1:
        return _grouped_conv(layer, inputs[0], name)
    with _finish(layer, [slim.conv2d]):
        return slim.conv2d(
            inputs[0],
            layer.filters,
            layer.kernel,
            stride=layer.stride,
            padding=layer.padding.upper(),
            rate=layer.dilation,
            scope=name,
        )


@build.register
def _(layer: specs.SeparableConv, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    with _finish(layer, [slim.separable_conv2d]):
        return slim.separable_conv2d(
            inputs[0],
            layer.filters,
            layer.kernel,
            depth_multiplier=layer.multiplier,
            stride=layer.stride,
            padding=layer.padding.upper(),
            rate=layer.dilation,
            scope=name,
        )


@build.register
def _(layer: specs.DepthwiseConv, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = inputs[0]
    channels = int(x.shape[-1])
    kernel = layer_variable(name, "kernel", (*layer.kernel, channels, layer.multiplier), x.dtype)
    out = tf.nn.depthwise_conv2d(
        x,
        kernel,
        strides=(1, *layer.stride, 1),
        padding=layer.padding.upper(),
        dilations=layer.dilation,
    )
    if layer.use_bias:
        out = out + layer_variable(name, "bias", (channels * layer.multiplier,), x.dtype)
    return activate(layer.activation, out)


@build.register
def _(layer: specs.ConvTranspose, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = inputs[0]
    shape = (*layer.kernel, layer.filters, int(x.shape[-1]))
    kernel = layer_variable(name, "kernel", shape, x.dtype)
    wanted = (tf.shape(x)[0], *layer.output_shape(tuple(x.shape[1:])))
    out = tf.nn.conv2d_transpose(x, kernel, wanted, layer.stride, layer.padding.upper())
    if layer.use_bias:
        out = out + layer_variable(name, "bias", (layer.filters,), x.dtype)
    return activate(layer.activation, out)


def _finish(layer: Any, operations: list[Any]) -> Any:
    """Return the scope that all layers with a kernel share: bias or none, activation or none."""
    zeros = tf.zeros_initializer()  # every weight is loaded before use
    return slim.arg_scope(
        operations,
        weights_initializer=zeros,
        biases_initializer=zeros if layer.use_bias else None,
        activation_fn=ACTIVATIONS[layer.activation],
    )


def _grouped_conv(layer: specs.Conv, x: Any, name: str) -> Any:
    channels = int(x.shape[-1]) // layer.groups
    kernel = layer_variable(name, "kernel", (*layer.kernel, channels, layer.filters), x.dtype)
    outputs = [
        tf.nn.conv2d(block, part, layer.stride, layer.padding.upper(), dilations=layer.dilation)
        for block, part in zip(
            tf.split(x, layer.groups, axis=3), tf.split(kernel, layer.groups, axis=3), strict=True
        )
    ]
    out = tf.concat(outputs, axis=3)
    if layer.use_bias:
        out = out + layer_variable(name, "bias", (layer.filters,), x.dtype)
    return activate(layer.activation, out)
