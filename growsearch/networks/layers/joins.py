"""Joins of branches: elementwise (sum, product, mean, maximum, …), and concatenation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from growsearch.net2net import Units
from growsearch.net2net.units import Extra
from growsearch.networks.layer import Layer, Shape, TiedUnitsError, check_number


@dataclass(frozen=True)
class _Elementwise(Layer):
    """A function of the branches' values at each place: ties their units together.

    An axis of size 1 is repeated along the others' axis, as in a product of images with one factor
    a channel (squeeze-and-excitation) or one a position.

    Every copy of a unit has the unit's whole value in each branch, so that the copies' results are
    the unit's result whatever the function is. Only the consumers split it. A branch with one
    channel beside several gives its value to all of them: it cannot widen with them.
    """

    inputs: ClassVar[tuple[int, int]] = (2, 1_000)

    def output_shape(self, *shapes: Shape) -> Shape:
        sizes = [set(axis) - {1} for axis in zip(*shapes, strict=False)]
        if len({len(shape) for shape in shapes}) != 1 or any(len(size) > 1 for size in sizes):
            raise ValueError(f"expects inputs of one shape, got {', '.join(map(str, shapes))}")
        return tuple(max(size, default=1) for size in sizes)

    def flops(self, *shapes: Shape) -> int:
        return len(shapes) * math.prod(self.output_shape(*shapes))

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        width = self.output_shape(*shapes)[-1]
        whole = [each for each in units if each.old == width]
        if any(len(each) != each.old for each in units if each.old != width):
            raise TiedUnitsError(
                f"a branch with 1 channel beside {width} is repeated along them: it cannot widen"
            )
        return max(whole, key=len)  # the branch that widens; the others are required to follow

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        return tuple(
            units if shape[-1] == units.old else Units.unchanged(shape[-1]) for shape in shapes
        )


@dataclass(frozen=True)
class Add(_Elementwise):
    """Sum of branches, then the activation."""

    activation: str = "linear"

    kind: ClassVar[str] = "add"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")


@dataclass(frozen=True)
class ScaledAdd(_Elementwise):
    """The first branch plus ``scale`` times the second (Szegedy et al., arXiv:1602.07261)."""

    scale: float = 1.0

    kind: ClassVar[str] = "scaled_add"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")
    inputs: ClassVar[tuple[int, int]] = (2, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("scale", self.scale)


@dataclass(frozen=True)
class Subtract(_Elementwise):
    """The first branch less the second."""

    kind: ClassVar[str] = "subtract"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")
    inputs: ClassVar[tuple[int, int]] = (2, 2)


@dataclass(frozen=True)
class Multiply(_Elementwise):
    """Product of branches, as of images with their gate."""

    kind: ClassVar[str] = "multiply"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)


@dataclass(frozen=True)
class Average(_Elementwise):
    """Mean of branches."""

    kind: ClassVar[str] = "average"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")


@dataclass(frozen=True)
class Maximum(_Elementwise):
    """The largest of the branches' values."""

    kind: ClassVar[str] = "maximum"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)


@dataclass(frozen=True)
class Minimum(_Elementwise):
    """The smallest of the branches' values."""

    kind: ClassVar[str] = "minimum"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)


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
