"""Convolutions: plain and grouped, separable, depthwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from growsearch.net2net import Units
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import (
    Axis,
    Layer,
    Padding,
    Pair,
    Shape,
    TiedUnitsError,
    Weight,
    Window,
    check_choice,
    image,
)
from growsearch.networks.layers.weights import OUT, SAME_UNITS, with_bias
from growsearch.networks.layers.windows import check_equal, check_window, positions


@dataclass(frozen=True)
class Conv(Layer):
    """2-d convolution; kernel (kh, kw, in / groups, filters), as TensorFlow and Keras have it."""

    kernel: Pair
    filters: int
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    groups: int = 1
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "conv"
    is_producer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_window(self.stride, self.padding, self.dilation)
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.filters % self.groups:
            raise ValueError(
                f"expects filters in {self.groups} equal groups, got {self.filters} filters"
            )

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, channels = image(shapes[0])
        if channels % self.groups:
            raise ValueError(
                f"expects input channels in {self.groups} equal groups, got {channels} channels"
            )
        return (
            positions(height, self.kernel[0], self.stride[0], self.padding, self.dilation[0]),
            positions(width, self.kernel[1], self.stride[1], self.padding, self.dilation[1]),
            self.filters,
        )

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2] // self.groups
        axes = {2: Axis("split", "in", groups=self.groups), 3: OUT}
        shape = (*self.kernel, channels, self.filters)
        kernel = Weight(shape, "kernel", axes, math.prod(self.kernel) * channels)
        return with_bias({"kernel": kernel}, self.filters, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        per_position = 2 * math.prod(self.weights(*shapes)["kernel"].shape)
        return per_position * math.prod(self.output_shape(*shapes)[:2])

    @property
    def width(self) -> int:
        return self.filters

    def widened(self, width: int) -> Conv:
        return replace(self, filters=width)

    @property
    def needs(self) -> dict[str, Any]:
        return {"groups": self.groups} if self.groups > 1 else {}

    def follower(self, activation: str, *, use_bias: bool) -> Conv:
        # An odd kernel: one without a centre can be no identity.
        kernel = (self.kernel[0] | 1, self.kernel[1] | 1)
        return Conv(kernel, self.filters, activation=activation, use_bias=use_bias)

    @property
    def branch_kernels(self) -> tuple[int | None, ...]:
        # Beside the kernels of most networks another one, if the images fit.
        return (3 if self.kernel != (3, 3) else 5, None)

    def beside(self, units: int, kernel: int | None, activation: str, *, use_bias: bool) -> Conv:
        if kernel is None:
            plain = replace(self, filters=units, groups=1)
        else:
            plain = Conv((kernel, kernel), units, stride=self.stride)
        return replace(plain, activation=activation, use_bias=use_bias)

    @property
    def window(self) -> Window:
        return Window("kernel", self.kernel, self.stride, self.padding, self.dilation)

    def with_kernel(self, kernel: Pair) -> Conv:
        return replace(self, kernel=kernel)


@dataclass(frozen=True)
class SeparableConv(Layer):
    """Depthwise convolution, then a 1x1 convolution over its outputs, then bias and activation.

    Weights ``depthwise`` (kh, kw, in, multiplier) and ``pointwise`` (1, 1, in·multiplier, filters).
    """

    kernel: Pair
    filters: int
    stride: Pair = (1, 1)
    padding: Padding = "same"
    multiplier: int = 1
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "separable_conv"
    is_producer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_window(self.stride, self.padding)
        check_equal(self.stride)
        check_choice("activation", self.activation, ACTIVATIONS)

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, _ = image(shapes[0])
        return (
            positions(height, self.kernel[0], self.stride[0], self.padding),
            positions(width, self.kernel[1], self.stride[1], self.padding),
            self.filters,
        )

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2]
        area = math.prod(self.kernel)
        inner = channels * self.multiplier
        depthwise = Weight(
            (*self.kernel, channels, self.multiplier), "kernel", {2: SAME_UNITS}, area
        )
        axes = {2: Axis("split", "in", repeat=self.multiplier), 3: OUT}
        pointwise = Weight((1, 1, inner, self.filters), "kernel", axes, inner)
        both = {"depthwise": depthwise, "pointwise": pointwise}
        return with_bias(both, self.filters, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        weights = self.weights(*shapes)
        per_position = sum(math.prod(weights[name].shape) for name in ("depthwise", "pointwise"))
        return 2 * per_position * math.prod(self.output_shape(*shapes)[:2])

    @property
    def width(self) -> int:
        return self.filters

    def widened(self, width: int) -> SeparableConv:
        return replace(self, filters=width)

    @property
    def window(self) -> Window:
        return Window("depthwise", self.kernel, self.stride, self.padding)

    def with_kernel(self, kernel: Pair) -> SeparableConv:
        return replace(self, kernel=kernel)


@dataclass(frozen=True)
class DepthwiseConv(Layer):
    """One filter (or ``multiplier`` of them) a channel; kernel (kh, kw, in, multiplier)."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = "same"
    multiplier: int = 1
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "depthwise_conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_window(self.stride, self.padding)
        check_equal(self.stride)
        check_choice("activation", self.activation, ACTIVATIONS)

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, channels = image(shapes[0])
        return (
            positions(height, self.kernel[0], self.stride[0], self.padding),
            positions(width, self.kernel[1], self.stride[1], self.padding),
            channels * self.multiplier,
        )

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2]
        shape = (*self.kernel, channels, self.multiplier)
        kernel = Weight(shape, "kernel", {2: SAME_UNITS}, math.prod(self.kernel))
        return with_bias({"kernel": kernel}, channels * self.multiplier, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(self.kernel) * math.prod(self.output_shape(*shapes))

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        del shapes
        return units[0].expand(after=self.multiplier)

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        del shapes
        if self.multiplier == 1:
            return (units,)
        # Output i·m + j belongs to channel i: the units must come in runs of m.
        source = units.source[:: self.multiplier] // self.multiplier
        share = units.share[:: self.multiplier].copy()
        inner = Units(source, share, units.old // self.multiplier)
        if inner.expand(after=self.multiplier) != units:
            raise TiedUnitsError(
                f"units of {self.multiplier} filters a channel are tied to runs of as many"
            )
        return (inner,)

    @property
    def window(self) -> Window:
        return Window("kernel", self.kernel, self.stride, self.padding)

    def with_kernel(self, kernel: Pair) -> DepthwiseConv:
        return replace(self, kernel=kernel)
