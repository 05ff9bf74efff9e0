"""The layer types: frozen specifications, one class each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal

from growsearch.net2net import Units
from growsearch.networks.activations import ACTIVATIONS, LEAKY_RELU_SLOPE
from growsearch.networks.layer import (
    Axis,
    Layer,
    Shape,
    TiedUnitsError,
    Weight,
    check_choice,
    check_positive,
    image,
)

Pair = tuple[int, int]
Padding = Literal["same", "valid"]
PADDINGS = ("same", "valid")

# A power of two close to Keras' 1e-3: variances with a float32 gamma² - epsilon exist for it, so
# that a new batch normalisation can be an exact identity (see growth/deepen.py).
EPSILON = 2.0**-10

OUT = Axis("copy", "out")
SAME_UNITS = Axis("copy", "in")


def _window(size: int, kernel: int, stride: int, padding: str, dilation: int = 1) -> int:
    """Positions of a window along one axis of ``size`` pixels."""
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        return -(-size // stride)
    if size < reach:
        raise ValueError(f"expects at least {reach} pixels along each axis, got {size}")
    return (size - reach) // stride + 1


def padding_before(size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Pixels that ``same`` padding puts before an axis; the odd one goes to the end."""
    reach = (kernel - 1) * dilation + 1
    return max((-(-size // stride) - 1) * stride + reach - size, 0) // 2


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected: ``activation(x @ kernel + bias)``; kernel (in, units)."""

    units: int
    activation: str = "relu"
    use_bias: bool = True

    kind: ClassVar[str] = "dense"
    is_producer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive("units", self.units)
        check_choice("activation", self.activation, ACTIVATIONS)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 1:
            raise ValueError(f"expects flattened features, got shape {shapes[0]}")
        return (self.units,)

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        (features,) = shapes[0]
        axes = {0: Axis("split", "in"), 1: OUT}
        kernel = Weight((features, self.units), "kernel", axes, features)
        return _with_bias({"kernel": kernel}, self.units, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        return 2 * shapes[0][0] * self.units

    @property
    def width(self) -> int:
        return self.units

    def widened(self, width: int) -> Dense:
        return replace(self, units=width)


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
        check_positive("filters", self.filters, self.groups)
        _check_window(self.kernel, self.stride, self.padding, self.dilation)
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
            _window(height, self.kernel[0], self.stride[0], self.padding, self.dilation[0]),
            _window(width, self.kernel[1], self.stride[1], self.padding, self.dilation[1]),
            self.filters,
        )

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2] // self.groups
        axes = {2: Axis("split", "in", groups=self.groups), 3: OUT}
        shape = (*self.kernel, channels, self.filters)
        kernel = Weight(shape, "kernel", axes, math.prod(self.kernel) * channels)
        return _with_bias({"kernel": kernel}, self.filters, self.use_bias)

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
        check_positive("filters and multiplier", self.filters, self.multiplier)
        _check_window(self.kernel, self.stride, self.padding)
        _check_equal(self.stride)
        check_choice("activation", self.activation, ACTIVATIONS)

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, _ = image(shapes[0])
        return (
            _window(height, self.kernel[0], self.stride[0], self.padding),
            _window(width, self.kernel[1], self.stride[1], self.padding),
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
        return _with_bias(both, self.filters, self.use_bias)

    def flops(self, *shapes: Shape) -> int:
        weights = self.weights(*shapes)
        per_position = sum(math.prod(weights[name].shape) for name in ("depthwise", "pointwise"))
        return 2 * per_position * math.prod(self.output_shape(*shapes)[:2])

    @property
    def width(self) -> int:
        return self.filters

    def widened(self, width: int) -> SeparableConv:
        return replace(self, filters=width)


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
        check_positive("multiplier", self.multiplier)
        _check_window(self.kernel, self.stride, self.padding)
        _check_equal(self.stride)
        check_choice("activation", self.activation, ACTIVATIONS)

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, channels = image(shapes[0])
        return (
            _window(height, self.kernel[0], self.stride[0], self.padding),
            _window(width, self.kernel[1], self.stride[1], self.padding),
            channels * self.multiplier,
        )

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        channels = shapes[0][2]
        shape = (*self.kernel, channels, self.multiplier)
        kernel = Weight(shape, "kernel", {2: SAME_UNITS}, math.prod(self.kernel))
        return _with_bias({"kernel": kernel}, channels * self.multiplier, self.use_bias)

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


@dataclass(frozen=True)
class BatchNorm(Layer):
    """``gamma · (x - mean) / sqrt(variance + epsilon) + beta`` per channel, then the activation.

    In training mode mean and variance are the batch's, and the moving ones follow with
    ``momentum``; both moving statistics are weights, so that they grow and travel like weights.
    Without ``scale`` gamma is 1, without ``center`` beta is 0.
    """

    epsilon: float = EPSILON
    momentum: float = 0.99
    activation: str = "linear"
    scale: bool = True
    center: bool = True

    kind: ClassVar[str] = "batch_norm"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)
        if not 0.0 < self.epsilon < 1.0 or not 0.0 <= self.momentum < 1.0:
            raise ValueError(
                "epsilon and momentum: expected 0 < epsilon < 1 and 0 <= momentum < 1, "
                f"got {self.epsilon!r} and {self.momentum!r}"
            )

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        shape, axes = (shapes[0][-1],), {0: SAME_UNITS}
        weights = {
            "gamma": Weight(shape, "ones", axes),
            "beta": Weight(shape, "zeros", axes),
            "mean": Weight(shape, "zeros", axes, trainable=False),
            "variance": Weight(shape, "ones", axes, trainable=False),
        }
        absent = {"gamma": not self.scale, "beta": not self.center}
        return {name: weight for name, weight in weights.items() if not absent.get(name)}

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalisation over the channels of each position, with ``gamma`` and ``beta``."""

    epsilon: float = 1e-3

    kind: ClassVar[str] = "layer_norm"

    def __post_init__(self) -> None:
        if not 0.0 < self.epsilon < 1.0:
            raise ValueError(f"epsilon: expected 0 < epsilon < 1, got {self.epsilon!r}")

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        shape, axes = (shapes[0][-1],), {0: SAME_UNITS}
        return {"gamma": Weight(shape, "ones", axes), "beta": Weight(shape, "zeros", axes)}

    def flops(self, *shapes: Shape) -> int:
        return 5 * math.prod(shapes[0])

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        del shapes
        if not units[0].is_balanced:
            raise TiedUnitsError(
                "layer norm keeps its mean and variance only if every unit is copied equally "
                f"often: {units[0].old} -> {len(units[0])} units",
                balanced=True,
            )
        return units[0]


@dataclass(frozen=True)
class _Pool(Layer):
    size: Pair = (2, 2)
    stride: Pair | None = None
    padding: Padding = "same"

    def __post_init__(self) -> None:
        _check_window(self.size, self.strides, self.padding)

    @property
    def strides(self) -> Pair:
        """The stride, which is the size where none is given."""
        return self.stride or self.size

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, channels = image(shapes[0])
        return (
            _window(height, self.size[0], self.strides[0], self.padding),
            _window(width, self.size[1], self.strides[1], self.padding),
            channels,
        )

    def flops(self, *shapes: Shape) -> int:
        return math.prod(self.size) * math.prod(self.output_shape(*shapes))


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Maximum over windows."""

    kind: ClassVar[str] = "max_pool"


@dataclass(frozen=True)
class AvgPool(_Pool):
    """Mean over windows; padding does not count, as in TensorFlow."""

    kind: ClassVar[str] = "avg_pool"


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


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    """Maximum over all positions."""

    kind: ClassVar[str] = "global_max_pool"


@dataclass(frozen=True)
class Flatten(Layer):
    """Images to features, channels last: index (y·width + x)·channels + c."""

    kind: ClassVar[str] = "flatten"

    def output_shape(self, *shapes: Shape) -> Shape:
        return (math.prod(shapes[0]),)

    def flops(self, *shapes: Shape) -> int:
        del shapes
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return units[0].expand(before=math.prod(shapes[0][:-1]))

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        positions = math.prod(shapes[0][:-1])
        inner = units.block(positions)
        if inner is None:
            raise TiedUnitsError(
                f"units behind a flatten are tied to {positions} positions", groups=positions
            )
        return (inner,)


@dataclass(frozen=True)
class ZeroPad(Layer):
    """Zeros around images, as wide as given on each side."""

    top: int
    bottom: int
    left: int
    right: int

    kind: ClassVar[str] = "zero_pad"

    def __post_init__(self) -> None:
        sides = (self.top, self.bottom, self.left, self.right)
        if not all(type(side) is int and side >= 0 for side in sides):
            raise ValueError(f"expects whole numbers of at least 0 for the sides, got {sides}")

    def output_shape(self, *shapes: Shape) -> Shape:
        height, width, channels = image(shapes[0])
        return height + self.top + self.bottom, width + self.left + self.right, channels


@dataclass(frozen=True)
class Dropout(Layer):
    """In training mode a fraction ``rate`` of the units is dropped; otherwise the identity."""

    rate: float = 0.5

    kind: ClassVar[str] = "dropout"

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate < 1.0:
            raise ValueError(f"rate: expected 0 <= rate < 1, got {self.rate!r}")


@dataclass(frozen=True)
class Activation(Layer):
    """A function as a layer of its own; ``slope`` is leaky ReLU's below zero."""

    function: str = "relu"
    slope: float = LEAKY_RELU_SLOPE

    kind: ClassVar[str] = "activation"

    def __post_init__(self) -> None:
        check_choice("function", self.function, ACTIVATIONS)
        if self.slope != LEAKY_RELU_SLOPE and self.function != "leaky_relu":
            raise ValueError(f"slope: expected leaky_relu, whose slope it is, got {self.function}")
        if not math.isfinite(self.slope):
            raise ValueError(f"slope: expected a finite number, got {self.slope!r}")

    @property
    def activation(self) -> str:
        """The function, under the name that other layers have it by."""
        return self.function


@dataclass(frozen=True)
class Add(Layer):
    """Elementwise sum of branches: ties their units together."""

    activation: str = "linear"

    kind: ClassVar[str] = "add"
    inputs: ClassVar[tuple[int, int]] = (2, 1_000)

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) != 1:
            raise ValueError(f"expects inputs of one shape, got {', '.join(map(str, shapes))}")
        return shapes[0]

    def flops(self, *shapes: Shape) -> int:
        return len(shapes) * math.prod(shapes[0])

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        del shapes
        return max(units, key=len)  # the branch that widens; the others are required to follow


@dataclass(frozen=True)
class Concat(Layer):
    """Concatenation along the channels."""

    kind: ClassVar[str] = "concat"
    inputs: ClassVar[tuple[int, int]] = (2, 1_000)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len({shape[:-1] for shape in shapes}) != 1:
            raise ValueError(
                f"expects inputs that differ in channels only, got {', '.join(map(str, shapes))}"
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def flops(self, *shapes: Shape) -> int:
        del shapes
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        del shapes
        return Units.concatenate(list(units))

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        edges = [sum(shape[-1] for shape in shapes[:i]) for i in range(len(shapes) + 1)]
        parts = []
        for low, high in pairwise(edges):
            mine = (units.source >= low) & (units.source < high)
            parts.append(Units(units.source[mine] - low, units.share[mine], high - low))
        if Units.concatenate(parts) != units:
            raise TiedUnitsError(
                "units behind a concatenation are tied to its branches", cuts=tuple(edges[1:-1])
            )
        return tuple(parts)


LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Dense,
        Conv,
        SeparableConv,
        DepthwiseConv,
        BatchNorm,
        LayerNorm,
        MaxPool,
        AvgPool,
        GlobalAvgPool,
        GlobalMaxPool,
        Flatten,
        ZeroPad,
        Dropout,
        Activation,
        Add,
        Concat,
    )
}


def _with_bias(weights: dict[str, Weight], width: int, use_bias: bool) -> dict[str, Weight]:
    return {**weights, "bias": Weight((width,), "bias", {0: OUT})} if use_bias else weights


def _check_equal(stride: Pair) -> None:
    if stride[0] != stride[1]:  # TensorFlow has no kernel for anything else
        raise ValueError(f"depthwise: expects equal strides, got {stride}")


def _check_window(kernel: Pair, stride: Pair, padding: str, dilation: Pair = (1, 1)) -> None:
    check_positive("kernel, stride and dilation", *kernel, *stride, *dilation)
    check_choice("padding", padding, PADDINGS)
    if max(stride) > 1 and max(dilation) > 1:
        raise ValueError(f"expects stride 1 with dilation, got {stride} and {dilation}")
