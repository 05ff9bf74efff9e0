"""Keras' layers and ours: the table of conversions, by Keras' own classes; one file a family.

A Keras layer is read by the reader under the name that its *exact* class has in ``keras.layers``:
a subclass, or another class of that name, is none of Keras' own. A call of an operation is read by
the reader under the name that its function has in ``keras.ops``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from growsearch.interop.keras.conversions import (
    convolutions,
    dense,
    functions,
    joins,
    norms,
    pooling,
    shapes,
)
from growsearch.interop.keras.conversions.conversion import Call, Reader, Writer
from growsearch.networks.layer import Layer

_FAMILIES = (dense, convolutions, norms, pooling, shapes, functions, joins)

READERS: Mapping[str, Reader] = {
    name: reader for family in _FAMILIES for name, reader in family.READERS.items()
}
WRITERS: Mapping[type, Writer] = {
    layer: writer for family in _FAMILIES for layer, writer in family.WRITERS.items()
}
OPERATIONS: Mapping[str, Callable[[Call], Layer]] = {**joins.OPERATIONS}


def reader_of(operation: Any) -> Reader | None:
    """Return the reader of a Keras layer's exact class, or None."""
    return _readers().get(type(operation))


def operation_reader(operation: Any) -> Callable[[Call], Layer] | None:
    """Return the reader of the calls of an operation's exact class, or None."""
    return _operations().get(type(operation))


@cache
def _readers() -> Mapping[type, Reader]:
    import keras

    return {getattr(keras.layers, name): reader for name, reader in READERS.items()}


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
