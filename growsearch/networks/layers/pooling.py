"""Pooling: over windows, or over all positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.net2net.units import Extra
from growsearch.networks.layer import Layer, Padding, Pair, Shape, Window, image
from growsearch.networks.layers.windows import check_window, positions


@dataclass(frozen=True)
class _Pool(Layer):
    size: Pair = (2, 2)
    stride: Pair | None = None
    padding: Padding = "same"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_window(self.view)

    @property
    def strides(self) -> Pair:
        """The stride, which is the size where none is given."""
        return self.stride or self.size

    @property
    def view(self) -> Window:
        """The window, which has no weights."""
        return Window("", self.size, self.strides, self.padding)

    def output_shape(self, *shapes: Shape) -> Shape:
        return *positions(shapes[0], self.view), shapes[0][2]

    def flops(self, *shapes: Shape) -> int:
        return math.prod(self.size) * math.prod(self.output_shape(*shapes))


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Maximum over windows."""

    kind: ClassVar[str] = "max_pool"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)


@dataclass(frozen=True)
class AvgPool(_Pool):
    """Mean over windows; padding does not count, as in TensorFlow."""

    kind: ClassVar[str] = "avg_pool"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")


@dataclass(frozen=True)
class _GlobalPool(Layer):
    def output_shape(self, *shapes: Shape) -> Shape:
        return (image(shapes[0])[2],)

    def flops(self, *shapes: Shape) -> int:
        return math.prod(shapes[0])


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    """Mean over all positions."""

    kind: ClassVar[str] = "global_avg_pool"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    """Maximum over all positions."""

    kind: ClassVar[str] = "global_max_pool"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)
