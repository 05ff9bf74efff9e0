"""Arrays by layer and name: read-only, checked against their specification, flattened to paths."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import ArchitectureError
from growsearch.networks.layer import Weight

Array = NDArray[Any]
Weights = Mapping[str, Mapping[str, Array]]
_Value = TypeVar("_Value")

_FLOATS = (np.float16, np.float32, np.float64)


def flatten(prefix: str, layers: Mapping[str, Mapping[str, _Value]]) -> dict[str, _Value]:
    """Return values by path, ``prefix/layer/name``; a weight's name has no slash.

    Examples
    --------
    >>> flatten("weights", {"fc1": {"kernel": 1, "bias": 2}})
    {'weights/fc1/kernel': 1, 'weights/fc1/bias': 2}
    """
    return {
        f"{prefix}/{layer}/{name}": value
        for layer, values in layers.items()
        for name, value in values.items()
    }


def nest(prefix: str, flat: Mapping[str, _Value]) -> dict[str, dict[str, _Value]]:
    """Return the values whose path begins with ``prefix``, by layer and name.

    Examples
    --------
    >>> nest("slots/m", {"weights/fc1/kernel": 1, "slots/m/fc1/kernel": 2})
    {'fc1': {'kernel': 2}}
    """
    nested: dict[str, dict[str, _Value]] = {}
    for path, value in flat.items():
        if path.startswith(f"{prefix}/"):
            layer, name = path.removeprefix(f"{prefix}/").rsplit("/", 1)
            nested.setdefault(layer, {})[name] = value
    return nested


def read_only(weights: Weights) -> Weights:
    """Return the same mappings and values, none of which can be written to.

    An array that can be written to is copied, so that its owner cannot change a network.
    """
    frozen = {}
    for layer, arrays in weights.items():
        own = {}
        for name, array in arrays.items():
            is_frozen = isinstance(array, np.ndarray) and not array.flags.writeable
            own[name] = np.array(array, copy=None if is_frozen else True)
            own[name].setflags(write=False)
        frozen[layer] = MappingProxyType(own)
    return MappingProxyType(frozen)


def handed_over(array: Array) -> Array:
    """Make an array read-only, which has no other owner: a network takes it without a copy."""
    array.setflags(write=False)
    return array


def plain(weights: Weights) -> dict[str, dict[str, Array]]:
    """Return the same as dictionaries, which can be pickled."""
    return {layer: dict(arrays) for layer, arrays in weights.items()}


def check_arrays(expected: Mapping[str, Mapping[str, Weight]], arrays: Weights, what: str) -> None:
    """Raise ArchitectureError unless ``arrays`` have exactly the expected names and shapes.

    Values must be floating-point. Training and files check that they are finite.
    """
    if set(arrays) != set(expected):
        wrong = sorted(set(arrays) ^ set(expected))[0]
        verb = "expected" if wrong in expected else "did not expect"
        raise ArchitectureError(f"{wrong}: {verb} {what}weights of this layer")
    for layer, weights in expected.items():
        if set(arrays[layer]) != set(weights):
            raise ArchitectureError(
                f"{layer}: expected {what}weights {', '.join(weights)}, "
                f"got {', '.join(arrays[layer]) or 'none'}"
            )
        for name, weight in weights.items():
            got = np.shape(arrays[layer][name])
            if got != weight.shape:
                raise ArchitectureError(
                    f"{layer}: expected {what}{name} of shape {weight.shape}, got {got}"
                )
            dtype = np.asarray(arrays[layer][name]).dtype
            if dtype.newbyteorder("=") not in _FLOATS:
                raise ArchitectureError(
                    f"{layer}: expected {what}{name} of float16, float32 or float64, got {dtype}"
                )
