"""Normalisations, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.conversions.conversion import (
    Reader,
    Writer,
    Written,
    channels,
    expect,
    refuse,
)
from growsearch.networks import layers


def _batch_norm(layer: Any) -> layers.BatchNorm:
    channels(layer)
    return layers.BatchNorm(
        epsilon=layer.epsilon, momentum=layer.momentum, center=layer.center, scale=layer.scale
    )


def _scaled(layer: Any) -> None:
    """Refuse a norm along another axis than the last one, or without gamma or beta."""
    channels(layer)
    if not (layer.center and layer.scale):
        refuse("expected center and scale")


def _layer_norm(layer: Any) -> layers.LayerNorm:
    _scaled(layer)
    expect("rms_scaling", getattr(layer, "rms_scaling", False), False)
    return layers.LayerNorm(epsilon=layer.epsilon)


def _group_norm(layer: Any) -> layers.GroupNorm:
    _scaled(layer)
    return layers.GroupNorm(layer.groups, layer.epsilon)


def _write_batch_norm(layer: layers.BatchNorm) -> Written:
    names = ("momentum", "epsilon", "center", "scale")
    return Written("BatchNormalization", {name: getattr(layer, name) for name in names})


READERS: dict[str, Reader] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
}
WRITERS: dict[type, Writer] = {
    layers.BatchNorm: _write_batch_norm,
    layers.LayerNorm: lambda n: Written("LayerNormalization", {"epsilon": n.epsilon}),
    layers.GroupNorm: lambda n: Written(
        "GroupNormalization", {"groups": n.groups, "epsilon": n.epsilon}
    ),
}
