"""Joins of branches: sum, concatenation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from growsearch.net2net import Units
from growsearch.net2net.units import Extra
from growsearch.networks.layer import Layer, Shape, TiedUnitsError


@dataclass(frozen=True)
class Add(Layer):
    """Elementwise sum of branches: ties their units together."""

    activation: str = "linear"

    kind: ClassVar[str] = "add"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")
    inputs: ClassVar[tuple[int, int]] = (2, 1_000)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) != 1:
            raise ValueError(f"expects inputs of one shape, got {', '.join(map(str, shapes))}")
        return shapes[0]

    def flops(self, *shapes: Shape) -> int:
        return len(shapes) * math.prod(shapes[0])

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return max(units, key=len)  # the branch that widens; the others are required to follow


@dataclass(frozen=True)
class Concat(Layer):
    """Concatenation along the channels."""

    kind: ClassVar[str] = "concat"
    ties_inputs: ClassVar[bool] = False
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)
    inputs: ClassVar[tuple[int, int]] = (2, 1_000)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len({shape[:-1] for shape in shapes}) != 1:
            raise ValueError(
                f"expects inputs that differ in channels only, got {', '.join(map(str, shapes))}"
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def flops(self, *shapes: Shape) -> int:
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return Units.concatenate(list(units))

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        edges = [sum(shape[-1] for shape in shapes[:i]) for i in range(len(shapes) + 1)]
        parts = []
        for low, high in pairwise(edges):
            mine = (units.source >= low) & (units.source < high)
            source = units.source[mine] - low
            parts.append(Units(source, units.share[mine], high - low, units.extra))
        if Units.concatenate(parts) != units:
            raise TiedUnitsError(
                "units behind a concatenation are tied to its branches", cuts=tuple(edges[1:-1])
            )
        return tuple(parts)
