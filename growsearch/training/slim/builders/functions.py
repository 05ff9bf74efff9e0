"""Functions of each unit, and noise in training mode, in the tf-slim graph."""

from __future__ import annotations

import math
import zlib
from typing import Any

from growsearch.networks import layers as specs
from growsearch.networks.activations import SELU_ALPHA, SELU_SCALE
from growsearch.training.slim.backend import tf
from growsearch.training.slim.builders.activations import activate
from growsearch.training.slim.builders.base import Mode, build
from growsearch.training.slim.variables import layer_variable


@build.register
def _(layer: specs.Activation, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    if layer.function == "leaky_relu":
        return tf.nn.leaky_relu(inputs[0], alpha=layer.slope, name=name)
    return activate(layer.function, inputs[0])


@build.register
def _(layer: specs.PReLU, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    x = inputs[0]
    shape = layer.weights(tuple(map(int, x.shape[1:])))["alpha"].shape
    return tf.nn.relu(x) - layer_variable(name, "alpha", shape, x.dtype) * tf.nn.relu(-x)


@build.register
def _(layer: specs.Dropout, inputs: list[Any], name: str, mode: Mode) -> Any:
    if not mode.training or layer.rate == 0.0:
        return inputs[0]
    # Drawn in float32, so that every precision drops the same; bfloat16 would round the rate.
    x = tf.cast(inputs[0], tf.float32)
    each = [1] * (len(x.shape) - 2)
    shapes = {
        "units": None,
        "channels": (tf.shape(x)[0], *each, int(x.shape[-1])),
        "images": (tf.shape(x)[0], *each, 1),
    }
    out = tf.nn.experimental.stateless_dropout(
        x, rate=layer.rate, seed=_seed(mode, name), noise_shape=shapes[layer.together]
    )
    return tf.cast(out, inputs[0].dtype)


@build.register
def _(layer: specs.AlphaDropout, inputs: list[Any], name: str, mode: Mode) -> Any:
    if not mode.training or layer.rate == 0.0:
        return inputs[0]
    x, limit = tf.cast(inputs[0], tf.float32), -SELU_ALPHA * SELU_SCALE
    kept = tf.random.stateless_uniform(tf.shape(x), _seed(mode, name)) >= layer.rate
    factor = ((1.0 - layer.rate) * (1.0 + layer.rate * limit**2)) ** -0.5
    out = factor * (tf.where(kept, x, limit * tf.ones_like(x)) - limit * layer.rate)
    return tf.cast(out, inputs[0].dtype)


@build.register
def _(layer: specs.GaussianDropout, inputs: list[Any], name: str, mode: Mode) -> Any:
    if not mode.training or layer.rate == 0.0:
        return inputs[0]
    x = tf.cast(inputs[0], tf.float32)
    drawn = tf.random.stateless_normal(tf.shape(x), _seed(mode, name))
    deviation = math.sqrt(layer.rate / (1.0 - layer.rate))
    return tf.cast(x * (1.0 + deviation * drawn), inputs[0].dtype)


@build.register
def _(layer: specs.GaussianNoise, inputs: list[Any], name: str, mode: Mode) -> Any:
    if not mode.training or layer.deviation == 0.0:
        return inputs[0]
    x = tf.cast(inputs[0], tf.float32)
    drawn = tf.random.stateless_normal(tf.shape(x), _seed(mode, name))
    return tf.cast(x + layer.deviation * drawn, inputs[0].dtype)


@build.register
def _(layer: specs.Carried, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, name, mode
    return inputs[0]  # the plan of the training augments images


def _seed(mode: Mode, name: str) -> Any:
    """Return a layer's seed of this update.

    It is fed, and draws are stateless, so that a cached graph gives the same ones for one seed.
    """
    return tf.random.experimental.stateless_fold_in(mode.seed, zlib.crc32(name.encode()))
