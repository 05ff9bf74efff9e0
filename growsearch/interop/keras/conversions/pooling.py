"""Pooling, as Keras has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written
from growsearch.networks import layers
from growsearch.networks.layer import Layer


def _pool(kind: type[layers.MaxPool] | type[layers.AvgPool]) -> Reader:
    def read(layer: Any) -> Layer:
        size, stride = tuple(layer.pool_size), tuple(layer.strides)
        return kind(size, None if stride == size else stride, layer.padding)

    return read


def global_pool(kind: Callable[[bool], Layer]) -> Reader:
    """Return the reader of a global pooling, along any number of axes."""
    return lambda layer: kind(bool(layer.keepdims))


def _write_pool(name: str) -> Writer:
    def write(layer: Any) -> Written:
        options = {"pool_size": layer.size, "strides": layer.strides, "padding": layer.padding}
        return Written(name, options)

    return write


def write_global(name: str) -> Writer:
    """Return the writer of a global pooling, along any number of axes."""
    return lambda layer: Written(name, {"keepdims": layer.keepdims})


READERS: dict[str, Reader] = {
    "MaxPooling2D": _pool(layers.MaxPool),
    "AveragePooling2D": _pool(layers.AvgPool),
    "GlobalAveragePooling2D": global_pool(layers.GlobalAvgPool),
    "GlobalMaxPooling2D": global_pool(layers.GlobalMaxPool),
}
WRITERS: dict[type, Writer] = {
    layers.MaxPool: _write_pool("MaxPooling2D"),
    layers.AvgPool: _write_pool("AveragePooling2D"),
    layers.GlobalAvgPool: write_global("GlobalAveragePooling2D"),
    layers.GlobalMaxPool: write_global("GlobalMaxPooling2D"),
}
