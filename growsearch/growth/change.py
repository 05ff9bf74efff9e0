"""The change of a network's outputs by a growth, measured on images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError
from growsearch.networks import Network
from growsearch.networks.layer import Shape
from growsearch.networks.layers import KerasEnds, KerasInput
from growsearch.networks.reference import forward

Float = NDArray[np.float64]

_DRAWN = 16  # images, where none are given


@dataclass(frozen=True)
class Change:
    """The change of a network's outputs.

    Parameters
    ----------
    largest : float
        max |Δ| over all images and outputs; never a sum, in which errors cancel.
    relative : float
        The same, relative to the largest output before.
    agreement : float
        Share of the images whose largest output is the same as before.
    images : int
        Number of images.
    """

    largest: float
    relative: float
    agreement: float
    images: int

    def __str__(self) -> str:
        return (
            f"max |Δ| {self.largest:.2g}, {self.relative:.2g} of the largest output; "
            f"{self.agreement:.1%} of {self.images} images keep their class"
        )


def measure_change(
    before: Network, after: Network, images: Any = None, *, images_after: Any = None, rng: int = 0
) -> Change:
    """Measure by how much a network's outputs differ from those of another, in float64.

    Where ``after`` has more classes, the logits of the old ones are compared, without a softmax at
    the end.

    Parameters
    ----------
    before, after : Network
    images : array, shape ``(n, *input_shape)``, optional
        By default 16 images of uniform random pixels from 0 to 1, which are nearly black to a
        network that takes bytes: give it images. A list of arrays where the networks have several
        inputs; of several outputs all are compared.
    images_after : array, optional
        The same images as ``after`` reads them. By default zeros in channels that ``before`` does
        not have; :meth:`AddInputs.extended` repeats channels.
    rng : int
        Seed of the random images.

    Examples
    --------
    >>> from growsearch.growth import Widen, grow
    >>> from growsearch.networks import Architecture
    >>> parent = Network.initial(Architecture.parse("4(fc1)-2(fc2)", input_shape=(3,)), rng=0)
    >>> change = measure_change(parent, grow(parent, Widen("fc1", 6), rng=0))
    >>> change.relative < 1e-9, change.agreement, change.images
    (True, 1.0, 16)
    """
    if images is None:
        images = random_images(before, _DRAWN, rng)
    x, *further = images if is_several(before, images) else [images]
    x = np.asarray(x, np.float64)
    if not len(x):
        raise InvalidInputError("images: expected at least one, got none")
    if images_after is None:
        more = after.architecture.input_shape[-1] - x.shape[-1]
        first = np.concatenate([x, np.zeros((*x.shape[:-1], max(more, 0)))], axis=-1)
        images_after = [first, *further] if further else first
    classes = before.outputs
    if after.outputs < classes:
        raise InvalidInputError(
            f"after: expected at least the {classes} outputs of before, got {after.outputs}"
        )
    if after.outputs > classes:
        before, after = _without_softmax(before), _without_softmax(after)
    old = _outputs(before, [x, *further] if further else x)
    new = _outputs(after, images_after)
    if after.outputs > classes:
        new = new[..., :classes]
    if old.shape != new.shape:
        raise InvalidInputError(f"after: expected outputs of shape {old.shape}, got {new.shape}")
    largest = float(np.abs(new - old).max())
    same = np.reshape(old.argmax(axis=-1) == new.argmax(axis=-1), (len(x), -1)).all(axis=1)
    scale = float(np.abs(old).max()) or 1.0
    return Change(largest, largest / scale, float(same.mean()), len(x))


def random_images(network: Network, count: int, rng: int = 0) -> Any:
    """Return uniform random pixels from 0 to 1; a list of arrays for a network of several inputs.

    Examples
    --------
    >>> from growsearch.networks import Architecture
    >>> network = Network.initial(Architecture.parse("2(fc1)", input_shape=(3,)), rng=0)
    >>> random_images(network, 5).shape
    (5, 3)
    """
    drawn = np.random.default_rng(rng)
    return _drawn(network, lambda shape: drawn.random((count, *shape)))


def normal_inputs(network: Network, count: int) -> Any:
    """Return standard normal inputs, of either sign; a list for a network of several inputs."""
    drawn = np.random.default_rng(0)
    return _drawn(network, lambda shape: drawn.normal(size=(count, *shape)))


def _drawn(network: Network, draw: Callable[[Shape], Float]) -> Any:
    """Return drawn values for each input of a network: one array, or a list of them."""
    architecture = network.architecture
    further = [n for n in architecture.nodes if isinstance(n.layer, KerasInput)]
    shapes = [architecture.input_shape, *(architecture.shapes[node.name] for node in further)]
    images = [draw(shape) for shape in shapes]
    return images if further else images[0]


def first_images(network: Network, images: Any, count: int) -> Any:
    """Return the first images in float64, of each input of a network that has several."""
    if is_several(network, images):
        return [np.asarray(each[:count], np.float64) for each in images]
    return np.asarray(images[:count], np.float64)


def is_several(network: Network, images: Any) -> bool:
    """Return whether images are a list of arrays, one an input of a network that has several."""
    has_several = any(isinstance(node.layer, KerasInput) for node in network.architecture.nodes)
    return has_several and isinstance(images, list | tuple)


def _outputs(network: Network, images: Any) -> Float:
    """Return a network's outputs; several ones one behind the other."""
    output = network.architecture.output
    if not isinstance(output.layer, KerasEnds) or len(output.inputs) == 1:
        return network.forward(images)
    each = [forward(network, images, at=name) for name in output.inputs]
    return np.concatenate([found.reshape(len(found), -1) for found in each], axis=-1)


def _without_softmax(network: Network) -> Network:
    last = network.architecture.output
    if not last.layer.mixes_units:
        return network
    logits = network.architecture.with_layers({last.name: last.layer.with_activation("linear")})
    return Network(logits, network.weights)
