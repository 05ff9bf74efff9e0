"""Functions of each unit alone, as Keras has them: activations as layers, dropout."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.activations import activation_of
from growsearch.interop.keras.conversions.conversion import (
    Reader,
    Writer,
    Written,
    channels,
    expect,
)
from growsearch.networks import layers


def _relu(layer: Any) -> layers.Activation:
    expect("negative_slope", layer.negative_slope, 0.0, None)
    expect("threshold", layer.threshold, 0.0, None)
    expect("max_value", layer.max_value, None, 6.0)
    return layers.Activation("relu" if layer.max_value is None else "relu6")


def _elu(layer: Any) -> layers.Activation:
    expect("alpha", layer.alpha, 1.0)
    return layers.Activation("elu")


def _softmax(layer: Any) -> layers.Activation:
    channels(layer)
    return layers.Activation("softmax")


def _dropout(layer: Any) -> layers.Dropout:
    expect("noise_shape", layer.noise_shape, None)
    return layers.Dropout(layer.rate)


def _write(layer: layers.Activation) -> Written:
    if layer.function == "leaky_relu":
        return Written("LeakyReLU", {"negative_slope": layer.slope}, has_activation=True)
    return Written("Activation", {"activation": layer.function})


READERS: dict[str, Reader] = {
    "Activation": lambda layer: layers.Activation(activation_of(layer.activation)),
    "ReLU": _relu,
    "LeakyReLU": lambda layer: layers.Activation("leaky_relu", float(layer.negative_slope)),
    "ELU": _elu,
    "Softmax": _softmax,
    "Dropout": _dropout,
}
WRITERS: dict[type, Writer] = {
    layers.Activation: _write,
    layers.Dropout: lambda layer: Written("Dropout", {"rate": layer.rate}),
}
