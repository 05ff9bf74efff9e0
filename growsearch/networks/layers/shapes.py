"""Layers that change the shape alone: flatten, padding with zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.net2net import Units
from growsearch.net2net.units import Extra
from growsearch.networks.layer import Layer, Shape, TiedUnitsError, image


@dataclass(frozen=True)
class Flatten(Layer):
    """Images to features, channels last: index (y·width + x)·channels + c."""

    kind: ClassVar[str] = "flatten"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)

    def output_shape(self, *shapes: Shape) -> Shape:
        return (math.prod(shapes[0]),)

    def flops(self, *shapes: Shape) -> int:
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return units[0].expand(before=math.prod(shapes[0][:-1]))

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        positions = math.prod(shapes[0][:-1])
        inner = units.block(positions)
        if inner is None:
            raise TiedUnitsError(
                f"units behind a flatten are tied to {positions} positions", groups=positions
            )
        return (inner,)


@dataclass(frozen=True)
class ZeroPad(Layer):
    """Zeros around images, as wide as given on each side."""

    top: int
    bottom: int
    left: int
    right: int

    kind: ClassVar[str] = "zero_pad"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")
    least: ClassVar[int] = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, channels = image(shapes[0])
        return height + self.top + self.bottom, width + self.left + self.right, channels
