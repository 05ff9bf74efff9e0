"""Normalisations, factors and offsets in the tf-slim graph."""

from __future__ import annotations

import math
from typing import Any

from growsearch.networks import layers as specs
from growsearch.networks.layers.scaling import LEAST_DEVIATION
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders.activations import activate
from growsearch.training.slim.builders.base import Mode, build
from growsearch.training.slim.variables import layer_variable

VECTOR = 16  # channels that the kernels for bfloat16 take together


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
    return tf.cast(activate(layer.activation, out), inputs[0].dtype)


@build.register
def _(layer: specs.LayerNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = tf.cast(inputs[0], tf.float32)  # means and variances need its digits
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    gamma, beta = _factors(layer, name, int(x.shape[-1]))
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
    gamma, beta = (
        None if each is None else tf.reshape(each, parts)
        for each in _factors(layer, name, channels)
    )
    out = tf.nn.batch_normalization(grouped, mean, variance, beta, gamma, layer.epsilon)
    return tf.cast(tf.reshape(out, (-1, *x.shape[1:])), inputs[0].dtype)


@build.register
def _(layer: specs.RMSNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = tf.cast(inputs[0], tf.float32)  # mean squares need its digits
    out = x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + layer.epsilon)
    gamma = layer_variable(name, "gamma", (int(x.shape[-1]),))
    return tf.cast(out * gamma, inputs[0].dtype)


@build.register
def _(layer: specs.UnitNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = tf.cast(inputs[0], tf.float32)
    out = tf.nn.l2_normalize(x, axis=-1, epsilon=layer.least_square, name=name)
    return tf.cast(out, inputs[0].dtype)


@build.register
def _(layer: specs.Rescale, inputs: list[Any], name: str, mode: Mode) -> Any:
    del name, mode
    return inputs[0] * layer.scale + layer.offset


@build.register
def _(layer: specs.Scale, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    x = inputs[0]
    return x * layer_variable(name, "gamma", (int(x.shape[-1]),), x.dtype)


@build.register
def _(layer: specs.RescaleChannels, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    x = inputs[0]
    scale, offset = (
        layer_variable(name, each, (int(x.shape[-1]),), x.dtype, trainable=False)
        for each in ("scale", "offset")
    )
    return x * scale + offset


@build.register
def _(layer: specs.Normalize, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    x = tf.cast(inputs[0], tf.float32)
    mean, variance = (
        layer_variable(name, each, (int(x.shape[-1]),), trainable=False)
        for each in ("mean", "variance")
    )
    out = (x - mean) / tf.maximum(tf.sqrt(variance), LEAST_DEVIATION)
    return tf.cast(out, inputs[0].dtype)


def _factors(layer: Any, name: str, channels: int) -> tuple[Any, Any]:
    """Return gamma and beta of a norm, each None where the layer has none."""
    gamma = layer_variable(name, "gamma", (channels,)) if layer.scale else None
    beta = layer_variable(name, "beta", (channels,)) if layer.center else None
    return gamma, beta
