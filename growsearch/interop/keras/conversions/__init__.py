"""Keras' layers and ours: the table of conversions, by Keras' own classes; one file a family.

A Keras layer is read by the reader under the name that its *exact* class has in ``keras.layers``:
a subclass, or another class of that name, is none of Keras' own. A name with dots is the path of a
class that ``keras.layers`` lacks. A call of an operation is read by
the reader under the name that its function has in ``keras.ops``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from growsearch.interop.keras.conversions import (
    augmentation,
    convolutions,
    dense,
    functions,
    joins,
    noise,
    norms,
    pooling,
    resampling,
    scaling,
    sequences,
    shapes,
)
from growsearch.interop.keras.conversions.conversion import Arrays, Call, Reader, Writer
from growsearch.networks.layer import Layer

_FAMILIES = (
    *(dense, convolutions, sequences, norms, scaling, pooling, shapes, resampling),
    *(functions, noise, augmentation, joins),
)

READERS: Mapping[str, Reader] = {
    name: reader for family in _FAMILIES for name, reader in family.READERS.items()
}
WRITERS: Mapping[type, Writer] = {
    layer: writer for family in _FAMILIES for layer, writer in family.WRITERS.items()
}
ARRAYS: Mapping[str, Arrays] = scaling.ARRAYS
OPERATIONS: Mapping[str, Callable[[Call], Layer]] = {
    **joins.OPERATIONS,
    **functions.OPERATIONS,
    **scaling.OPERATIONS,
}


def reader_of(operation: Any) -> Reader | None:
    """Return the reader of a Keras layer's exact class, or None."""
    return _readers().get(type(operation))


def operation_reader(operation: Any) -> Callable[[Call], Layer] | None:
    """Return the reader of the calls of an operation's exact class, or None."""
    return _operations().get(type(operation))


@cache
def _readers() -> Mapping[type, Reader]:
    found = ((class_of(name), reader) for name, reader in READERS.items())
    return {made_of: reader for made_of, reader in found if made_of is not None}


def class_of(name: str) -> Any:
    """Return Keras' class of a name in ``keras.layers`` or a path; None if this Keras lacks it."""
    import keras

    if "." not in name:
        return getattr(keras.layers, name, None)
    module, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), last, None)
    except ImportError:
        return None


def arrays_of(layer: Any) -> Arrays | None:
    """Return how to read and write the arrays of a Keras layer that are not its weights."""
    return ARRAYS.get(type(layer).__name__) if type(layer) in _readers() else None


@cache
def _operations() -> Mapping[type, Callable[[Call], Layer]]:
    import keras

    found = {}
    for name, reader in OPERATIONS.items():
        # Keras' classes of operations have no public names: they stand beside their functions.
        module = vars(sys.modules[getattr(keras.ops, name).__module__])
        made_of = module.get("".join(part.capitalize() for part in name.split("_")))
        if isinstance(made_of, type):
            found[made_of] = reader
    return found
