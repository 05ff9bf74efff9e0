"""The dense layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.networks.layer import Axis, Layer, Shape, Weight
from growsearch.networks.layers.weights import OUT, with_bias


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected: ``activation(x @ kernel + bias)``; kernel (in, units).

    Of images it takes the channels of each position alone, as a 1x1 convolution does.
    """

    units: int
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "dense"
    width_option: ClassVar[str] = "units"

    def output_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0][:-1], self.units)

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        features = shapes[0][-1]
        axes = {0: Axis("split", "in"), 1: OUT}
        kernel = Weight((features, self.units), "kernel", axes, features)
        return with_bias({"kernel": kernel}, self.units, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0]) * self.units

    def follower(self, activation: str, *, use_bias: bool) -> Dense:
        return Dense(self.units, activation, use_bias)

    @property
    def branch_kernels(self) -> tuple[int | None, ...]:
        return (1,)  # of no meaning

    def beside(self, units: int, kernel: int | None, activation: str, *, use_bias: bool) -> Dense:
        return Dense(units, activation, use_bias)
