"""Functions of each unit alone, as layers: activations, with learnt slopes too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.net2net.units import Extra
from growsearch.networks.activations import ACTIVATIONS, LEAKY_RELU_SLOPE
from growsearch.networks.layer import Layer, Memory, Shape, Weight, check_choice, check_number
from growsearch.networks.layers.weights import SAME_UNITS


@dataclass(frozen=True)
class Activation(Layer):
    """A function as a layer of its own; ``slope`` is leaky ReLU's below zero."""

    function: str = "relu"
    slope: float = LEAKY_RELU_SLOPE

    kind: ClassVar[str] = "activation"
    memory: ClassVar[Memory] = "in place"
    in_block: ClassVar[bool] = True
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("function", self.function, ACTIVATIONS)
        if self.slope != LEAKY_RELU_SLOPE and self.function != "leaky_relu":
            raise ValueError(f"slope: expected leaky_relu, whose slope it is, got {self.function}")
        check_number("slope", self.slope)

    @property
    def activation(self) -> str:
        """The function, under the name that other layers have it by."""
        return self.function

    def with_activation(self, activation: str) -> Activation:
        return Activation(activation)


@dataclass(frozen=True)
class PReLU(Layer):
    """Leaky ReLU whose slope ``alpha`` is learnt (He et al., arXiv:1502.01852).

    There is one slope a channel, or with ``shared`` false one a channel and position.
    """

    shared: bool = True

    kind: ClassVar[str] = "prelu"
    memory: ClassVar[Memory] = "in place"
    in_block: ClassVar[bool] = True
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        *positions, channels = shapes[0]
        shape = (*(1 if self.shared else size for size in positions), channels)
        return {"alpha": Weight(shape, "zeros", {len(positions): SAME_UNITS})}

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])

    def activation_behind(self, before: str | None) -> str:
        """Return the activation like it that has no weights, for layers put behind this one."""
        return "leaky_relu"
