"""Layers that are random in training, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.conversions.conversion import (
    Reader,
    Writer,
    Written,
    expect,
    refuse,
)
from growsearch.networks import layers
from growsearch.networks.layer import Shape

_STOCHASTIC_DEPTH = "keras.src.applications.convnext.StochasticDepth"


def _dropout(layer: Any) -> layers.Dropout:
    shape = layer.noise_shape
    if shape is None:
        return layers.Dropout(layer.rate)
    batch, *sizes = shape
    if batch is not None or any(size != 1 for size in sizes):
        refuse(f"expected a noise_shape of None and ones, got {tuple(shape)}")
    return layers.Dropout(layer.rate, "images")


def _alpha_dropout(layer: Any) -> layers.AlphaDropout:
    expect("noise_shape", layer.noise_shape, None)
    return layers.AlphaDropout(layer.rate)


def _one_an_image(shape: Shape) -> dict[str, Any]:
    return {"noise_shape": (None, *(1 for _ in shape))}


def _of_channels(shape: Shape) -> str:
    """Return the class that drops whole channels; of features each is a channel of its own."""
    return {1: "Dropout", 2: "SpatialDropout1D"}.get(len(shape), "SpatialDropout2D")


def _write_dropout(layer: layers.Dropout) -> Written:
    options = {"rate": layer.rate}
    if layer.together == "images":
        return Written("Dropout", options, fitted=_one_an_image)
    if layer.together == "channels":
        return Written(_of_channels, options)
    return Written("Dropout", options)


READERS: dict[str, Reader] = {
    "Dropout": _dropout,
    "SpatialDropout1D": lambda layer: layers.Dropout(layer.rate, "channels"),
    "SpatialDropout2D": lambda layer: layers.Dropout(layer.rate, "channels"),
    _STOCHASTIC_DEPTH: lambda layer: layers.Dropout(layer.drop_path_rate, "images"),
    "AlphaDropout": _alpha_dropout,
    "keras.src.legacy.layers.AlphaDropout": _alpha_dropout,  # as tf.keras has it
    "GaussianDropout": lambda layer: layers.GaussianDropout(layer.rate),
    "GaussianNoise": lambda layer: layers.GaussianNoise(layer.stddev),
}
WRITERS: dict[type, Writer] = {
    layers.Dropout: _write_dropout,
    layers.AlphaDropout: lambda layer: Written("AlphaDropout", {"rate": layer.rate}),
    layers.GaussianDropout: lambda layer: Written("GaussianDropout", {"rate": layer.rate}),
    layers.GaussianNoise: lambda layer: Written("GaussianNoise", {"stddev": layer.deviation}),
}
