"""Activation functions by name, in TensorFlow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from growsearch.networks.activations import LEAKY_RELU_SLOPE, SHRINKAGE
from growsearch.training.slim.backend import tf


def _apart(x: Any) -> Any:
    """Return ``x`` behind an operation that changes nothing.

    TensorFlow's optimiser of graphs fuses a batch norm with a tanh or mish right behind it into a
    kernel that it does not have on CPUs (2.21: "Fusion is not implemented").
    """
    return tf.ensure_shape(x, x.shape)


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
    "tanh": lambda x: tf.nn.tanh(_apart(x)),
    "sigmoid": tf.nn.sigmoid,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    "softplus": tf.nn.softplus,
    "softsign": tf.nn.softsign,
    "squareplus": lambda x: 0.5 * (x + tf.sqrt(tf.square(x) + 4.0)),
    "mish": lambda x: x * tf.nn.tanh(tf.nn.softplus(_apart(x))),
    "exponential": tf.exp,
    "celu": tf.nn.elu,
    "hard_sigmoid": lambda x: tf.nn.relu6(x + 3.0) / 6.0,
    "hard_tanh": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "tanh_shrink": lambda x: x - tf.nn.tanh(_apart(x)),
    "soft_shrink": lambda x: tf.sign(x) * tf.nn.relu(tf.abs(x) - SHRINKAGE),
    "hard_shrink": lambda x: tf.where(tf.abs(x) > SHRINKAGE, x, tf.zeros_like(x)),
    "log_sigmoid": tf.math.log_sigmoid,
    "sparse_plus": lambda x: tf.where(
        x < 1.0, 0.25 * tf.square(tf.nn.relu(tf.minimum(x, 1.0) + 1.0)), x
    ),
    "sparse_sigmoid": lambda x: 0.5 * tf.clip_by_value(x + 1.0, 0.0, 2.0),
    "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax,
}


def activate(name: str, x: Any) -> Any:
    """Return ``x`` with the activation of a name applied."""
    function = ACTIVATIONS[name]
    return x if function is None else function(x)
