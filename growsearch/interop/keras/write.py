"""Keras models out: a model of a network, with its names and weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from growsearch.errors import ArchitectureError
from growsearch.networks import INPUT, Network, layers
from growsearch.networks.layer import Layer


def to_keras(network: Network) -> Any:
    """Return a functional Keras model, not compiled, with the network's names and weights."""
    import keras

    architecture = network.architecture
    tensors: dict[str, Any] = {INPUT: keras.Input(architecture.input_shape, name=INPUT)}
    for node in architecture.nodes:
        inputs = [tensors[name] for name in node.inputs]
        layer = write_layer(keras, node.layer, node.name)
        output = layer(inputs[0] if len(inputs) == 1 else inputs)
        if isinstance(node.layer, layers.BatchNorm | layers.Add):
            # Keras has their activation as a layer of its own.
            function = _function(keras, node.layer.activation)
            if function != "linear":
                name = architecture.new_name(f"{node.name}_activation")
                output = keras.layers.Activation(function, name=name)(output)
        tensors[node.name] = output
        if node.name in architecture.weights:
            names = architecture.weights[node.name]
            layer.set_weights([np.asarray(network.weights[node.name][n]) for n in names])
    return keras.Model(tensors[INPUT], tensors[architecture.output.name])


@cache
def _gelu_tanh(keras: Any) -> Any:
    """Return GELU by tanh, registered, so that Keras can save and load models with it."""

    def gelu_tanh(x: Any) -> Any:
        return keras.activations.gelu(x, approximate=True)

    register = keras.saving.register_keras_serializable(package="growsearch", name="gelu_tanh")
    return register(gelu_tanh)


def _function(keras: Any, name: str) -> Any:
    """Return Keras' activation of our name."""
    if name == "gelu_tanh":
        return _gelu_tanh(keras)
    return "hard_silu" if name == "hard_swish" else name


def _window(keras: Any, layer: Any, name: str) -> dict[str, Any]:
    """Return the arguments of Keras' convolutions of every kind."""
    return {
        "strides": layer.stride,
        "padding": layer.padding,
        "use_bias": layer.use_bias,
        "activation": _function(keras, layer.activation),
        "name": name,
    }


def write_layer(keras: Any, layer: Layer, name: str) -> Any:
    """Return the Keras layer of one of ours, without an activation that is a layer in Keras."""
    make = keras.layers
    match layer:
        case layers.Dense():
            act = _function(keras, layer.activation)
            return make.Dense(layer.units, activation=act, use_bias=layer.use_bias, name=name)
        case layers.Conv():
            return make.Conv2D(
                layer.filters,
                layer.kernel,
                dilation_rate=layer.dilation,
                groups=layer.groups,
                **_window(keras, layer, name),
            )
        case layers.DepthwiseConv():
            return make.DepthwiseConv2D(
                layer.kernel,
                depth_multiplier=layer.multiplier,
                **_window(keras, layer, name),
            )
        case layers.SeparableConv():
            return make.SeparableConv2D(
                layer.filters,
                layer.kernel,
                depth_multiplier=layer.multiplier,
                **_window(keras, layer, name),
            )
        case layers.BatchNorm():
            return make.BatchNormalization(
                momentum=layer.momentum,
                epsilon=layer.epsilon,
                center=layer.center,
                scale=layer.scale,
                name=name,
            )
        case layers.LayerNorm():
            return make.LayerNormalization(epsilon=layer.epsilon, name=name)
        case layers.GroupNorm():
            return make.GroupNormalization(layer.groups, epsilon=layer.epsilon, name=name)
        case layers.MaxPool():
            return make.MaxPooling2D(layer.size, layer.strides, layer.padding, name=name)
        case layers.AvgPool():
            return make.AveragePooling2D(layer.size, layer.strides, layer.padding, name=name)
        case layers.GlobalAvgPool():
            return make.GlobalAveragePooling2D(name=name)
        case layers.GlobalMaxPool():
            return make.GlobalMaxPooling2D(name=name)
        case layers.ZeroPad():
            sides = ((layer.top, layer.bottom), (layer.left, layer.right))
            return make.ZeroPadding2D(sides, name=name)
        case layers.Flatten():
            return make.Flatten(name=name)
        case layers.Dropout():
            return make.Dropout(layer.rate, name=name)
        case layers.Activation(function="leaky_relu"):
            return make.LeakyReLU(negative_slope=layer.slope, name=name)
        case layers.Activation():
            return make.Activation(_function(keras, layer.function), name=name)
        case layers.Add():
            return make.Add(name=name)
        case layers.Concat():
            return make.Concatenate(name=name)
    raise ArchitectureError(f"{name}: Keras has no layer for {type(layer).__name__}")
