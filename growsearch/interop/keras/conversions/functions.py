"""Functions of each unit alone, as Keras has them: activations as layers and as operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from growsearch.interop.keras.activations import activation_of
from growsearch.interop.keras.conversions.conversion import (
    Call,
    Reader,
    Writer,
    Written,
    channels,
    expect,
    refuse,
)
from growsearch.networks import layers
from growsearch.networks.layer import Layer, Shape


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


def _prelu(layer: Any) -> layers.PReLU:
    *positions, _ = layer.alpha.shape
    return layers.PReLU(shared=all(size == 1 for size in positions))


def _shared_axes(shape: Shape) -> dict[str, Any]:
    return {"shared_axes": tuple(range(1, len(shape))) or None}


def _write_prelu(layer: layers.PReLU) -> Written:
    return Written("PReLU", fitted=_shared_axes if layer.shared else None)


def _function(name: str) -> Callable[[Call], Layer]:
    """Return the reader of a function of keras.ops that has one argument alone."""

    def read(call: Call) -> Layer:
        if call.kwargs or len(call.args) != 1:
            refuse("expected one argument")
        return layers.Activation(name)

    return read


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
    "PReLU": _prelu,
}
WRITERS: dict[type, Writer] = {
    layers.Activation: _write,
    layers.PReLU: _write_prelu,
}
# The function's name in keras.ops -> the reader of its calls.
OPERATIONS: dict[str, Callable[[Call], Layer]] = {
    name: _function(ours)
    for ours, name in (
        *(("relu", "relu"), ("relu6", "relu6"), ("selu", "selu"), ("silu", "silu")),
        *(("sigmoid", "sigmoid"), ("tanh", "tanh"), ("softplus", "softplus")),
        *(("hard_sigmoid", "hard_sigmoid"), ("hard_swish", "hard_silu"), ("exponential", "exp")),
    )
}
