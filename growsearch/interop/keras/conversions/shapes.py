"""Layers that change the shape alone, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written
from growsearch.networks import layers


def _zero_pad(layer: Any) -> layers.ZeroPad:
    (top, bottom), (left, right) = layer.padding
    return layers.ZeroPad(top, bottom, left, right)


def _write_zero_pad(layer: layers.ZeroPad) -> Written:
    sides = ((layer.top, layer.bottom), (layer.left, layer.right))
    return Written("ZeroPadding2D", {"padding": sides})


READERS: dict[str, Reader] = {
    "ZeroPadding2D": _zero_pad,
    "Flatten": lambda _: layers.Flatten(),
}
WRITERS: dict[type, Writer] = {
    layers.ZeroPad: _write_zero_pad,
    layers.Flatten: lambda _: Written("Flatten"),
}
