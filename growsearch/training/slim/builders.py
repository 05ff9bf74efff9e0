"""Layers of the tf-slim graph: one builder a layer type."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from growsearch.networks import layers as specs
from growsearch.networks.activations import LEAKY_RELU_SLOPE
from growsearch.networks.layer import Layer
from growsearch.training.slim.backend import slim, tf, v1
from growsearch.training.slim.variables import layer_variable

ACTIVATIONS: Mapping[str, Callable[[Any], Any] | None] = {
    "linear": None,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "leaky_relu": functools.partial(tf.nn.leaky_relu, alpha=LEAKY_RELU_SLOPE),
    "elu": tf.nn.elu,
    "selu": tf.nn.selu,
    "gelu": functools.partial(tf.nn.gelu, approximate=False),
    "gelu_tanh": functools.partial(tf.nn.gelu, approximate=True),
    "silu": tf.nn.silu,
    # TensorFlow's optimiser of graphs fuses a batch norm with a tanh right behind it into a kernel
    # that it does not have on CPUs (2.21: "Fusion is not implemented"): something stands between.
    "tanh": lambda x: tf.nn.tanh(tf.ensure_shape(x, x.shape)),
    "sigmoid": tf.nn.sigmoid,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    "softmax": tf.nn.softmax,
}

VECTOR = 16  # channels that the kernels for bfloat16 take together


@dataclass(frozen=True)
class Mode:
    """Differences between training and evaluation.

    Parameters
    ----------
    training : bool
        Batch statistics and dropout, or moving statistics and none.
    seed : int64 tensor of shape (2,), optional
        For stateless dropout.
    dtype : TensorFlow type
        Precision of the layers. The output layer, and the statistics and parameters of
        normalisations, are float32 in any case; all weights are float32 variables.
    averaged : bool
        True if the moving averages of the weights take their place.
    updates : list
        Filled with the operations that update the moving statistics.
    """

    training: bool
    seed: Any = None
    dtype: Any = tf.float32
    averaged: bool = False
    updates: list[Any] = field(default_factory=list)


@singledispatch
def build(layer: Layer, inputs: list[Any], name: str, mode: Mode) -> Any:
    """Return one layer's output; a layer type without a builder is a TypeError."""
    del inputs, name, mode
    raise TypeError(f"the tf-slim graph has no builder for {type(layer).__name__}")


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
            scope=name,
        )


@build.register
def _(layer: specs.DepthwiseConv, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = inputs[0]
    channels = int(x.shape[-1])
    kernel = layer_variable(name, "kernel", (*layer.kernel, channels, layer.multiplier), x.dtype)
    out = tf.nn.depthwise_conv2d(
        x, kernel, strides=(1, *layer.stride, 1), padding=layer.padding.upper()
    )
    if layer.use_bias:
        out = out + layer_variable(name, "bias", (channels * layer.multiplier,), x.dtype)
    return _activate(layer.activation, out)


@build.register
def _(layer: specs.BatchNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    # slim.batch_norm imports modules that TensorFlow no longer has; this is the same normaliser.
    x = inputs[0]
    if int(x.shape[-1]) % VECTOR:  # there are no fast kernels for bfloat16 then
        x = tf.cast(x, tf.float32)
    shape = (int(x.shape[-1]),)
    gamma = layer_variable(name, "gamma", shape) if layer.scale else tf.ones(shape)
    beta = layer_variable(name, "beta", shape) if layer.center else tf.zeros(shape)
    mean = layer_variable(name, "mean", shape, trainable=False)
    variance = layer_variable(name, "variance", shape, trainable=False)
    as_image = x if len(x.shape) == 4 else x[:, None, None, :]
    if mode.training:
        out, batch_mean, batch_variance = v1.nn.fused_batch_norm(
            as_image, gamma, beta, epsilon=layer.epsilon, is_training=True
        )
        follow = 1.0 - layer.momentum
        for moving, current in ((mean, batch_mean), (variance, batch_variance)):
            mode.updates.append(v1.assign_sub(moving, follow * (moving - current)))
    else:
        out, _, _ = v1.nn.fused_batch_norm(
            as_image, gamma, beta, mean, variance, epsilon=layer.epsilon, is_training=False
        )
    out = out if len(x.shape) == 4 else out[:, 0, 0, :]
    return tf.cast(_activate(layer.activation, out), inputs[0].dtype)


@build.register
def _(layer: specs.LayerNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = tf.cast(inputs[0], tf.float32)  # means and variances need its digits
    shape = (int(x.shape[-1]),)
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    gamma, beta = layer_variable(name, "gamma", shape), layer_variable(name, "beta", shape)
    out = tf.nn.batch_normalization(x, mean, variance, beta, gamma, layer.epsilon)
    return tf.cast(out, inputs[0].dtype)


@build.register
def _(layer: specs.GroupNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = tf.cast(inputs[0], tf.float32)  # means and variances need its digits
    channels, positions = int(x.shape[-1]), math.prod(x.shape[1:-1])
    parts = (layer.groups, channels // layer.groups)
    grouped = tf.reshape(x, (-1, positions, *parts))
    mean, variance = tf.nn.moments(grouped, axes=[1, 3], keepdims=True)
    gamma = tf.reshape(layer_variable(name, "gamma", (channels,)), parts)
    beta = tf.reshape(layer_variable(name, "beta", (channels,)), parts)
    out = tf.nn.batch_normalization(grouped, mean, variance, beta, gamma, layer.epsilon)
    return tf.cast(tf.reshape(out, (-1, *x.shape[1:])), inputs[0].dtype)


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
    del layer, mode
    # A pool over all positions: the gradient of a mean is spread in float32, ten times as slowly.
    pooled = slim.avg_pool2d(inputs[0], inputs[0].shape[1:3], stride=1, scope=name)
    return tf.squeeze(pooled, axis=(1, 2))


@build.register
def _(layer: specs.GlobalMaxPool, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    return tf.reduce_max(inputs[0], axis=(1, 2), name=name)


@build.register
def _(layer: specs.Flatten, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    return tf.reshape(inputs[0], (-1, math.prod(inputs[0].shape[1:])), name=name)


@build.register
def _(layer: specs.ZeroPad, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    sides = [(0, 0), (layer.top, layer.bottom), (layer.left, layer.right), (0, 0)]
    return tf.pad(inputs[0], sides, name=name)


@build.register
def _(layer: specs.Dropout, inputs: list[Any], name: str, mode: Mode) -> Any:
    if not mode.training or layer.rate == 0.0:
        return inputs[0]
    # Stateless: the seed is fed, so that a cached graph gives the same masks for the same seed.
    seed = tf.random.experimental.stateless_fold_in(mode.seed, zlib.crc32(name.encode()))
    # Drawn in float32, so that every precision drops the same; bfloat16 would round the rate.
    x = tf.cast(inputs[0], tf.float32)
    out = tf.nn.experimental.stateless_dropout(x, rate=layer.rate, seed=seed)
    return tf.cast(out, inputs[0].dtype)


@build.register
def _(layer: specs.Activation, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    if layer.function == "leaky_relu":
        return tf.nn.leaky_relu(inputs[0], alpha=layer.slope, name=name)
    return _activate(layer.function, inputs[0])


@build.register
def _(layer: specs.Add, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return _activate(layer.activation, tf.add_n(inputs, name=name))


@build.register
def _(layer: specs.Concat, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    return tf.concat(inputs, axis=-1, name=name)


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
    return _activate(layer.activation, out)


def _activate(name: str, x: Any) -> Any:
    function = ACTIVATIONS[name]
    return x if function is None else function(x)
