"""The dense layer, as Keras has it."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.activations import activation_of
from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written
from growsearch.networks import layers


def _dense(layer: Any) -> layers.Dense:
    return layers.Dense(layer.units, activation_of(layer.activation), layer.use_bias)


def _write(layer: layers.Dense) -> Written:
    options = {"units": layer.units, "use_bias": layer.use_bias, "activation": layer.activation}
    return Written("Dense", options)


READERS: dict[str, Reader] = {"Dense": _dense}
WRITERS: dict[type, Writer] = {layers.Dense: _write}
