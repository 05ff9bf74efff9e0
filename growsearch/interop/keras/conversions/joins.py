"""Joins of branches, as Keras has them: layers, and the operators ``+``, ``*`` and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from growsearch.interop.keras.conversions.conversion import (
    Call,
    Reader,
    Writer,
    Written,
    channels,
    refuse,
)
from growsearch.networks import layers
from growsearch.networks.layer import Layer

_SCALED_ADD = "keras.src.applications.inception_resnet_v2.CustomScaleLayer"
# A number, and whether it stands in front of the tensor -> the layer of the tensor alone.
Constant = Callable[[float, bool], Layer]


def _concat(layer: Any) -> Layer:
    channels(layer)
    return layers.Concat()


def _operator(join: Layer | None, constant: Constant | None) -> Callable[[Call], Layer]:
    """Return the reader of an operator on two tensors, or on a tensor and a number."""

    def read(call: Call) -> Layer:
        import keras

        if call.kwargs or len(call.args) != 2:
            refuse(f"expected two arguments, got {len(call.args) + len(call.kwargs)}")
        are_tensors = [isinstance(each, keras.KerasTensor) for each in call.args]
        if all(are_tensors):
            return join or refuse("expected a tensor and a number, got two tensors")
        number = call.args[are_tensors.index(False)]
        if constant is None or isinstance(number, str) or np.ndim(number) != 0:
            refuse(f"expected two tensors, got {type(number).__name__}")
        return constant(float(number), are_tensors[1])

    return read


def _divided(number: float, in_front: bool) -> Layer:
    if in_front or number == 0.0:
        refuse("expected a tensor divided by a number")
    return layers.Rescale(1.0 / number)


def _subtracted(number: float, in_front: bool) -> Layer:
    return layers.Rescale(-1.0, number) if in_front else layers.Rescale(1.0, -number)


READERS: dict[str, Reader] = {
    "Add": lambda _: layers.Add(),
    _SCALED_ADD: lambda layer: layers.ScaledAdd(float(layer.scale)),
    "Subtract": lambda _: layers.Subtract(),
    "Multiply": lambda _: layers.Multiply(),
    "Average": lambda _: layers.Average(),
    "Maximum": lambda _: layers.Maximum(),
    "Minimum": lambda _: layers.Minimum(),
    "Concatenate": _concat,
}
WRITERS: dict[type, Writer] = {
    layers.Add: lambda _: Written("Add"),
    layers.ScaledAdd: lambda layer: Written(_SCALED_ADD, {"scale": layer.scale}),
    layers.Subtract: lambda _: Written("Subtract"),
    layers.Multiply: lambda _: Written("Multiply"),
    layers.Average: lambda _: Written("Average"),
    layers.Maximum: lambda _: Written("Maximum"),
    layers.Minimum: lambda _: Written("Minimum"),
    layers.Concat: lambda _: Written("Concatenate"),
}
# The function's name in keras.ops -> the reader of its calls.
OPERATIONS: dict[str, Callable[[Call], Layer]] = {
    "add": _operator(layers.Add(), lambda number, _: layers.Rescale(1.0, number)),
    "subtract": _operator(layers.Subtract(), _subtracted),
    "multiply": _operator(layers.Multiply(), lambda number, _: layers.Rescale(number)),
    "divide": _operator(None, _divided),
    "true_divide": _operator(None, _divided),
    "maximum": _operator(layers.Maximum(), None),
    "minimum": _operator(layers.Minimum(), None),
    "negative": lambda _: layers.Rescale(-1.0),
}
