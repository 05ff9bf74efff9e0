"""Factors and offsets: one for all values, or one a channel, of data sets or learnt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.networks.layer import Layer, Memory, Shape, Weight, check_number
from growsearch.networks.layers.weights import SAME_UNITS

LEAST_DEVIATION = 1e-7  # by which Normalize divides, as Keras does


@dataclass(frozen=True)
class Rescale(Layer):
    """``scale · x + offset``, with two numbers that are never trained."""

    scale: float = 1.0
    offset: float = 0.0

    kind: ClassVar[str] = "rescale"
    memory: ClassVar[Memory] = "in place"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("scale", self.scale)
        check_number("offset", self.offset)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])


@dataclass(frozen=True)
class RescaleChannels(Layer):
    """``scale · x + offset``, with two numbers a channel that are never trained."""

    kind: ClassVar[str] = "rescale_channels"
    memory: ClassVar[Memory] = "in place"

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        shape, axes = (shapes[0][-1],), {0: SAME_UNITS}
        return {
            "scale": Weight(shape, "ones", axes, trainable=False),
            "offset": Weight(shape, "zeros", axes, trainable=False),
        }

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])


@dataclass(frozen=True)
class Scale(Layer):
    """``gamma · x``, with one learnt factor a channel: layer scale (arXiv:2103.17239)."""

    kind: ClassVar[str] = "scale"
    memory: ClassVar[Memory] = "in place"

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        return {"gamma": Weight((shapes[0][-1],), "ones", {0: SAME_UNITS})}


@dataclass(frozen=True)
class Normalize(Layer):
    """``(x - mean) / sqrt(variance)`` per channel, with the statistics of a data set.

    They are weights that are never trained. The deviation counts as 1e-7 at least.
    """

    kind: ClassVar[str] = "normalize"
    memory: ClassVar[Memory] = "in place"

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        shape, axes = (shapes[0][-1],), {0: SAME_UNITS}
        return {
            "mean": Weight(shape, "zeros", axes, trainable=False),
            "variance": Weight(shape, "ones", axes, trainable=False),
        }

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])
