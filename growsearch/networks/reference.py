"""Forward pass in float64, in evaluation mode: the reference for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError
from growsearch.networks.compute import compute
from growsearch.networks.node import INPUT

if TYPE_CHECKING:  # a network imports this module
    from collections.abc import Collection

    from growsearch.networks.network import Network

Float = NDArray[np.float64]

_BATCH_BYTES = 64_000_000  # of the largest unfolded tensor at a time


def forward(network: Network, images: Any, *, at: str | None = None) -> Float:
    """Return the network's output on ``images``, or that of the layer ``at``.

    Parameters
    ----------
    network : Network
    images : array, shape (n, *input_shape)
        A list of them where the network has several inputs.
    at : str, optional
        Name of the layer whose output is returned; the last one by default.

    A network with layers that only Keras computes is computed there, in float64.

    Returns
    -------
    float64 array, shape (n, *output shape)
    """
    architecture = network.architecture
    if architecture.opaque:
        from growsearch.interop.keras import forward as keras_forward

        return keras_forward(network, images, at=at)
    x = np.asarray(images, np.float64)
    if x.shape[1:] != architecture.input_shape:
        raise InvalidInputError(
            f"images: expected shape (n, {', '.join(map(str, architecture.input_shape))}), "
            f"got {x.shape}"
        )
    name = at or architecture.output.name
    return forward_at(network, x, (name,))[name]


def forward_at(network: Network, images: Any, names: Collection[str]) -> dict[str, Float]:
    """Return the outputs of several layers, or the input, by name; in one pass.

    Parameters
    ----------
    network : Network
    images : array, shape (n, *input_shape)
    names : collection of str
    """
    if network.architecture.opaque:
        return {
            name: images if name == INPUT else forward(network, images, at=name) for name in names
        }
    images = np.asarray(images, np.float64)
    size = _batch(network)
    starts = range(0, max(len(images), 1), size)
    parts = [_forward(network, images[i : i + size], names) for i in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _forward(network: Network, x: Float, names: Collection[str]) -> dict[str, Float]:
    missing = set(names) - {INPUT}
    values: dict[str, Float] = {INPUT: x}
    for node in network.architecture.nodes:
        weights = {
            name: np.asarray(array, np.float64)
            for name, array in network.weights.get(node.name, {}).items()
        }
        inputs = [values[name] for name in node.inputs]
        values[node.name] = compute(node.layer, inputs, weights)
        missing.discard(node.name)
        if not missing:
            break
    return {name: values[name] for name in names}


def _batch(network: Network) -> int:
    """Count the images whose largest unfolded convolution fits into 64 MB, at least one."""
    largest = 1
    for node in network.architecture.nodes:
        shapes = network.architecture.input_shapes(node)
        view = getattr(node.layer, "view", node.layer.window)
        kernel = view.kernel if view is not None else (1, 1)
        positions = int(np.prod(network.architecture.shapes[node.name][:-1], dtype=int))
        largest = max(largest, positions * kernel[0] * kernel[1] * shapes[0][-1])
    return max(1, _BATCH_BYTES // (8 * largest))
