"""Joins of branches, as Keras has them: layers, and the operators ``+`` and so on."""

from __future__ import annotations

from typing import Any

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


def _concat(layer: Any) -> Layer:
    channels(layer)
    return layers.Concat()


def _sum(call: Call) -> Layer:
    shapes = [getattr(each, "shape", None) for each in call.args]
    if call.kwargs or len(shapes) != 2 or shapes[0] != shapes[1]:
        refuse(f"expected a sum of two tensors of one shape, got {shapes}")
    return layers.Add()


READERS: dict[str, Reader] = {"Add": lambda _: layers.Add(), "Concatenate": _concat}
WRITERS: dict[type, Writer] = {
    layers.Add: lambda _: Written("Add"),
    layers.Concat: lambda _: Written("Concatenate"),
}
# The function's name in keras.ops -> the reader of its calls.
OPERATIONS = {"add": _sum}
