"""Images of another size: enlarged by whole factors, or resized."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from growsearch.networks.layer import Layer, Pair, Shape, check_choice, image

Interpolation = Literal["nearest", "bilinear"]
INTERPOLATIONS: tuple[Interpolation, ...] = ("nearest", "bilinear")


@dataclass(frozen=True)
class _Resampled(Layer):
    """Values between pixels, whose centres are at halves; outside are the pixels of the edge.

    It is linear, and treats each channel alone.
    """

    size: Pair
    interpolation: Interpolation = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)

    @abstractmethod
    def pixels(self, shape: Shape) -> Pair:
        """Return height and width of the output."""

    def output_shape(self, *shapes: Shape) -> Shape:
        return *self.pixels(shapes[0]), image(shapes[0])[2]

    def flops(self, *shapes: Shape) -> int:
        reads = {"nearest": 1, "bilinear": 8}[self.interpolation]
        return reads * math.prod(self.output_shape(*shapes))


@dataclass(frozen=True)
class UpSample(_Resampled):
    """Images enlarged by the factors ``size`` along height and width."""

    size: Pair = (2, 2)

    kind: ClassVar[str] = "up_sample"

    def pixels(self, shape: Shape) -> Pair:
        height, width, _ = image(shape)
        return height * self.size[0], width * self.size[1]


@dataclass(frozen=True)
class Resize(_Resampled):
    """Images of ``size`` pixels along height and width."""

    interpolation: Interpolation = "bilinear"

    kind: ClassVar[str] = "resize"

    def pixels(self, shape: Shape) -> Pair:
        image(shape)
        return self.size
