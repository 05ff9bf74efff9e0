"""Normalisations, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.conversions.conversion import (
    Reader,
    Writer,
    Written,
    channels,
    expect,
)
from growsearch.networks import layers


def _batch_norm(layer: Any) -> layers.BatchNorm:
    channels(layer)
    return layers.BatchNorm(
        epsilon=layer.epsilon, momentum=layer.momentum, center=layer.center, scale=layer.scale
    )


def _layer_norm(layer: Any) -> layers.LayerNorm:
    channels(layer)
    expect("rms_scaling", getattr(layer, "rms_scaling", False), False)
    return layers.LayerNorm(layer.epsilon, layer.scale, layer.center)


def _group_norm(layer: Any) -> layers.GroupNorm:
    channels(layer)
    return layers.GroupNorm(layer.groups, layer.epsilon, layer.scale, layer.center)


def _rms_norm(layer: Any) -> layers.RMSNorm:
    channels(layer)
    return layers.RMSNorm(layer.epsilon)


def _unit_norm(layer: Any) -> layers.UnitNorm:
    channels(layer)
    return layers.UnitNorm()


def _writer(of: str, *options: str) -> Writer:
    """Return the writer of a layer whose options have Keras' names."""
    return lambda layer: Written(of, {name: getattr(layer, name) for name in options})


READERS: dict[str, Reader] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "RMSNormalization": _rms_norm,
    "UnitNormalization": _unit_norm,
}
WRITERS: dict[type, Writer] = {
    layers.BatchNorm: _writer("BatchNormalization", "momentum", "epsilon", "center", "scale"),
    layers.LayerNorm: _writer("LayerNormalization", "epsilon", "center", "scale"),
    layers.GroupNorm: _writer("GroupNormalization", "groups", "epsilon", "center", "scale"),
    layers.RMSNorm: _writer("RMSNormalization", "epsilon"),
    layers.UnitNorm: _writer("UnitNormalization"),
}
