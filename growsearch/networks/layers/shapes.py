"""Layers that change the shape alone: flatten, reshape, permute, padding with zeros, cropping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.net2net import Units
from growsearch.net2net.units import Extra
from growsearch.networks.layer import Layer, Memory, Shape, TiedUnitsError, image


@dataclass(frozen=True)
class Flatten(Layer):
    """Images to features, channels last: index (y·width + x)·channels + c."""

    kind: ClassVar[str] = "flatten"
    memory: ClassVar[Memory] = "shared"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)

    def output_shape(self, *shapes: Shape) -> Shape:
        return (math.prod(shapes[0]),)

    def flops(self, *shapes: Shape) -> int:
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return units[0].expand(before=math.prod(shapes[0][:-1]))

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        positions = math.prod(shapes[0][:-1])
        return (_alike(units, positions, f"units behind a flatten are tied to {positions}"),)


@dataclass(frozen=True)
class Reshape(Layer):
    """The same values in the same order, at other positions; what remains are the channels.

    ``positions`` are all sizes but the last: (1, 1) makes images of one pixel out of features, as
    squeeze-and-excitation does, and (2, 3) images of 2 x 3 pixels.

    Units pass wherever one number of channels divides the other: the channels of each position are
    then blocks of those at the other end.
    """

    positions: Shape

    kind: ClassVar[str] = "reshape"
    memory: ClassVar[Memory] = "shared"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.positions) not in (1, 2):
            raise ValueError(f"positions: expected 1 or 2 whole numbers, got {self.positions}")

    def output_shape(self, *shapes: Shape) -> Shape:
        channels, rest = divmod(math.prod(shapes[0]), math.prod(self.positions))
        if rest:
            raise ValueError(
                f"expects a multiple of {math.prod(self.positions)} values for positions "
                f"{self.positions}, got shape {shapes[0]}"
            )
        return (*self.positions, channels)

    def flops(self, *shapes: Shape) -> int:
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        before, after = shapes[0][-1], self.output_shape(*shapes)[-1]
        return _reshaped(units[0], before, after)

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        before, after = shapes[0][-1], self.output_shape(*shapes)[-1]
        return (_reshaped(units, after, before),)


@dataclass(frozen=True)
class Permute(Layer):
    """Axes in another order: ``dims`` numbers them from 1, (2, 1, 3) swaps height and width.

    Units pass if the last axis stays where it is.
    """

    dims: Shape

    kind: ClassVar[str] = "permute"

    def __post_init__(self) -> None:
        super().__post_init__()
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"dims: expected each number from 1 on once, got {self.dims}")

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != len(self.dims):
            raise ValueError(f"expects {len(self.dims)} axes to permute, got shape {shapes[0]}")
        return tuple(shapes[0][dim - 1] for dim in self.dims)

    def flops(self, *shapes: Shape) -> int:
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        self._check_harmless()
        return units[0]

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        self._check_harmless()
        return (units,)

    def _check_harmless(self) -> None:
        if self.dims[-1] != len(self.dims):
            raise TiedUnitsError(f"a permutation {self.dims} makes positions of units")


@dataclass(frozen=True)
class _Edges(Layer):
    """Pixels at each side of images."""

    top: int
    bottom: int
    left: int
    right: int

    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")
    least: ClassVar[int] = 0

    def _moved(self, shape: Shape, sign: int) -> Shape:
        height, width, channels = image(shape)
        height += sign * (self.top + self.bottom)
        width += sign * (self.left + self.right)
        if min(height, width) < 1:
            raise ValueError(f"expects images that are larger than what is cut off, got {shape}")
        return height, width, channels


@dataclass(frozen=True)
class ZeroPad(_Edges):
    """Zeros around images, as wide as given on each side."""

    kind: ClassVar[str] = "zero_pad"

    def output_shape(self, *shapes: Shape) -> Shape:
        return self._moved(shapes[0], 1)


@dataclass(frozen=True)
class Crop(_Edges):
    """Images without the pixels at their sides, as many as given on each."""

    kind: ClassVar[str] = "crop"

    def output_shape(self, *shapes: Shape) -> Shape:
        return self._moved(shapes[0], -1)


def _reshaped(units: Units, before: int, after: int) -> Units:
    """Return units of ``before`` channels as those of ``after`` channels, in the same order."""
    if after % before == 0:
        return units.expand(before=after // before)
    if before % after == 0:
        blocks = before // after
        return _alike(units, blocks, f"units of a reshape are tied to {blocks}")
    raise TiedUnitsError(f"a reshape from {before} to {after} channels mixes units and positions")


def _alike(units: Units, positions: int, tie: str) -> Units:
    """Return the units of each position, if those of all positions are alike."""
    inner = units.block(positions)
    if inner is None:
        raise TiedUnitsError(f"{tie} positions", groups=positions)
    return inner
