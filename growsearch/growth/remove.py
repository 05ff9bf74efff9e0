"""A layer less: what stands behind it reads what stood in front of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.blocks import block_of
from growsearch.growth.change import first_images, normal_inputs
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.networks import Architecture, Network, Node, Slots
from growsearch.networks.reference import forward_at

Array = NDArray[Any]

_PROBES = 4  # random images, on which an identity is told from other layers
_IDENTITY = 1e-9  # max |Δ| of an identity in float64, relative to its largest input
_MEASURED = 32  # of the images that are given


@dataclass(frozen=True)
class Remove(Growth):
    """Take ``layer`` out, with the norm, activation and dropout of its block.

    Exact where the block is an identity, as what :class:`Deepen` puts behind ReLU is.

    Parameters
    ----------
    layer : str
        A layer whose block has an output of the shape of its input, before the output. Dropout, an
        activation or a norm by its own name goes with what belongs to it.
    exact : bool
        True: refuse a block that is no identity, on the ``images`` that :func:`grow` gets, or on
        random ones. False: take it out in any case; :func:`measure_change` tells what that does.
    """

    layer: str
    exact: bool = True

    operation: ClassVar[str] = "remove"

    def __post_init__(self) -> None:
        if not isinstance(self.exact, bool):
            raise InvalidInputError(f"exact: expected true or false, got {self.exact!r}")

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return each dense layer or convolution that can be taken out, exactly or not."""
        del limits  # of growth
        every = (cls(n.name, exact=False) for n in architecture.nodes if n.layer.is_producer)
        return tuple(site for site in every if site._fits(architecture))

    def grown(self, architecture: Architecture) -> Architecture:
        first, last = self._block(architecture)
        gone = {node.name for node in block_of(architecture, self.layer).nodes}
        (before,) = first.inputs
        nodes = (
            replace(n, inputs=tuple(before if i == last.name else i for i in n.inputs))
            for n in architecture.nodes
            if n.name not in gone
        )
        return Architecture(architecture.input_shape, tuple(nodes))

    def apply(self, network: Network, setting: Setting) -> Network:
        architecture = self.grown(network.architecture)
        if self.exact:
            self._check_identity(network, setting.images)

        def left(layers: Any) -> dict[str, dict[str, Array]]:
            return {layer: dict(layers[layer]) for layer in layers if layer in architecture}

        slots = None if setting.slots == "reset" else network.slots
        if slots is not None:
            values = {name: left(layers) for name, layers in slots.values.items()}
            slots = Slots(slots.optimizer, slots.step, values)
        return Network(architecture, left(network.weights), slots, network.class_names)

    @property
    def place(self) -> str:
        return self.layer

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        producers = [
            sum(node.layer.is_producer for node in each.nodes)
            for each in (architecture, self.grown(architecture))
        ]
        before, after = (f"{number} layers" for number in producers)
        return before, after

    def _fits(self, architecture: Architecture) -> bool:
        try:
            self._block(architecture)
        except NotExactError:
            return False
        return True

    def _block(self, architecture: Architecture) -> tuple[Node, Node]:
        """Return the first and the last node of the block, which can be taken out."""
        nodes = block_of(architecture, self.layer).nodes
        first, last = nodes[0], nodes[-1]
        if last is architecture.output:
            raise NotExactError(f"{self.layer}: expected a layer before the output")
        if len(first.inputs) != 1:
            raise NotExactError(
                f"{self.layer}: expected a layer with one input, got {len(first.inputs)}"
            )
        (shape,), end = architecture.input_shapes(first), architecture.shapes[last.name]
        if shape != end:
            raise NotExactError(
                f"{self.layer}: expected an output of the shape of its input to take it out, "
                f"got {shape} -> {end}"
            )
        return first, last

    def _check_identity(self, network: Network, images: Any) -> None:
        first, last = self._block(network.architecture)
        (before,) = first.inputs
        if images is None:
            x = normal_inputs(network, _PROBES)
        else:
            x = first_images(network, images, _MEASURED)
        values = forward_at(network, x, (before, last.name))
        scale = float(np.abs(values[before]).max()) or 1.0
        off = float(np.abs(values[last.name] - values[before]).max()) / scale
        if not off <= _IDENTITY:
            raise NotExactError(
                f"{self.layer}: expected an identity, which is exact to take out, got outputs that "
                f"differ from its inputs by {off:.2g} of the largest: exact=False takes it out in "
                "any case"
            )
