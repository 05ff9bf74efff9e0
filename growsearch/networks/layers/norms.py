"""Normalisations: by the statistics of a batch, or of each image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from growsearch.net2net import Units, deeper_norm
from growsearch.networks.layer import (
    Array,
    Layer,
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
    in_block: ClassVar[bool] = True
    is_norm: ClassVar[bool] = True
    has_identity: ClassVar[bool] = True

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


@dataclass(frozen=True)
class LayerNorm(_NormOfImages):
    """Normalisation over the channels of each position."""

    epsilon: float = 1e-3
    scale: bool = True
    center: bool = True

    kind: ClassVar[str] = "layer_norm"

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return _balanced(units[0], "layer norm", "mean and variance")

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        return {"ln": LayerNorm(self.epsilon), **activated(activation)}


@dataclass(frozen=True)
class RMSNorm(_NormOfImages):
    """Division by the root mean square over the channels of each position, times ``gamma``.

    Source: Zhang and Sennrich, arXiv:1910.07467.
    """

    epsilon: float = 1e-6

    kind: ClassVar[str] = "rms_norm"

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        return {"gamma": Weight((shapes[0][-1],), "ones", {0: SAME_UNITS})}

    def flops(self, *shapes: Shape) -> int:
        return 4 * math.prod(shapes[0])

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        return _balanced(units[0], "RMS norm", "root mean square")

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        return {"rms": RMSNorm(self.epsilon), **activated(activation)}


@dataclass(frozen=True)
class UnitNorm(Layer):
    """Division by the length of the vector of each position's channels.

    The length counts copies, so no units pass.
    """

    kind: ClassVar[str] = "unit_norm"
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
        group = units[0].block(self.groups)
        if group is None or not group.is_balanced:
            raise TiedUnitsError(
                "group norm keeps its means and variances only if every unit is copied equally "
                f"often within its group: {units[0].old} -> {len(units[0])} units in "
                f"{self.groups} groups",
                groups=self.groups,
                balanced="group norm",
            )
        return units[0]

    def norm_like(self, width: int, activation: str) -> dict[str, Layer]:
        groups = math.gcd(self.groups, width)
        return {"gn": GroupNorm(groups, self.epsilon), **activated(activation)}


def _balanced(units: Units, norm: str, statistics: str) -> Units:
    """Return the units if every one is copied equally often, with equal shares."""
    if not units.is_balanced:
        raise TiedUnitsError(
            f"{norm} keeps its {statistics} only if every unit is copied equally often: "
            f"{units.old} -> {len(units)} units",
            balanced=norm,
        )
    return units


def activated(activation: str) -> dict[str, Layer]:
    """Return the layer behind a norm that has no activation of its own, under its ending."""
    return {} if activation == "linear" else {"act": Activation(activation)}
