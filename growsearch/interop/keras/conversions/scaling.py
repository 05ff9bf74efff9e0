"""Factors and offsets, as Keras has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.interop.keras.conversions.conversion import (
    Arrays,
    Call,
    Reader,
    Writer,
    Written,
    channels,
    expect,
    refuse,
)
from growsearch.networks import layers

_LAYER_SCALE = "keras.src.applications.convnext.LayerScale"


def _constants(layer: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the factors and the offsets of a Rescaling, as many of each."""
    scale, offset = (np.atleast_1d(np.asarray(each)) for each in (layer.scale, layer.offset))
    if max(scale.ndim, offset.ndim) > 1:
        refuse("expected one factor and offset, or one a channel")
    scale, offset = np.broadcast_arrays(scale, offset)
    return scale, offset


def _rescaling(layer: Any) -> layers.Rescale | layers.RescaleChannels:
    scale, offset = _constants(layer)
    if scale.size == 1:
        return layers.Rescale(float(scale[0]), float(offset[0]))
    return layers.RescaleChannels()


def _read_rescaling(layer: Any) -> dict[str, NDArray[Any]]:
    scale, offset = (each.astype(np.float32) for each in _constants(layer))
    return {} if scale.size == 1 else {"scale": scale, "offset": offset}


def _write_rescaling(layer: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    layer.scale, layer.offset = arrays["scale"].tolist(), arrays["offset"].tolist()


def _normalization(layer: Any) -> layers.Normalize:
    channels(layer)
    expect("invert", bool(layer.invert), False)
    return layers.Normalize()


def _read_normalization(layer: Any) -> dict[str, NDArray[Any]]:
    both = {"mean": layer.mean, "variance": layer.variance}
    return {name: np.asarray(each, np.float32).reshape(-1) for name, each in both.items()}


def _write_normalization(layer: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    layer.adapt_mean.assign(arrays["mean"])
    layer.adapt_variance.assign(arrays["variance"])
    layer.finalize_state()


def _cast(call: Call) -> layers.Rescale:
    """Read whole numbers that become floats, as all numbers are here: a factor of 1."""
    (given,) = call.args
    if "float" in given.dtype or call.operation.dtype != "float32":
        refuse(f"expected whole numbers as float32, got {given.dtype} as {call.operation.dtype}")
    return layers.Rescale()


READERS: dict[str, Reader] = {
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    _LAYER_SCALE: lambda _: layers.Scale(),
}
WRITERS: dict[type, Writer] = {
    layers.Rescale: lambda layer: Written(
        "Rescaling", {"scale": layer.scale, "offset": layer.offset}
    ),
    layers.RescaleChannels: lambda _: Written("Rescaling", {"scale": 1.0}),
    layers.Normalize: lambda _: Written("Normalization"),
    layers.Scale: lambda _: Written(
        _LAYER_SCALE,
        {"init_values": 1.0},
        fitted=lambda shape: {"projection_dim": shape[-1]},
    ),
}
ARRAYS: dict[str, Arrays] = {
    "Rescaling": (_read_rescaling, _write_rescaling),
    "Normalization": (_read_normalization, _write_normalization),
}
OPERATIONS: dict[str, Callable[[Call], layers.Rescale]] = {"cast": _cast}
