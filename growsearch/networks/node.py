"""A named layer of a graph; and layers made of options that are untrusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from growsearch.checks import is_whole_number, number
from growsearch.errors import ArchitectureError
from growsearch.networks.layer import Layer, Pair, Shape, options
from growsearch.networks.layers import LAYERS
from growsearch.networks.layers.opaque import OPAQUE

INPUT = "input"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")


@dataclass(frozen=True)
class Node:
    """A layer in the graph: its name, its specification, the names of its inputs.

    ``attributes`` is JSON text of what another library adds to the layer and no computation of
    ours depends on: in Keras whether it is trained, its regularizers, constraints and precision.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    attributes: str = ""


def is_name(name: str) -> bool:
    """Return whether a layer may have the name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raise ArchitectureError unless a layer may have the name."""
    if not is_name(name):
        raise ArchitectureError(
            f"layer {name!r}: expects a name of letters, digits, _, ., - and /, "
            "that starts with a letter or digit"
        )


def make_layer(kind: str, given: Mapping[str, Any], name: str) -> Layer:
    """Return a layer of a kind with options, each checked against the type that it declares.

    Raises
    ------
    ArchitectureError
        Names the layer and the option, what was expected and what came.
    """
    check_name(name)
    layer = LAYERS.get(kind) or OPAQUE.get(kind) if isinstance(kind, str) else None
    if layer is None:
        raise ArchitectureError(f"{name}: expects a kind among {', '.join(LAYERS)}, got {kind!r}")
    known = options(layer)
    checked: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise ArchitectureError(
                f"{name}: expects options among {', '.join(known) or 'none'}, got {key!r}"
            )
        checked[key] = _option(known[key], value, f"{name}: {key}")
    try:
        return layer(**checked)
    except (TypeError, ValueError) as error:
        raise ArchitectureError(f"{name}: {error}") from None


def _option(declared: Any, value: Any, where: str) -> Any:
    """Return a value of the declared type; the layer itself checks its range."""
    if declared in (Pair | None, int | None):
        return None if value is None else _option(get_args(declared)[0], value, where)
    if declared == Pair:
        pair = (value, value) if is_whole_number(value) else value
        if isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_whole_number, pair)):
            return tuple(pair)
        raise ArchitectureError(f"{where}: expected one or two whole numbers, got {value!r}")
    if declared == Shape:
        sizes = (value,) if is_whole_number(value) else value
        if isinstance(sizes, list | tuple) and all(map(is_whole_number, sizes)):
            return tuple(sizes)
        raise ArchitectureError(f"{where}: expected whole numbers, got {value!r}")
    if declared is float:
        return number(where, value, error=ArchitectureError)
    kind = str if get_args(declared) else declared  # the choices of a Literal are text
    if not (is_whole_number(value) if kind is int else isinstance(value, kind)):
        raise ArchitectureError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value
