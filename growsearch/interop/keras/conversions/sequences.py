"""Convolutions and pooling along sequences, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.activations import activation_of
from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written
from growsearch.interop.keras.conversions.pooling import global_pool, write_global
from growsearch.networks import layers
from growsearch.networks.layer import Layer


def _conv(layer: Any) -> layers.Conv1D:
    (size,) = layer.kernel_size
    return layers.Conv1D(
        size,
        layer.filters,
        stride=layer.strides[0],
        padding=layer.padding,
        dilation=layer.dilation_rate[0],
        groups=layer.groups,
        activation=activation_of(layer.activation),
        use_bias=layer.use_bias,
    )


def _pool(kind: type[layers.MaxPool1D] | type[layers.AvgPool1D]) -> Reader:
    def read(layer: Any) -> Layer:
        (size,), (stride,) = layer.pool_size, layer.strides
        return kind(size, None if stride == size else stride, layer.padding)

    return read


def _write_conv(layer: layers.Conv1D) -> Written:
    options = {
        "filters": layer.filters,
        "kernel_size": layer.kernel,
        "strides": layer.stride,
        "padding": layer.padding,
        "dilation_rate": layer.dilation,
        "groups": layer.groups,
        "use_bias": layer.use_bias,
        "activation": layer.activation,
    }
    return Written("Conv1D", options)


def _write_pool(name: str) -> Writer:
    def write(layer: Any) -> Written:
        options = {"pool_size": layer.size, "strides": layer.stride, "padding": layer.padding}
        return Written(name, options)

    return write


READERS: dict[str, Reader] = {
    "Conv1D": _conv,
    "MaxPooling1D": _pool(layers.MaxPool1D),
    "AveragePooling1D": _pool(layers.AvgPool1D),
    "GlobalAveragePooling1D": global_pool(layers.GlobalAvgPool1D),
    "GlobalMaxPooling1D": global_pool(layers.GlobalMaxPool1D),
}
WRITERS: dict[type, Writer] = {
    layers.Conv1D: _write_conv,
    layers.MaxPool1D: _write_pool("MaxPooling1D"),
    layers.AvgPool1D: _write_pool("AveragePooling1D"),
    layers.GlobalAvgPool1D: write_global("GlobalAveragePooling1D"),
    layers.GlobalMaxPool1D: write_global("GlobalMaxPooling1D"),
}
