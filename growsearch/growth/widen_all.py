"""Net2Wider on every layer at once: the whole network, by one factor."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

from growsearch.checks import number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.compound import Compound, names_of
from growsearch.growth.flow import patterns_of, widening
from growsearch.growth.growth import Limits, sites_of
from growsearch.growth.widen import Widen, check_split, patterns_in, step_of
from growsearch.net2net.units import Shares
from growsearch.networks import Architecture
from growsearch.networks.layer import Layer

# All factors are taken from one grid, so that a larger factor never grows less.
_GRID = 4096  # factors an octave; neighbours are 0.02 % apart


@dataclass(frozen=True)
class WidenAll(Compound):
    """Give each of ``layers`` its width of ``widths``: :class:`Widen`, one after the other.

    One wider layer often gains nothing while the layers around it stay narrow, and a brief
    training does not show its worth. So widths are also scaled together, as by MobileNet's width
    multiplier (Howard et al., arXiv:1704.04861).

    Parameters
    ----------
    layers : sequence of str
        Layers with a width of their own, not the output, none of them tied to another.
    widths : sequence of int
        Units of each after widening.
    zero_sum : float
    split : "equal", "random", "new" or None
        As of :class:`Widen`.
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    zero_sum: float = 0.0
    split: Shares | None = None

    operation: ClassVar[str] = "widen_all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", names_of("layers", self.layers))
        object.__setattr__(self, "widths", widths_of(self.layers, self.widths))
        object.__setattr__(self, "zero_sum", number("zero_sum", self.zero_sum, 0.0))
        check_split(self.split, self.zero_sum)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return one site where at least two layers may widen, each by its smallest step."""
        layers = tuple(site.place for site in sites_of(Widen, architecture, limits))
        found = scaled(architecture, layers, 0.0, limits)
        if found is None or len(found.widths) < 2:
            return ()
        return (cls(tuple(found.widths), tuple(found.widths.values())),)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        """Widen each layer by the largest legal factor up to the given one, by a step at least."""

        def widths(factor: float) -> tuple[int, ...] | None:
            found = scaled(architecture, self.layers, factor, limits)
            if found is None or tuple(found.widths) != self.layers:
                return None
            return tuple(found.widths.values())

        return replace(self, widths=largest(log2_factor, widths) or self.widths)

    @property
    def steps(self) -> tuple[Widen, ...]:
        return tuple(
            Widen(layer, width, split=self.split, zero_sum=self.zero_sum)
            for layer, width in zip(self.layers, self.widths, strict=True)
        )

    @property
    def place(self) -> str:
        """The first of the layers."""
        return self.layers[0]

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        before = (architecture[layer].layer.width for layer in self.layers)
        return "-".join(map(str, before)), "-".join(map(str, self.widths))

    def __str__(self) -> str:
        widths = ", ".join(f"{step.layer} {step.width}" for step in self.steps)
        noise = f", zero_sum {self.zero_sum}" if self.zero_sum else ""
        split = f", {self.split}" if self.split else ""
        return f"{self.operation}({widths}{split}{noise})"


def widths_of(layers: Sequence[str], widths: Any) -> tuple[int, ...]:
    """Return the widths of the layers, as JSON or a caller gave them."""
    if not isinstance(widths, list | tuple):
        raise InvalidInputError(f"widths: expected a list, got {widths!r}")
    if len(layers) != len(widths):
        raise InvalidInputError(
            f"widths: expected one for each layer, got {len(widths)} for {len(layers)}"
        )
    # Widen says what is wrong with a width.
    return tuple(Widen(layer, width).width for layer, width in zip(layers, widths, strict=True))


@dataclass(frozen=True)
class Scaled:
    """The widths of layers that grew by one factor, by name, and the graph with them."""

    widths: Mapping[str, int]
    architecture: Architecture


@lru_cache(maxsize=16)
def scaled(
    architecture: Architecture, layers: tuple[str, ...], log2_factor: float, limits: Limits
) -> Scaled | None:
    """Return the widths of all layers by one factor, by a step at least; None if not legal.

    A layer that has grown with one before it is left out. Steps are those of the graph as far as it
    has grown: a wider layer may leave the next one with other exact widths.
    """
    wider, widths = architecture, dict[str, int]()
    alone = dict[str, Layer]()  # layers that widen at once, since each is free
    for layer in layers:
        before = architecture[layer].layer
        if wider[layer].layer.width != before.width:
            continue
        patterns = patterns_in(architecture).get(layer, ())
        is_free = any(pattern.is_free for pattern in patterns)
        try:
            if not is_free:
                wider, alone = wider.with_layers(alone), {}
                patterns = patterns_of(wider, layer)
            step = step_of(wider, layer, patterns, limits)
            least = (before.width // step + 1) * step
            widths[layer] = max(least, round(before.width * 2.0**log2_factor / step) * step)
            if is_free:
                alone[layer] = before.widened(widths[layer])
            else:
                wider = widening(wider, layer, widths[layer], patterns).after
        except NotExactError:
            return None
    wider = wider.with_layers(alone)
    return Scaled(widths, wider) if limits.allow_growth(architecture, wider) else None


def largest(
    log2_factor: float, widths: Callable[[float], tuple[int, ...] | None]
) -> tuple[int, ...] | None:
    """Return the widths at the largest legal factor up to the given one, or None.

    ``widths`` gives those at a factor, or None; beyond an illegal factor none is legal.
    """
    last = max(math.floor(log2_factor * _GRID), 0)
    if (found := widths(last / _GRID)) is None:
        # Widths rise with the factor, and legality falls off with them (width_step): bisect.
        illegal = bisect_left(range(last), True, key=lambda grid: widths(grid / _GRID) is None)
        found = widths((illegal - 1) / _GRID) if illegal else None
    return found
