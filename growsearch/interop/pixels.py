"""Pixels as a model takes them: the bytes 0 to 255, or numbers from 0 to 1 as everywhere here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layers import (
    Carried,
    Crop,
    KerasEnds,
    KerasInput,
    Normalize,
    Rescale,
    RescaleChannels,
    Resize,
    UpSample,
    ZeroPad,
)
from growsearch.networks.layers.scaling import LEAST_DEVIATION

Float = NDArray[np.float64]

_BYTE = 255.0
_MOST_SCALE = 0.05  # of bytes: those in use are 1/255 and 1/127.5
_LEAST_MEAN = 2.0  # of images in bytes
# Layers that give 255 times the output for 255 times the pixels, and leave each channel its own.
_PASSED = (Carried, Resize, UpSample, Crop, ZeroPad)


def takes_bytes(network: Network) -> bool:
    """Return whether the network takes images as bytes from 0 to 255, at any of its inputs.

    It does where the type of the input is uint8, or where its first layers scale bytes. Inputs that
    are no images count as none.

    Examples
    --------
    >>> from growsearch.networks import Architecture
    >>> layers = (Node("scale", Rescale(1 / 255), ("input",)),)
    >>> takes_bytes(Network.initial(Architecture((4, 4, 1), layers), rng=0))
    True
    """
    return any(_takes_bytes(network, entrance) for entrance in entrances(network.architecture))


def as_taken(network: Network, images: Any) -> Any:
    """Return images from 0 to 1 as the network takes them: whole numbers to 255 where it is bytes.

    Parameters
    ----------
    network : Network
    images : array, shape (n, *input_shape)
        A list of them where the network has several inputs.
    """
    names = entrances(network.architecture)
    if len(names) > 1 and isinstance(images, list | tuple):
        pairs = zip(names, images, strict=True)
        return [_in_bytes(each) if _takes_bytes(network, name) else each for name, each in pairs]
    return _in_bytes(images) if _takes_bytes(network, INPUT) else images


def for_unit_pixels(network: Network) -> tuple[Network, str]:
    """Return a network for pixels from 0 to 1 where its first layers scale bytes; and a note.

    Only the first of these layers changes: its factor, or its mean and variance. Outputs for pixels
    divided by 255 are those for the bytes before. Any other network, also of inputs that are no
    images, is returned as it is, with the note "".

    Examples
    --------
    >>> from growsearch.networks import Architecture
    >>> layers = (Node("scale", Rescale(1 / 127.5, -1.0), ("input",)),)
    >>> network, note = for_unit_pixels(Network.initial(Architecture((4, 4, 1), layers), rng=0))
    >>> network.architecture["scale"].layer
    Rescale(scale=2.0, offset=-1.0)
    """
    first = _scaling_bytes(network, INPUT)
    if first is None:
        return network, ""
    architecture, weights = network.architecture, dict(network.weights)
    arrays = weights.get(first.name, {})
    if isinstance(first.layer, Rescale):
        changed = replace(first.layer, scale=first.layer.scale * _BYTE)
        architecture = architecture.with_layers({first.name: changed})
    elif isinstance(first.layer, RescaleChannels):
        weights[first.name] = {**arrays, "scale": arrays["scale"] * _BYTE}
    else:
        mean, variance = arrays["mean"], arrays["variance"]
        weights[first.name] = {"mean": mean / _BYTE, "variance": variance / _BYTE**2}
    weights = {name: {key: np.array(w) for key, w in of.items()} for name, of in weights.items()}
    note = (
        f"its layer {first.name} scales pixels from 0 to 255, and takes them from 0 to 1 in this "
        "run, as all networks here do"
    )
    return Network(architecture, weights, class_names=network.class_names), note


def entrances(architecture: Architecture) -> list[str]:
    """Return the names of the inputs."""
    return [INPUT, *(n.name for n in architecture.nodes if isinstance(n.layer, KerasInput))]


def _takes_bytes(network: Network, entrance: str) -> bool:
    architecture = network.architecture
    if len(architecture.shapes[entrance]) != 3:  # no images
        return False
    ends = architecture.output.layer
    if isinstance(ends, KerasEnds):
        tensors = dict(zip(entrances(architecture), ends.taken["tensors"], strict=False))
        if tensors.get(entrance, {}).get("dtype") == "uint8":
            return True
    return _scaling_bytes(network, entrance) is not None


def _in_bytes(images: Any) -> NDArray[Any]:
    array = np.asarray(images)
    pixels: NDArray[Any] = np.rint(array * array.dtype.type(_BYTE))
    return pixels


def _scaling_bytes(network: Network, entrance: str) -> Node | None:
    """Return the first of the layers that scale the bytes of an input; None where none do.

    The layers are composed channel by channel, since a model may subtract in one layer and divide
    in the next; up to each of them, what they do to a pixel may be what is done to bytes alone.
    """
    shape = network.architecture.shapes[entrance]
    if len(shape) != 3:  # no images
        return None
    scale, offset, first = np.ones(shape[-1]), np.zeros(shape[-1]), None
    for node in _in_front(network.architecture, entrance):
        first = first or node
        factor, shift = _affine(node, network)
        with np.errstate(all="ignore"):  # a file may hold any number
            scale, offset = factor * scale, factor * offset + shift
            if _is_of_bytes(scale, offset):
                return first
    return None


def _in_front(architecture: Architecture, entrance: str) -> Iterator[Node]:
    """Yield the layers that scale an input, while each is the only reader of the one before."""
    name = entrance
    while len(readers := architecture.consumers.get(name, ())) == 1:
        (node,) = readers
        if isinstance(node.layer, Rescale | RescaleChannels | Normalize):
            yield node
        elif not isinstance(node.layer, _PASSED):
            return
        name = node.name


def _affine(node: Node, network: Network) -> tuple[Float, Float]:
    """Return a layer's factor and offset, one a channel or one for all."""
    if isinstance(node.layer, Rescale):
        return np.asarray(node.layer.scale), np.asarray(node.layer.offset)
    arrays = network.weights[node.name]
    weights = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    if isinstance(node.layer, RescaleChannels):
        return weights["scale"], weights["offset"]
    factor = 1.0 / np.maximum(np.sqrt(weights["variance"]), LEAST_DEVIATION)
    return factor, -weights["mean"] * factor


def _is_of_bytes(scale: Float, offset: Float) -> bool:
    """Return whether a factor is that of bytes, or the pixel that becomes 0 lies beyond 0 to 1."""
    centre = np.divide(-offset, scale, out=np.zeros_like(scale), where=scale != 0.0)
    return bool(0.0 < np.abs(scale).max() < _MOST_SCALE or centre.mean() > _LEAST_MEAN)
