"""Surgery: growths of a network one after another, each step's sizes, and the outputs' change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from growsearch.errors import InvalidInputError
from growsearch.growth.change import Change, is_several, measure_change, random_images
from growsearch.growth.growth import Growth, Setting, Treatment
from growsearch.growth.inputs import AddInputs
from growsearch.networks import Architecture, Network

_MOST = 16  # images that outputs are compared on
_FLOPS = 2e10  # of that comparison: seconds in numpy


@dataclass(frozen=True)
class Step:
    """One growth of a surgery, with the sizes before and after as text.

    ``parameters`` and ``flops`` are those of the network after it.
    """

    growth: Growth
    before: str
    after: str
    parameters: int
    flops: int

    def to_json(self) -> dict[str, Any]:
        """Return the step as plain JSON values."""
        return {
            "growth": self.growth.to_json(),
            "before": self.before,
            "after": self.after,
            "parameters": self.parameters,
            "flops": self.flops,
        }


def planned(
    architecture: Architecture, growths: Iterable[Growth]
) -> tuple[Architecture, tuple[Step, ...]]:
    """Return the architecture after growths in their order, and each step; without any weights.

    Raises
    ------
    NotExactError
        When a growth cannot keep the function at its place; names the reason.
    """
    steps = []
    for growth in growths:
        before, after = growth.sizes(architecture)
        architecture = growth.grown(architecture)
        steps.append(Step(growth, before, after, architecture.parameters, architecture.flops))
    return architecture, tuple(steps)


def operated(
    network: Network,
    growths: Iterable[Growth],
    *,
    rng: np.random.Generator | int,
    images: Any = None,
    slots: Treatment = "carry-rescaled",
) -> Network:
    """Return a network after growths in their order; see :func:`growsearch.grow`."""
    setting = Setting(np.random.default_rng(rng), "net2net", slots, images)
    for growth in growths:
        before, network = network, growth.apply(network, setting)
        if isinstance(growth, AddInputs) and setting.images is not None:
            setting = replace(setting, images=_extended(before, growth, setting.images))
    return network


def _extended(before: Network, growth: AddInputs, images: Any) -> Any:
    """Return images with the new channels of the first input; those of others stay."""
    if not is_several(before, images):
        return growth.extended(images)
    first, *further = images
    return [growth.extended(first), *further]


def inputs_of(network: Network, images: Any = None, *, rng: int = 0) -> Any:
    """Return the inputs that outputs are compared on: the first images, or random pixels.

    They are at most 16, and fewer of a network that takes long in numpy.

    Raises
    ------
    InvalidInputError
        When the images do not fit the network.
    """
    architecture = network.architecture
    count = max(1, min(_MOST, int(_FLOPS // max(architecture.flops, 1))))
    if images is None:
        return random_images(network, count, rng)
    if (found := tuple(images.shape[1:])) != architecture.input_shape:
        raise InvalidInputError(
            f"data: expected images of shape {architecture.input_shape} for this network, "
            f"got {found}"
        )
    return np.asarray(images[:count], np.float64)


def change_of(before: Network, after: Network, growths: Iterable[Growth], inputs: Any) -> Change:
    """Compare the outputs of a network before and after growths; see :func:`measure_change`.

    Each new channel of the input holds what its growth expects: zeros, or a repeated channel.
    """
    added = [growth for growth in growths if isinstance(growth, AddInputs)]
    if not added:
        return measure_change(before, after, inputs)
    extended = inputs
    for growth in added:
        extended = _extended(before, growth, extended)
    return measure_change(before, after, inputs, images_after=extended)
