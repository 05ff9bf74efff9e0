"""The check of a reading: model and network compute the same on random inputs, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from growsearch.errors import ArchitectureError
from growsearch.interop.keras.graph import Graph
from growsearch.interop.keras.own_objects import in_a_line
from growsearch.interop.keras.write import further_inputs, tensors_of
from growsearch.networks import INPUT, Network

_IMAGES = 2
# The same operations on the same weights: above it a layer was misread.
_RELATIVE = {"float16": 1e-2, "bfloat16": 1e-1}
_FLOAT32 = 1e-4


def verify(
    model: Any, graph: Graph, network: Network, custom_objects: Mapping[str, Any] | None
) -> None:
    """Compare every layer's output with the model's, and the model's outputs with its layers'.

    A layer that gives another output each time ends the comparison.

    Raises
    ------
    ArchitectureError
        Names the first layer that differs, and by how much.
    """
    import keras

    dtypes = [str(tensor.dtype) for _, tensor in graph.inputs]
    if not all(each == "bool" or each.startswith(("float", "int", "uint")) for each in dtypes):
        return  # text, for one
    steps = [step for step in graph.steps if step.name in network.architecture]
    written = tensors_of(network, None, custom_objects)
    entrances = [INPUT, *(node.name for node in further_inputs(network.architecture))]
    ours = keras.Model(
        [written[name][0] for name in entrances], {step.name: written[step.name] for step in steps}
    )
    rng = np.random.default_rng(0)
    given = [_random(tensor, rng) for _, tensor in graph.inputs]
    try:
        theirs = dict(zip(map(_name, graph.steps), graph.values(given), strict=True))
    except Exception as error:  # from layers of the user's
        reason = in_a_line(error)
        raise ArchitectureError(
            f"model: expected it to compute random inputs, got {type(error).__name__}: {reason}"
        ) from None
    got = ours(given, training=False)
    for step in steps:
        pairs = zip(theirs[step.name], got[step.name], strict=True)
        for number, (one, other) in enumerate(pairs):
            if (difference := _difference(one, other)) is None:
                continue
            again = dict(zip(map(_name, graph.steps), graph.values(given), strict=True))
            if _difference(one, again[step.name][number]) is not None:
                return
            raise ArchitectureError(
                f"{step.operation.name}: expected the network to compute what the model does, got "
                f"outputs that differ by {difference:.1e} of the largest: please report it"
            )
    packed = keras.tree.pack_sequence_as(graph.takes, given)
    whole = keras.tree.flatten(model(packed, training=False))
    for name, value in zip(graph.outputs, whole, strict=True):
        of, number = graph.items.get(name, (name, 0))
        if of in theirs and (difference := _difference(value, theirs[of][number])) is not None:
            raise ArchitectureError(
                f"model: expected it to do what its layers do, got outputs that differ by "
                f"{difference:.1e} of the largest: does {type(model).__name__} change calls?"
            )


def _name(step: Any) -> str:
    return str(step.name)


def _random(tensor: Any, rng: np.random.Generator) -> Any:
    shape = (_IMAGES, *tensor.shape[1:])
    if "float" in str(tensor.dtype):
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, 2, size=shape).astype(str(tensor.dtype))


def _difference(expected: Any, got: Any) -> float | None:
    """Return the largest difference relative to the largest value, if it is too large."""
    tolerance = _RELATIVE.get(str(getattr(expected.dtype, "name", expected.dtype)), _FLOAT32)
    one, other = (np.asarray(each).astype(np.float64) for each in (expected, got))
    finite = np.isfinite(one)
    if one.shape != other.shape or not np.array_equal(finite, np.isfinite(other)):
        return float("inf")
    largest = np.abs(one[finite]).max(initial=0.0)
    difference = float(np.abs(one - other)[finite].max(initial=0.0) / (largest or 1.0))
    return difference if difference > tolerance else None
