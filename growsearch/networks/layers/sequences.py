"""Convolutions and pooling along sequences: shapes (steps, channels)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from growsearch.networks.layer import (
    Axis,
    Layer,
    Padding,
    Shape,
    Weight,
    Window,
    check_choice,
)
from growsearch.networks.layers.dense import Dense
from growsearch.networks.layers.weights import OUT, with_bias
from growsearch.networks.layers.windows import check_window, positions

CausalPadding = Literal["same", "valid", "causal"]
PADDINGS: tuple[CausalPadding, ...] = ("same", "valid", "causal")


def sequence(shape: Shape) -> tuple[int, int]:
    """Return ``shape`` as (steps, channels)."""
    if len(shape) != 2:
        raise ValueError(f"expects sequences (steps, channels), got shape {shape}")
    return shape[0], shape[1]


def _window(size: int, stride: int, padding: Padding, dilation: int = 1) -> Window:
    """Return a window along sequences as one over images of width 1."""
    return Window("kernel", (size, 1), (stride, 1), padding, (dilation, 1))


@dataclass(frozen=True)
class Conv1D(Layer):
    """1-d convolution; kernel (size, in / groups, filters), as TensorFlow and Keras have it.

    With padding ``causal`` a step sees none that come after it.
    """

    kernel: int
    filters: int
    stride: int = 1
    padding: CausalPadding = "same"
    dilation: int = 1
    groups: int = 1
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "conv1d"
    width_option: ClassVar[str] = "filters"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("padding", self.padding, PADDINGS)
        check_window(self.view)
        if self.filters % self.groups:
            raise ValueError(
                f"expects filters in {self.groups} equal groups, got {self.filters} filters"
            )

    @property
    def before(self) -> int:
        """Steps of zeros that causal padding puts in front."""
        return (self.kernel - 1) * self.dilation if self.padding == "causal" else 0

    @property
    def view(self) -> Window:
        """The window over images of width 1, behind the causal padding."""
        padding: Padding = "same" if self.padding == "same" else "valid"
        return _window(self.kernel, self.stride, padding, self.dilation)

    def output_shape(self, *shapes: Shape) -> Shape:
        steps, channels = sequence(shapes[0])
        if channels % self.groups:
            raise ValueError(
                f"expects input channels in {self.groups} equal groups, got {channels} channels"
            )
        return positions((steps + self.before, 1, channels), self.view)[0], self.filters

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][1] // self.groups
        axes = {1: Axis("split", "in", groups=self.groups), 2: OUT}
        shape = (self.kernel, channels, self.filters)
        kernel = Weight(shape, "kernel", axes, self.kernel * channels)
        return with_bias({"kernel": kernel}, self.filters, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        kernel = math.prod(self.weights(*shapes)["kernel"].shape)
        return 2 * kernel * self.output_shape(*shapes)[0]

    @property
    def needs(self) -> dict[str, Any]:
        return {"groups": self.groups} if self.groups > 1 else {}

    def follower(self, activation: str, *, use_bias: bool) -> Dense:
        return Dense(self.filters, activation, use_bias)

    @property
    def branch_kernels(self) -> tuple[int | None, ...]:
        return (None,)  # its own alone, which no limit on pixels forbids

    def beside(self, units: int, kernel: int | None, activation: str, *, use_bias: bool) -> Conv1D:
        if kernel is None:
            plain = replace(self, filters=units, groups=1)
        else:
            plain = Conv1D(kernel, units, stride=self.stride)
        return replace(plain, activation=activation, use_bias=use_bias)


@dataclass(frozen=True)
class _Pool1D(Layer):
    size: int = 2
    stride: int | None = None
    padding: Padding = "same"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_window(self.view)

    @property
    def view(self) -> Window:
        """The window over images of width 1."""
        return _window(self.size, self.stride or self.size, self.padding)

    def output_shape(self, *shapes: Shape) -> Shape:
        steps, channels = sequence(shapes[0])
        return positions((steps, 1, channels), self.view)[0], channels

    def flops(self, *shapes: Shape) -> int:
        return self.size * math.prod(self.output_shape(*shapes))


@dataclass(frozen=True)
class MaxPool1D(_Pool1D):
    """Maximum over windows."""

    kind: ClassVar[str] = "max_pool1d"


@dataclass(frozen=True)
class AvgPool1D(_Pool1D):
    """Mean over windows; padding does not count, as in TensorFlow."""

    kind: ClassVar[str] = "avg_pool1d"


@dataclass(frozen=True)
class _GlobalPool1D(Layer):
    keepdims: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        channels = sequence(shapes[0])[1]
        return (1, channels) if self.keepdims else (channels,)

    def flops(self, *shapes: Shape) -> int:
        return math.prod(shapes[0])


@dataclass(frozen=True)
class GlobalAvgPool1D(_GlobalPool1D):
    """Mean over all steps."""

    kind: ClassVar[str] = "global_avg_pool1d"


@dataclass(frozen=True)
class GlobalMaxPool1D(_GlobalPool1D):
    """Maximum over all steps."""

    kind: ClassVar[str] = "global_max_pool1d"
