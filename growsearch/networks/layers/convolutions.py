"""Convolutions: plain and grouped, separable, depthwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from growsearch.net2net import Units
from growsearch.networks.layer import (
    Axis,
    Layer,
    Padding,
    Pair,
    Shape,
    TiedUnitsError,
    Weight,
    Window,
    image,
)
from growsearch.networks.layers.weights import OUT, SAME_UNITS, with_bias
from growsearch.networks.layers.windows import check_window, positions


class _Convolution(Layer):
    """A layer whose kernels move over images; an activation follows."""

    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair
    activation: str
    use_bias: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        check_window(self.window)

    def flops(self, *shapes: Shape) -> int:
        weights = self.weights(*shapes).values()
        per_position = 2 * sum(math.prod(w.shape) for w in weights if w.fill == "kernel")
        return per_position * math.prod(self.output_shape(*shapes)[:2])

    @property
    def window(self) -> Window:
        return Window("kernel", self.kernel, self.stride, self.padding, self.dilation)

    def with_kernel(self, kernel: Pair) -> Layer:
        return replace(self, **{"kernel": kernel})


class _Depthwise(_Convolution):
    """A convolution that begins with ``multiplier`` filters for each input channel."""

    multiplier: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride[0] != self.stride[1]:  # TensorFlow has no depthwise kernel for it
            raise ValueError(f"depthwise: expects equal strides, got {self.stride}")


@dataclass(frozen=True)
class Conv(_Convolution):
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
    width_option: ClassVar[str] = "filters"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.filters % self.groups:
            raise ValueError(
                f"expects filters in {self.groups} equal groups, got {self.filters} filters"
            )

    def output_shape(self, *shapes: Shape) -> Shape:
        if (channels := image(shapes[0])[2]) % self.groups:
            raise ValueError(
                f"expects input channels in {self.groups} equal groups, got {channels} channels"
            )
        return *positions(shapes[0], self.window), self.filters

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2] // self.groups
        axes = {2: Axis("split", "in", groups=self.groups), 3: OUT}
        shape = (*self.kernel, channels, self.filters)
        kernel = Weight(shape, "kernel", axes, math.prod(self.kernel) * channels)
        return with_bias({"kernel": kernel}, self.filters, self.use_bias)

    @property
    def needs(self) -> dict[str, Any]:
        return {"groups": self.groups} if self.groups > 1 else {}

    def follower(self, activation: str, *, use_bias: bool) -> Conv:
        # An odd kernel: one without a centre can be no identity.
        kernel = (self.kernel[0] | 1, self.kernel[1] | 1)
        return Conv(kernel, self.filters, activation=activation, use_bias=use_bias)

    @property
    def branch_kernels(self) -> tuple[int | None, ...]:
        # Another size than the layer's first; None, the layer's own, where the images do not fit.
        return (3 if self.kernel != (3, 3) else 5, None)

    def beside(self, units: int, kernel: int | None, activation: str, *, use_bias: bool) -> Conv:
        if kernel is None:
            plain = replace(self, filters=units, groups=1)
        else:
            plain = Conv((kernel, kernel), units, stride=self.stride)
        return replace(plain, activation=activation, use_bias=use_bias)


@dataclass(frozen=True)
class SeparableConv(_Depthwise):
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
    dilation: Pair = (1, 1)

    kind: ClassVar[str] = "separable_conv"
    width_option: ClassVar[str] = "filters"

    def output_shape(self, *shapes: Shape) -> Shape:
        return *positions(shapes[0], self.window), self.filters

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2]
        area = math.prod(self.kernel)
        inner = channels * self.multiplier
        shape = (*self.kernel, channels, self.multiplier)
        depthwise = Weight(shape, "kernel", {2: SAME_UNITS}, area)
        axes = {2: Axis("split", "in", repeat=self.multiplier), 3: OUT}
        pointwise = Weight((1, 1, inner, self.filters), "kernel", axes, inner)
        both = {"depthwise": depthwise, "pointwise": pointwise}
        return with_bias(both, self.filters, self.use_bias)

    def between(self, *shapes: Shape) -> Shape:
        return *self.output_shape(*shapes)[:2], shapes[0][2] * self.multiplier

    @property
    def window(self) -> Window:
        return Window("depthwise", self.kernel, self.stride, self.padding, self.dilation)


@dataclass(frozen=True)
class DepthwiseConv(_Depthwise):
    """One filter (or ``multiplier`` of them) a channel; kernel (kh, kw, in, multiplier)."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = "same"
    multiplier: int = 1
    activation: str = "relu"
    use_bias: bool = True
    dilation: Pair = (1, 1)

    kind: ClassVar[str] = "depthwise_conv"

    def output_shape(self, *shapes: Shape) -> Shape:
        return *positions(shapes[0], self.window), shapes[0][2] * self.multiplier

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2]
        shape = (*self.kernel, channels, self.multiplier)
        kernel = Weight(shape, "kernel", {2: SAME_UNITS}, math.prod(self.kernel))
        return with_bias({"kernel": kernel}, channels * self.multiplier, self.use_bias)

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return units[0].expand(after=self.multiplier)

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        if self.multiplier == 1:
            return (units,)
        # Output i·m + j belongs to channel i: the units must come in runs of m.
        source = units.source[:: self.multiplier] // self.multiplier
        share = units.share[:: self.multiplier].copy()
        inner = Units(source, share, units.old // self.multiplier)
        if inner.expand(after=self.multiplier) != units:
            raise TiedUnitsError(
                f"units are tied to runs of {self.multiplier}, the number of filters a channel"
            )
        return (inner,)
