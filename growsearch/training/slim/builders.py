"""The tf-slim graph of an architecture: one builder a layer type."""

from __future__ import annotations

import functools
import math
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

from growsearch.networks import INPUT, Architecture
from growsearch.networks import layers as specs
from growsearch.networks.activations import LEAKY_RELU_SLOPE
from growsearch.networks.layer import Layer
from growsearch.training.slim.backend import slim, tf, v1

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

# What slim calls the variables that the specifications name.
_SLIM_NAMES = {
    "kernel": "weights",
    "bias": "biases",
    "depthwise": "depthwise_weights",
    "pointwise": "pointwise_weights",
}
VECTOR = 16  # channels that the kernels for bfloat16 take together
_BIAS_GRADIENT = "GrowsearchBiasAdd"
_AVERAGE = "average"  # "average/conv1/weights": no layer's variable has three parts


@dataclass(frozen=True)
class Mode:
    """What distinguishes training from evaluation.

    Parameters
    ----------
    training : bool
        Batch statistics and dropout, or moving statistics and none.
    seed : int64 tensor of shape (2,), optional
        For stateless dropout.
    dtype : TensorFlow type
        What layers compute with; the output layer computes with float32, and normalisations
        keep their statistics and parameters in it. Weights are float32 variables always.
    averaged : bool
        Whether to use the moving averages of the weights in their stead.
    updates : list
        Takes the operations that an update must run besides its own: the moving statistics.
    """

    training: bool
    seed: Any = None
    dtype: Any = tf.float32
    averaged: bool = False
    updates: list[Any] = field(default_factory=list)


def build_logits(architecture: Architecture, images: Any, mode: Mode) -> Any:
    """The architecture's outputs as a tensor; a second call shares the first one's variables.

    A softmax at the end is left out: cross-entropy wants what goes into it.

    Parameters
    ----------
    architecture : Architecture
    images : float32 tensor, shape (n, *input_shape)
    mode : Mode

    Returns
    -------
    float32 tensor, shape (n, *output_shape)
    """
    tensors = {INPUT: tf.cast(images, mode.dtype)}
    scope = v1.variable_scope(
        "",
        use_resource=True,
        reuse=v1.AUTO_REUSE,
        custom_getter=_averages if mode.averaged else _casts,
    )
    biases = v1.get_default_graph().gradient_override_map({"BiasAdd": _BIAS_GRADIENT})
    with scope, biases, warnings.catch_warnings():
        # What tf-slim calls is deprecated in TensorFlow; whoever reads that cannot change it.
        warnings.filterwarnings("ignore", r"`(layer\.apply|tf\.layers\.\w+)` is deprecated")
        delayed = _pooled_first(architecture)
        for node in architecture.nodes:
            inputs = [tensors[name] for name in node.inputs]
            layer = node.layer
            if node is architecture.output:
                layer = _without_softmax(layer)
                inputs = [tf.cast(tensor, tf.float32) for tensor in inputs]
            if node.name in delayed:
                layer = _linear(layer)
            tensor = build(layer, inputs, node.name, mode)
            if node.name in delayed.values():
                tensor = tf.nn.relu(tensor)
            tensors[node.name] = tensor
    return tensors[architecture.output.name]


def _pooled_first(architecture: Architecture) -> dict[str, str]:
    """Layers whose ReLU waits for the max pooling behind them, and that pooling, by name.

    The largest of some numbers, cut off at 0, is the largest of the numbers cut off at 0; but
    there are four times fewer of them to cut off, and to send gradients through.
    """
    return {
        node.name: followers[0].name
        for node in architecture.nodes
        if (followers := architecture.consumers[node.name])
        and getattr(node.layer, "activation", None) == "relu"
        and len(followers) == 1
        and isinstance(followers[0].layer, specs.MaxPool)
    }


def _bias_gradient(operation: Any, gradient: Any) -> tuple[Any, Any]:
    """A bias's gradient as a sum that does not lose small terms.

    TensorFlow's own adds up in bfloat16 on a CPU, where a sum of ones ends at 256: of 100,000
    positions it loses 95 %.
    """
    if gradient.dtype == tf.float32:
        data_format = operation.get_attr("data_format")
        return gradient, tf.raw_ops.BiasAddGrad(out_backprop=gradient, data_format=data_format)
    return gradient, tf.reduce_sum(gradient, axis=list(range(len(gradient.shape) - 1)))


tf.RegisterGradient(_BIAS_GRADIENT)(_bias_gradient)


def _casts(getter: Any, name: str, *args: Any, dtype: Any = tf.float32, **options: Any) -> Any:
    """A float32 variable, cast to what is computed with.

    Updates smaller than bfloat16's resolution would otherwise be lost.
    """
    variable = getter(name, *args, dtype=tf.float32, **options)
    return variable if dtype == tf.float32 else tf.cast(variable, dtype)


def _averages(getter: Any, name: str, *args: Any, **options: Any) -> Any:
    """The moving average of a variable; both exist afterwards."""
    getter(name, *args, **options)
    return getter(f"{_AVERAGE}/{name}", *args, **{**options, "trainable": False})


def model_variables(
    architecture: Architecture, *, averaged: bool = False
) -> dict[str, dict[str, Any]]:
    """The variables behind an architecture's weights in the current graph, by layer and name.

    With ``averaged`` those of their moving averages.
    """
    # Asked for by name, not looked up among the graph's operations: those ignore case, and rename
    # the variables of "Conv1" beside "conv1".
    prefix = f"{_AVERAGE}/" if averaged else ""
    with v1.variable_scope("", use_resource=True, reuse=True):
        return {
            layer: {
                name: v1.get_variable(
                    f"{prefix}{layer}/{_SLIM_NAMES.get(name, name)}", weight.shape
                )
                for name, weight in weights.items()
            }
            for layer, weights in architecture.weights.items()
        }


@singledispatch
def build(layer: Layer, inputs: list[Any], name: str, mode: Mode) -> Any:
    """One layer's output; a layer type without a builder of its own here is an error."""
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
    kernel = _variable(name, "kernel", (*layer.kernel, channels, layer.multiplier), x.dtype)
    out = tf.nn.depthwise_conv2d(
        x, kernel, strides=(1, *layer.stride, 1), padding=layer.padding.upper()
    )
    if layer.use_bias:
        out = out + _variable(name, "bias", (channels * layer.multiplier,), x.dtype)
    return _activate(layer.activation, out)


@build.register
def _(layer: specs.BatchNorm, inputs: list[Any], name: str, mode: Mode) -> Any:
    # slim.batch_norm imports modules that TensorFlow no longer has; this is the same normaliser.
    x = inputs[0]
    if int(x.shape[-1]) % VECTOR:  # there are no fast kernels for bfloat16 then
        x = tf.cast(x, tf.float32)
    shape = (int(x.shape[-1]),)
    gamma = _variable(name, "gamma", shape) if layer.scale else tf.ones(shape)
    beta = _variable(name, "beta", shape) if layer.center else tf.zeros(shape)
    mean = _variable(name, "mean", shape, trainable=False)
    variance = _variable(name, "variance", shape, trainable=False)
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
    gamma, beta = _variable(name, "gamma", shape), _variable(name, "beta", shape)
    out = tf.nn.batch_normalization(x, mean, variance, beta, gamma, layer.epsilon)
    return tf.cast(out, inputs[0].dtype)


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


def _without_softmax(layer: Any) -> Layer:
    field = "function" if isinstance(layer, specs.Activation) else "activation"
    return _linear(layer, field) if getattr(layer, field, None) == "softmax" else layer


def _linear(layer: Any, field: str = "activation") -> Layer:
    changed: Layer = replace(layer, **{field: "linear"})
    return changed


def _finish(layer: Any, operations: list[Any]) -> Any:
    """What all layers with a kernel share: bias or none, activation or none."""
    zeros = tf.zeros_initializer()  # every weight is loaded before use
    return slim.arg_scope(
        operations,
        weights_initializer=zeros,
        biases_initializer=zeros if layer.use_bias else None,
        activation_fn=ACTIVATIONS[layer.activation],
    )


def _grouped_conv(layer: specs.Conv, x: Any, name: str) -> Any:
    channels = int(x.shape[-1]) // layer.groups
    kernel = _variable(name, "kernel", (*layer.kernel, channels, layer.filters), x.dtype)
    outputs = [
        tf.nn.conv2d(block, part, layer.stride, layer.padding.upper(), dilations=layer.dilation)
        for block, part in zip(
            tf.split(x, layer.groups, axis=3), tf.split(kernel, layer.groups, axis=3), strict=True
        )
    ]
    out = tf.concat(outputs, axis=3)
    if layer.use_bias:
        out = out + _variable(name, "bias", (layer.filters,), x.dtype)
    return _activate(layer.activation, out)


def _variable(
    layer: str,
    name: str,
    shape: tuple[int, ...],
    dtype: Any = tf.float32,
    *,
    trainable: bool = True,
) -> Any:
    with v1.variable_scope(layer):
        return slim.model_variable(
            _SLIM_NAMES.get(name, name),
            shape,
            dtype,
            initializer=tf.zeros_initializer(),
            trainable=trainable,
        )


def _activate(name: str, x: Any) -> Any:
    function = ACTIVATIONS[name]
    return x if function is None else function(x)
