"""Transposed convolutions, which enlarge images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.networks.layer import (
    Axis,
    Layer,
    Padding,
    Pair,
    Shape,
    Weight,
    check_choice,
    image,
)
from growsearch.networks.layers.convolutions import Conv
from growsearch.networks.layers.weights import OUT, with_bias
from growsearch.networks.layers.windows import PADDINGS


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """The transpose of a strided convolution; kernel (kh, kw, filters, in), as in TensorFlow.

    With padding ``same`` images are as many times larger as the stride says. With ``valid`` they
    hold all that the kernel reaches.
    """

    kernel: Pair
    filters: int
    stride: Pair = (1, 1)
    padding: Padding = "same"
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "conv_transpose"
    width_option: ClassVar[str] = "filters"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("padding", self.padding, PADDINGS)

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, _ = image(shapes[0])
        return self._pixels(height, 0), self._pixels(width, 1), self.filters

    def _pixels(self, size: int, axis: int) -> int:
        beyond = max(self.kernel[axis] - self.stride[axis], 0) if self.padding == "valid" else 0
        return size * self.stride[axis] + beyond

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2]
        axes = {2: OUT, 3: Axis("split", "in")}
        shape = (*self.kernel, self.filters, channels)
        kernel = Weight(shape, "kernel", axes, math.prod(self.kernel) * channels)
        return with_bias({"kernel": kernel}, self.filters, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(self.kernel) * math.prod(shapes[0]) * self.filters

    def follower(self, activation: str, *, use_bias: bool) -> Conv:
        return Conv((3, 3), self.filters, activation=activation, use_bias=use_bias)
