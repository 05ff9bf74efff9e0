"""Normalisations: by the statistics of a batch, or of each image."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from growsearch.net2net import Units, deeper_norm
from growsearch.net2net.norm import stretch
from growsearch.net2net.units import Extra
from growsearch.networks.layer import (
    Array,
    Layer,
    Memory,
    Shape,
    TiedUnitsError,
    Weight,
    check_number,
)
from growsearch.networks.layers.functions import Activation
from growsearch.networks.layers.weights import SAME_UNITS

# A power of two close to Keras' 1e-3: variances with a float32 gamma² - epsilon exist for it, so
# that a new batch normalisation can be an exact identity (see growth/deepen.py).
EPSILON = 2.0**-10


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
    memory: ClassVar[Memory] = "in place"
    in_block: ClassVar[bool] = True
    is_norm: ClassVar[bool] = True
    has_identity: ClassVar[bool] = True
    centre: ClassVar[str] = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("epsilon", self.epsilon, 0.0, 1.0, above=True, below=True)
        check_number("momentum", self.momentum, 0.0, 1.0, below=True)

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

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        return {"bn": BatchNorm(momentum=self.momentum, activation=activation)}

    def identity(self, mean: Array, variance: Array, scale: float) -> dict[str, Array]:
        weights = deeper_norm(mean, variance, epsilon=self.epsilon, scale=scale)
        return dict(zip(("gamma", "beta", "mean", "variance"), weights, strict=True))


class _NormOfImages(Layer):
    """A norm by the statistics of each image, with ``gamma`` and ``beta`` per channel.

    Without ``scale`` gamma is 1, without ``center`` beta is 0.
    """

    epsilon: float
    scale: bool
    center: bool

    in_block: ClassVar[bool] = True
    is_norm: ClassVar[bool] = True
    memory: ClassVar[Memory] = "in place"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("epsilon", self.epsilon, 0.0, 1.0, above=True, below=True)

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        shape, axes = (shapes[0][-1],), {0: SAME_UNITS}
        gamma = {"gamma": Weight(shape, "ones", axes)} if self.scale else {}
        beta = {"beta": Weight(shape, "zeros", axes)} if self.center else {}
        return {**gamma, **beta}

    def flops(self, *shapes: Shape) -> int:
        return 5 * math.prod(shapes[0])

    def activation_behind(self, before: str | None) -> None:
        """Return none: a normalised ReLU is no ReLU."""


class _NormOfPositions(_NormOfImages):
    """A norm over the channels of each position: every unit is copied equally often, or none.

    To widths that are no multiple, extra units are added that leave the statistics as they are but
    for a factor: means or zeros, as ``neutral`` says. They are normalised to 0.
    """

    neutral: ClassVar[Extra]
    words: ClassVar[str]
    statistics: ClassVar[str]

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        if units[0].extra == self.neutral and "gamma" in self.weights(*shapes):
            return units[0].with_extra("zero")
        if not units[0].is_balanced:
            raise TiedUnitsError(
                f"{self.words} keeps its {self.statistics} only if every unit is copied equally "
                f"often: {units[0].old} -> {len(units[0])} units",
                balanced=self.words,
                alternatives=({"extra": self.neutral},),
            )
        return units[0]

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        return (units.with_extra(self.neutral) if units.extra == "zero" else units,)

    def can_give(self, units: Units) -> bool:
        return units.extra == "zero"

    def fitted(self, units: Units) -> Self:
        if units.extra != self.neutral:
            return self
        return replace(self, **{"epsilon": self.epsilon * stretch(units)})

    def factor(self, weight: str, units: Units) -> float:
        return stretch(units) ** 0.5 if (weight, units.extra) == ("gamma", self.neutral) else 1.0


@dataclass(frozen=True)
class LayerNorm(_NormOfPositions):
    """Normalisation over the channels of each position."""

    epsilon: float = 1e-3
    scale: bool = True
    center: bool = True

    kind: ClassVar[str] = "layer_norm"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("mean",)
    neutral: ClassVar[Extra] = "mean"
    words: ClassVar[str] = "layer norm"
    statistics: ClassVar[str] = "mean and variance"

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        return {"ln": LayerNorm(self.epsilon), **activated(activation)}


@dataclass(frozen=True)
class RMSNorm(_NormOfPositions):
    """Division by the root mean square over the channels of each position, times ``gamma``.

    Source: Zhang and Sennrich, arXiv:1910.07467.
    """

    epsilon: float = 1e-6

    kind: ClassVar[str] = "rms_norm"
    passed_extras: ClassVar[tuple[Extra, ...]] = ("zero",)
    neutral: ClassVar[Extra] = "zero"
    words: ClassVar[str] = "RMS norm"
    statistics: ClassVar[str] = "root mean square"

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        return {"gamma": Weight((shapes[0][-1],), "ones", {0: SAME_UNITS})}

    def flops(self, *shapes: Shape) -> int:
        return 4 * math.prod(shapes[0])

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        return {"rms": RMSNorm(self.epsilon), **activated(activation)}


@dataclass(frozen=True)
class UnitNorm(Layer):
    """Division by the length of the vector of each position's channels.

    The length counts copies, so no units pass.
    """

    kind: ClassVar[str] = "unit_norm"
    memory: ClassVar[Memory] = "in place"
    least_square: ClassVar[float] = 1e-12  # of the length by which it divides, as in Keras

    def flops(self, *shapes: Shape) -> int:
        return 3 * math.prod(shapes[0])

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        raise TiedUnitsError("a division by the length of all channels counts each copy")

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        return (self.through((units,)),)


@dataclass(frozen=True)
class GroupNorm(_NormOfImages):
    """Normalisation over all positions and the channels of each of ``groups`` equal groups.

    Source: Wu and He, arXiv:1803.08494.
    """

    groups: int
    epsilon: float = 1e-3
    scale: bool = True
    center: bool = True

    kind: ClassVar[str] = "group_norm"

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0][-1] % self.groups:
            raise ValueError(
                f"expects channels in {self.groups} equal groups, got {shapes[0][-1]} channels"
            )
        return shapes[0]

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        size = units[0].old // self.groups
        if not self._keeps_groups(units[0]) and not self._adds_groups(units[0]):
            raise TiedUnitsError(
                "group norm keeps its means and variances only if every unit is copied equally "
                f"often within its group: {units[0].old} -> {len(units[0])} units in "
                f"{self.groups} groups",
                groups=self.groups,
                balanced="group norm",
                alternatives=({"blocks": size},) if size > 1 else (),
            )
        return units[0]

    def _keeps_groups(self, units: Units) -> bool:
        group = units.block(self.groups)
        return group is not None and group.is_balanced

    def _adds_groups(self, units: Units) -> bool:
        """Return whether the extra units are copies of whole groups, with statistics alike."""
        size = units.old // self.groups
        return size > 1 and units.repeats_blocks(size)

    def fitted(self, units: Units) -> Self:
        if self._keeps_groups(units) or not self._adds_groups(units):
            return self
        return replace(self, groups=len(units) * self.groups // units.old)

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        groups = math.gcd(self.groups, width)
        return {"gn": GroupNorm(groups, self.epsilon), **activated(activation)}


def activated(activation: str) -> dict[str, Layer]:
    """Return the layer behind a norm that has no activation of its own, under its ending."""
    return {} if activation == "linear" else {"act": Activation(activation)}
