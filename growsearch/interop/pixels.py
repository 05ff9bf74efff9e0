"""Pixels as a model takes them: the bytes 0 to 255, or numbers from 0 to 1 as everywhere here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from growsearch.networks import INPUT, Network, Node
from growsearch.networks.layers import Carried, Normalize, Rescale

_BYTE = 255.0
_MOST_SCALE = 0.05  # of bytes: those in use are 1/255 and 1/127.5
_LEAST_MEAN = 2.0  # of images in bytes


def for_unit_pixels(network: Network) -> tuple[Network, str]:
    """Return a network for pixels from 0 to 1 where the first layer scales bytes; and a note.

    Only that layer changes: its scale, or its mean and variance. Outputs for pixels divided by 255
    are those for the bytes before. Any other network, also of inputs that are no images, is
    returned as it is, with the note "".

    Examples
    --------
    >>> from growsearch.networks import Architecture
    >>> layers = (Node("scale", Rescale(1 / 127.5, -1.0), ("input",)),)
    >>> network, note = for_unit_pixels(Network.initial(Architecture((4, 4, 1), layers), rng=0))
    >>> network.architecture["scale"].layer
    Rescale(scale=2.0, offset=-1.0)
    """
    first = _first(network)
    if first is None or len(network.architecture.input_shape) != 3:  # no images
        return network, ""
    layer, architecture, weights = first.layer, network.architecture, dict(network.weights)
    if isinstance(layer, Rescale) and 0.0 < layer.scale < _MOST_SCALE:
        changed = replace(layer, scale=layer.scale * _BYTE)
        architecture = architecture.with_layers({first.name: changed})
    elif isinstance(layer, Normalize) and weights[first.name]["mean"].mean() > _LEAST_MEAN:
        mean, variance = weights[first.name]["mean"], weights[first.name]["variance"]
        weights[first.name] = {"mean": mean / _BYTE, "variance": variance / _BYTE**2}
    else:
        return network, ""
    weights = {name: {key: np.array(w) for key, w in of.items()} for name, of in weights.items()}
    note = (
        f"its layer {first.name} scales pixels from 0 to 255, and takes them from 0 to 1 in this "
        "run, as all networks here do"
    )
    return Network(architecture, weights, class_names=network.class_names), note


def _first(network: Network) -> Node | None:
    """Return the only layer that computes something of the input; None where there are several."""
    name = INPUT
    while len(readers := network.architecture.consumers.get(name, ())) == 1:
        (node,) = readers
        if not isinstance(node.layer, Carried):
            return node
        name = node.name
    return None
