"""Net2Wider on every layer at once: the whole network, by one factor."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.widen import Widen, width_step
from growsearch.networks import Architecture, Network

# All factors are taken from one grid, so that a larger factor never grows less.
_GRID = 4096  # factors an octave; neighbours are 0.02 % apart


@dataclass(frozen=True)
class WidenAll(Growth):
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
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]

    operation: ClassVar[str] = "widen_all"

    def __post_init__(self) -> None:
        for name in ("layers", "widths"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple):
                raise InvalidInputError(f"{name}: expected a list, got {value!r}")
            object.__setattr__(self, name, tuple(value))  # JSON has lists
        if not self.layers or len(self.layers) != len(self.widths):
            raise InvalidInputError(
                f"widths: expected one for each layer, of which there is at least one, got "
                f"{len(self.widths)} for {len(self.layers)}"
            )
        if not all(isinstance(layer, str) for layer in self.layers):
            raise InvalidInputError(f"layers: expected names of layers, got {self.layers!r}")
        for layer, width in self._widths.items():
            Widen(layer, width)  # says what is wrong with a width

    @property
    def _widths(self) -> dict[str, int]:
        return dict(zip(self.layers, self.widths, strict=True))

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return one site where at least two layers may widen, each by its smallest step."""
        layers = [site.layer for site in Widen.sites(architecture, limits)]
        widths = _scaled(architecture, layers, 0.0, limits)
        if widths is None or len(widths) < 2:
            return ()
        return (cls(tuple(widths), tuple(widths.values())),)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        """Widen each layer by the largest legal factor up to the given one, by a step at least."""

        def widths(grid: int) -> Mapping[str, int] | None:
            found = _scaled(architecture, self.layers, grid / _GRID, limits)
            return found if found is not None and tuple(found) == self.layers else None

        last = max(math.floor(log2_factor * _GRID), 0)
        if (found := widths(last)) is None:
            # Widths rise with the factor, and legality falls off with them (width_step): bisect.
            illegal = bisect_left(range(last), True, key=lambda grid: widths(grid) is None)
            found = widths(illegal - 1) if illegal else None
        return self if found is None else replace(self, widths=tuple(found.values()))

    def grown(self, architecture: Architecture) -> Architecture:
        for layer, width in self._widths.items():
            architecture = Widen(layer, width).grown(architecture)
        return architecture

    def apply(self, network: Network, setting: Setting) -> Network:
        for layer, width in self._widths.items():
            network = Widen(layer, width).apply(network, setting)
        return network

    @property
    def place(self) -> str:
        """The first of the layers."""
        return self.layers[0]

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        before = (architecture[layer].layer.width for layer in self.layers)
        return "-".join(map(str, before)), "-".join(map(str, self.widths))

    def __str__(self) -> str:
        widths = ", ".join(f"{layer} {width}" for layer, width in self._widths.items())
        return f"{self.operation}({widths})"


def _scaled(
    architecture: Architecture, layers: Sequence[str], log2_factor: float, limits: Limits
) -> Mapping[str, int] | None:
    """Return the widths of all layers by one factor, by a step at least; None if not legal.

    A layer that has grown with one before it is left out. Steps are those of the graph as far as it
    has grown: a wider layer may leave the next one with other exact widths.
    """
    wider, widths = architecture, dict[str, int]()
    for layer in layers:
        before = architecture[layer].layer.width
        if wider[layer].layer.width != before:
            continue
        try:
            step = width_step(wider, layer, limits)
            least = (before // step + 1) * step
            widths[layer] = max(least, round(before * 2.0**log2_factor / step) * step)
            wider = Widen(layer, widths[layer]).grown(wider)
        except NotExactError:
            return None
    return widths if limits.allow_growth(architecture, wider) else None
