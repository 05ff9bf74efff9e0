"""What a layer type answers: its output shape, its weights, and what happens to units in it."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from growsearch.net2net import Units
from growsearch.networks.activations import ACTIVATIONS

Shape = tuple[int, ...]
Fill = Literal["kernel", "bias", "zeros", "ones"]

LARGEST_SIZE = 2**31 - 1  # along one axis: TensorFlow's limit


@dataclass(frozen=True)
class Axis:
    """How one axis of a weight follows units.

    Parameters
    ----------
    role : "copy" or "split"
        Copies repeat the weight (what makes a unit), or share it (what consumes one).
    of : "in" or "out"
        The units of the layer's input, or of its output.
    repeat : int
        Consecutive entries a unit has on this axis.
    groups : int
        The axis holds one of this many equal blocks of the units (grouped convolution).
    """

    role: Literal["copy", "split"]
    of: Literal["in", "out"]
    repeat: int = 1
    groups: int = 1


@dataclass(frozen=True)
class Weight:
    """One array of a layer: its shape, how it starts, and how its axes follow units."""

    shape: Shape
    fill: Fill
    axes: Mapping[int, Axis] = field(default_factory=dict)
    fan_in: int = 0
    trainable: bool = True


class TiedUnitsError(ValueError):
    """Units do not pass as they are; ``need`` says what they must look like to pass."""

    def __init__(self, message: str, **need: Any) -> None:
        super().__init__(message)
        self.need = need


@dataclass(frozen=True)
class Layer(ABC):
    """One layer type's hyperparameters; a frozen value that knows shapes but holds no weights.

    Shapes are without the batch axis: (height, width, channels) or (features,). Errors are plain
    ValueErrors without the layer's name, which the architecture adds.
    """

    kind: ClassVar[str]
    inputs: ClassVar[tuple[int, int]] = (1, 1)  # fewest and most inputs
    is_producer: ClassVar[bool] = False  # has a width of its own

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output, given the shapes of the inputs."""
        return shapes[0]

    def weights(self, *shapes: Shape) -> dict[str, Weight]:  # noqa: ARG002
        """The layer's arrays by name."""
        return {}

    def flops(self, *shapes: Shape) -> int:
        """Floating-point operations of one image's forward pass; a multiply-add counts as two."""
        return math.prod(self.output_shape(*shapes))

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        """The units of the output, when the inputs' units are replicated as ``units`` say.

        Producers absorb units and never see this call.
        """
        del shapes
        return units[0]

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        """The units that the inputs must have for the output to have ``units``."""
        return (units,) * len(shapes)

    @property
    def width(self) -> int:
        """Units of a producer's output."""
        raise TypeError(f"{self.kind} has no width of its own")

    def widened(self, width: int) -> Layer:
        """The same layer with another width."""
        raise TypeError(f"{self.kind} has no width of its own: cannot widen to {width}")

    @property
    def mixes_units(self) -> bool:
        """Whether an output unit depends on the others beside it, as behind softmax."""
        return not ACTIVATIONS[getattr(self, "activation", "linear")].elementwise

    @property
    def needs(self) -> dict[str, Any]:
        """What a producer's own units must look like, in the terms of TiedUnitsError."""
        return {}


def check_choice(name: str, value: str, choices: Mapping[str, Any] | tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")


def check_positive(name: str, *values: int) -> None:
    """Raise ValueError unless all values are whole numbers of at least 1."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected a whole number of at least 1, got {value!r}")
        if value > LARGEST_SIZE:
            raise ValueError(f"{name}: expected at most {LARGEST_SIZE:,}, got {value!r}")


def image(shape: Shape) -> tuple[int, int, int]:
    """``shape`` as (height, width, channels)."""
    if len(shape) != 3:
        raise ValueError(f"expects images (height, width, channels), got shape {shape}")
    return shape[0], shape[1], shape[2]
