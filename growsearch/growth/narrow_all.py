"""Fewer units in every layer at once: the whole network, by one factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from growsearch.checks import check_choice
from growsearch.growth.compound import Resized, names_of
from growsearch.growth.growth import Limits, sites_of
from growsearch.growth.narrow import BY, By, Narrow, nearest_width
from growsearch.growth.ties import ties_of
from growsearch.growth.widen_all import widths_of
from growsearch.networks import Architecture


@dataclass(frozen=True)
class NarrowAll(Resized):
    """Give each of ``layers`` its smaller width of ``widths``, by :class:`Narrow`, in this order.

    Parameters
    ----------
    layers : sequence of str
        Layers with a width of their own, not the output, none of them tied to another.
    widths : sequence of int
        Units of each after narrowing.
    by : "dead", "merge", "magnitude" or "activation"
        As of :class:`Narrow`.
    """

    by: By = "merge"

    operation: ClassVar[str] = "narrow_all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", names_of("layers", self.layers))
        object.__setattr__(self, "widths", widths_of(self.layers, self.widths))
        check_choice("by", self.by, BY)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return one site where at least two layers may narrow, each by its smallest step."""
        layers = [site.place for site in sites_of(Narrow, architecture, limits)]
        widths = _smaller(architecture, layers, 0.0, limits)
        if len(widths) < 2:
            return ()
        return (cls(tuple(widths), tuple(widths.values()), "activation"),)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        """Narrow each layer to ``2**-log2_factor`` of its width, or the nearest legal one."""
        widths = _smaller(architecture, self.layers, log2_factor, limits)
        return replace(self, widths=tuple(widths[layer] for layer in self.layers))

    @property
    def steps(self) -> tuple[Narrow, ...]:
        return tuple(
            Narrow(layer, width, self.by)
            for layer, width in zip(self.layers, self.widths, strict=True)
        )

    def __str__(self) -> str:
        widths = ", ".join(f"{step.layer} {step.width}" for step in self.steps)
        return f"{self.operation}({widths}, {self.by})"


def _smaller(
    architecture: Architecture, layers: Sequence[str], log2_factor: float, limits: Limits
) -> Mapping[str, int]:
    """Return the widths of all layers by one factor, by a step at least.

    A layer that has narrowed with one before it is left out. The others are not tied to it: their
    legal widths stay as they are.
    """
    widths, done = dict[str, int](), set[str]()
    for layer in layers:
        if layer not in done:
            nearest = nearest_width(architecture, layer, log2_factor, limits)
            if nearest is not None:
                widths[layer] = nearest
                done |= set(ties_of(architecture, layer).producers)
    return widths
