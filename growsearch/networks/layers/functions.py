"""Functions of each unit alone, as layers: activation, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from growsearch.net2net.units import Extra
from growsearch.networks.activations import ACTIVATIONS, LEAKY_RELU_SLOPE
from growsearch.networks.layer import Layer, check_choice, check_number


@dataclass(frozen=True)
class Activation(Layer):
    """A function as a layer of its own; ``slope`` is leaky ReLU's below zero."""

    function: str = "relu"
    slope: float = LEAKY_RELU_SLOPE

    kind: ClassVar[str] = "activation"
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
class Dropout(Layer):
    """In training mode a fraction ``rate`` of the units is dropped; otherwise the identity."""

    rate: float = 0.5

    kind: ClassVar[str] = "dropout"
    in_block: ClassVar[bool] = True
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("rate", self.rate, 0.0, 1.0, below=True)
