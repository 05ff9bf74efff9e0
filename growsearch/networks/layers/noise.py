"""Layers that are random in training and the identity in evaluation mode."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from growsearch.net2net.units import Extra
from growsearch.networks.layer import Layer, Memory, Shape, check_choice, check_number

Together = Literal["units", "channels", "images"]
TOGETHER: tuple[Together, ...] = ("units", "channels", "images")


@dataclass(frozen=True)
class _Noise(Layer):
    in_block: ClassVar[bool] = True
    memory: ClassVar[Memory] = "shared"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean", "zero")


@dataclass(frozen=True)
class _Drop(_Noise):
    rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("rate", self.rate, 0.0, 1.0, below=True)


@dataclass(frozen=True)
class Dropout(_Drop):
    """A fraction ``rate`` of the values is dropped, and the rest grows by 1 / (1 - rate).

    ``together`` names what is dropped as a whole: each value alone, all positions of a channel
    (spatial dropout), or all of an image (the stochastic depth of Huang et al., arXiv:1603.09382,
    where a sum follows).
    """

    together: Together = "units"

    kind: ClassVar[str] = "dropout"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("together", self.together, TOGETHER)


@dataclass(frozen=True)
class AlphaDropout(_Drop):
    """Dropout to SELU's lower limit, which keeps mean and variance (arXiv:1706.02515)."""

    kind: ClassVar[str] = "alpha_dropout"


@dataclass(frozen=True)
class GaussianDropout(_Drop):
    """Factors with mean 1 and variance rate / (1 - rate)."""

    kind: ClassVar[str] = "gaussian_dropout"


@dataclass(frozen=True)
class GaussianNoise(_Noise):
    """Normal noise with a standard deviation is added."""

    deviation: float = 0.1

    kind: ClassVar[str] = "gaussian_noise"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("deviation", self.deviation, 0.0, 1.0)


@dataclass(frozen=True)
class Carried(_Noise):
    """A layer of Keras that augments images in Keras' own trainings, and is the identity here.

    ``of`` is the name of its class, ``options`` its arguments as JSON text. Trainings here augment
    images as their plan says.
    """

    of: str
    options: str = "{}"

    kind: ClassVar[str] = "carried"
    in_block: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.of.isidentifier():
            raise ValueError(f"of: expected the name of a class, got {self.of!r}")
        _ = self.arguments

    @property
    def arguments(self) -> dict[str, Any]:
        """The options, parsed."""
        try:
            arguments = json.loads(self.options)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise ValueError(f"options: expected an object as JSON text, got {self.options!r}")
        return arguments

    def flops(self, *shapes: Shape) -> int:
        return 0
