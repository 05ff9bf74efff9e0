"""The layer type: its answers about shapes, weights, units, and its place among others."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from typing import Any, ClassVar, Literal, Self, get_type_hints

from numpy.typing import NDArray

from growsearch import checks
from growsearch.net2net import Units
from growsearch.net2net.units import Extra
from growsearch.networks.activations import ACTIVATIONS

Shape = tuple[int, ...]
Pair = tuple[int, int]
Padding = Literal["same", "valid"]
Fill = Literal["kernel", "bias", "zeros", "ones"]
Memory = Literal["own", "in place", "shared"]
Array = NDArray[Any]

LARGEST_SIZE = 2**31 - 1  # along one axis: TensorFlow's limit

check_choice = partial(checks.check_choice, error=ValueError)
check_number = partial(checks.number, error=ValueError)


@dataclass(frozen=True)
class Axis:
    """The way in which one axis of a weight follows units.

    Parameters
    ----------
    role : "copy" or "split"
        "copy": the copies of a unit repeat its weight, in the layer that makes the unit.
        "split": they share its weight, in a layer that consumes the unit.
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
    """One array of a layer: its shape, its first values, and how its axes follow units."""

    shape: Shape
    fill: Fill
    axes: Mapping[int, Axis] = field(default_factory=dict)
    fan_in: int = 0
    trainable: bool = True


@dataclass(frozen=True)
class Window:
    """A window that moves over images; ``weight`` names the array of a convolution's kernel."""

    weight: str
    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair = (1, 1)


class TiedUnitsError(ValueError):
    """Units do not pass a layer; ``need`` is the pattern with which they would.

    Parameters
    ----------
    message : str
    **need
        ``groups``: the number of equal blocks in which the units stand, each widened alike.
        ``balanced``: the kind of layer that needs each unit copied equally often.
        ``cuts``: the indices that no unit crosses, where branches meet.
        ``extra``: the values of the extra units, as of ``Units``.
        ``blocks``: the number of neighbouring units that are copied together.
    alternatives : sequence of dict
        Other patterns with which they would.
    """

    def __init__(
        self, message: str, *, alternatives: Sequence[Mapping[str, Any]] = (), **need: Any
    ) -> None:
        super().__init__(message)
        self.need = need
        self.alternatives = tuple(alternatives)


@dataclass(frozen=True)
class Layer(ABC):
    """One layer type's hyperparameters; a frozen value that knows shapes but holds no weights.

    Shapes are without the batch axis: (height, width, channels) or (features,). Whole numbers
    among the options may be numpy's; they are stored as Python's. Errors are plain ValueErrors
    without the layer's name, which the architecture adds.
    """

    kind: ClassVar[str]
    inputs: ClassVar[tuple[int, int]] = (1, 1)  # fewest and most inputs
    width_option: ClassVar[str] = ""  # the option with a producer's width
    least: ClassVar[int] = 1  # of each option that is a whole number

    def __post_init__(self) -> None:
        if "activation" in options(type(self)):
            check_choice("activation", getattr(self, "activation"), ACTIVATIONS)  # noqa: B009
        for name, (count, is_optional) in _sizes(type(self)).items():
            value = getattr(self, name)
            if value is None and is_optional:
                continue
            if count == 1:
                object.__setattr__(self, name, self._size(name, value))
            else:
                if not isinstance(value, tuple | list) or (count and len(value) != count):
                    numbers = "two whole numbers" if count else "whole numbers"
                    raise ValueError(f"{name}: expected {numbers}, got {value!r}")
                object.__setattr__(self, name, tuple(self._size(name, each) for each in value))

    def _size(self, name: str, value: Any) -> int:
        size = checks.whole_number(name, value, self.least, error=ValueError)
        if size > LARGEST_SIZE:
            raise ValueError(f"{name}: expected at most {LARGEST_SIZE:,}, got {value!r}")
        return size

    # -- shapes and weights ----------------------------------------------------------------------

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of the output, given the shapes of the inputs."""
        return shapes[0]

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        """Return the layer's arrays by name."""
        return {}

    def flops(self, *shapes: Shape) -> int:
        """Count the floating-point operations of one image; a multiply-add counts as two."""
        return math.prod(self.output_shape(*shapes))

    # Of the output: its own; that of the input, where no other layer reads it; or that of the
    # input in any case, as the values are the same.
    memory: ClassVar[Memory] = "own"

    def between(self, *shapes: Shape) -> Shape:
        """Return the shape of the values that the layer holds between input and output, or ()."""
        return ()

    # -- units -----------------------------------------------------------------------------------

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        """Return the units of the output, when the inputs' units are replicated as given.

        Producers absorb units and never see this call.

        Raises
        ------
        TiedUnitsError
            When the layer does not pass such units on.
        """
        return units[0]

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        """Return the units that the inputs must have for the output to have ``units``.

        Raises
        ------
        TiedUnitsError
            When no units of the inputs give these.
        """
        return (units,) * len(shapes)

    ties_inputs: ClassVar[bool] = True  # False where several inputs widen each by itself
    passed_extras: ClassVar[tuple[Extra, ...]] = ()  # the extra units that pass, beside copies

    def seen(self, units: Units) -> Units:
        """Return an input's units as the layer treats them: what it cannot use is left out."""
        return units if units.extra in self.passed_extras else units.with_extra("copies")

    def behind(self, units: Units) -> Units:
        """Return the units behind the layer's activation, of those in front of it."""
        name = getattr(self, "activation", "linear")
        if units.extra == "copies" or name == "linear":
            return units
        is_kept = units.extra == "zero" and ACTIVATIONS[name].keeps_zero
        return units if is_kept else units.with_extra("copies")

    def can_give(self, units: Units) -> bool:
        """Return whether the extra units of the output may be means, or zeros, as these are."""
        return self.behind(units) == units and (
            self.is_producer or units.extra in self.passed_extras
        )

    def fitted(self, units: Units) -> Self:
        """Return the layer for an input with these units: a norm may change with their number."""
        return self

    def factor(self, weight: str, units: Units) -> float:
        """Return the factor of a weight of the input's units, when these have extra ones."""
        return 1.0

    @property
    def is_producer(self) -> bool:
        """True if the layer has a width of its own."""
        return bool(self.width_option)

    @property
    def width(self) -> int:
        """Units of a producer's output."""
        if not self.is_producer:
            raise TypeError(f"{self.kind} has no width of its own")
        return int(getattr(self, self.width_option))

    def widened(self, width: int) -> Self:
        """Return the same producer with another width."""
        return replace(self, **{self.width_option: width})

    @property
    def mixes_units(self) -> bool:
        """True if an output unit depends on the others beside it, as behind softmax."""
        return not ACTIVATIONS[getattr(self, "activation", "linear")].elementwise

    @property
    def needs(self) -> dict[str, Any]:
        """The pattern of a producer's own units, in the terms of TiedUnitsError."""
        return {}

    # -- its place among other layers ------------------------------------------------------------

    in_block: ClassVar[bool] = False  # belongs to the block of the layer in front of it
    is_norm: ClassVar[bool] = False  # normalises; has norm_like
    has_identity: ClassVar[bool] = False  # a norm that can be the identity; has identity
    centre: ClassVar[str] = ""  # the array, one value a channel, that is subtracted from the input

    def activation_behind(self, before: str | None) -> str | None:
        """Return the last activation before the output; None if a norm changed its values since.

        ``before`` is the last activation before the input.
        """
        activation: str | None = getattr(self, "activation", before)
        return activation

    def with_activation(self, activation: str) -> Layer:
        """Return the same layer with another activation."""
        return replace(self, **{"activation": activation})

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        """Return layers that normalise ``width`` other units as this norm does, then activate.

        Each stands under an ending for its name.
        """
        raise TypeError(f"{self.kind} is no norm")

    def identity(self, mean: Array, variance: Array, scale: float) -> dict[str, Array]:
        """Return the weights, in the dtype of ``mean``, of a norm that divides by ``scale``.

        The layer in front multiplies by it; together they are the identity in evaluation mode.
        Mean and variance of that layer's input have the shape (width,).
        """
        raise TypeError(f"{self.kind} cannot be the identity")

    def follower(self, activation: str, *, use_bias: bool) -> Layer | None:
        """Return a layer of the same type and width that can be an identity, or None."""
        return None

    @property
    def branch_kernels(self) -> tuple[int | None, ...]:
        """Kernels of a branch beside the layer, the preferred one first; none where it has none."""
        return ()

    def beside(self, units: int, kernel: int | None, activation: str, *, use_bias: bool) -> Layer:
        """Return a layer to read the same input beside this one, with a kernel or this one's."""
        raise TypeError(f"{self.kind} has no branches")

    @property
    def window(self) -> Window | None:
        """The window of a convolution with weights; None for every other layer."""
        return None

    def with_kernel(self, kernel: Pair) -> Layer:
        """Return the same convolution with a kernel of another size."""
        raise TypeError(f"{self.kind} has no kernel")


@cache
def options(layer: type[Layer]) -> Mapping[str, Any]:
    """Return the options of a layer type: name -> type of its values."""
    hints = get_type_hints(layer)
    return {option.name: hints[option.name] for option in fields(layer)}


@cache
def _sizes(layer: type[Layer]) -> Mapping[str, tuple[int, bool]]:
    """Return the options that are whole numbers: name -> how many, and whether None is another.

    There are 0 of those of which there may be any number.
    """
    kinds: dict[Any, tuple[int, bool]] = {
        **{int: (1, False), int | None: (1, True)},
        **{Pair: (2, False), Pair | None: (2, True), Shape: (0, False)},
    }
    return {name: kinds[hint] for name, hint in options(layer).items() if hint in kinds}


def image(shape: Shape) -> tuple[int, int, int]:
    """Return ``shape`` as (height, width, channels)."""
    if len(shape) != 3:
        raise ValueError(f"expects images (height, width, channels), got shape {shape}")
    return shape[0], shape[1], shape[2]
