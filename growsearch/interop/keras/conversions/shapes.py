"""Layers that change the shape alone, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written, refuse
from growsearch.networks import layers
from growsearch.networks.layer import Layer


def _reshape(layer: Any) -> Layer:
    shape = tuple(layer.output.shape[1:])  # without -1, which the target may have
    if len(shape) == 1:
        return layers.Flatten()
    if len(shape) > 3 or None in shape:
        refuse(f"expected one to three axes, got {shape}")
    return layers.Reshape(shape[:-1])


def _sides(layer: Any) -> tuple[int, int, int, int]:
    """Return what is put or cut off at the top, the bottom, the left and the right."""
    (top, bottom), (left, right) = getattr(layer, "padding", None) or layer.cropping
    return top, bottom, left, right


def _written_sides(layer: layers.ZeroPad | layers.Crop) -> tuple[tuple[int, int], ...]:
    return (layer.top, layer.bottom), (layer.left, layer.right)


READERS: dict[str, Reader] = {
    "ZeroPadding2D": lambda layer: layers.ZeroPad(*_sides(layer)),
    "Cropping2D": lambda layer: layers.Crop(*_sides(layer)),
    "Flatten": lambda _: layers.Flatten(),
    "Reshape": _reshape,
    "Permute": lambda layer: layers.Permute(layer.dims),
}
WRITERS: dict[type, Writer] = {
    layers.ZeroPad: lambda layer: Written("ZeroPadding2D", {"padding": _written_sides(layer)}),
    layers.Crop: lambda layer: Written("Cropping2D", {"cropping": _written_sides(layer)}),
    layers.Flatten: lambda _: Written("Flatten"),
    layers.Reshape: lambda layer: Written("Reshape", {"target_shape": (*layer.positions, -1)}),
    layers.Permute: lambda layer: Written("Permute", {"dims": layer.dims}),
}
