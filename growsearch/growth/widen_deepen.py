"""Wider and deeper at once: every layer by one factor, and one new layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from growsearch.errors import InvalidInputError
from growsearch.growth.compound import Compound, names_of
from growsearch.growth.deepen import Deepen
from growsearch.growth.deepen_all import stage_ends
from growsearch.growth.growth import Growth, Limits, sites_of
from growsearch.growth.widen import Widen, check_split
from growsearch.growth.widen_all import WidenAll, largest, scaled, widths_of
from growsearch.net2net.units import Shares
from growsearch.networks import Architecture


@dataclass(frozen=True)
class WidenDeepen(Compound):
    """Widen ``layers`` as :class:`WidenAll` does, then deepen behind ``deepened``.

    Depth and width scaled together gain more than either alone (Tan and Le, *EfficientNet*,
    arXiv:1905.11946). A search at most doubles each width in one step.

    Parameters
    ----------
    layers : sequence of str
        Layers with a width of their own, not the output, none of them tied to another.
    widths : sequence of int
        Units of each after widening.
    deepened : str
        The layer behind which the new one stands; a search takes the last of a stage, as
        :class:`DeepenAll` does.
    split : "equal", "random", "new" or None
        As of :class:`Widen`.
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    deepened: str
    split: Shares | None = None

    operation: ClassVar[str] = "widen_deepen"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", names_of("layers", self.layers))
        object.__setattr__(self, "widths", widths_of(self.layers, self.widths))
        if not isinstance(self.deepened, str):
            raise InvalidInputError(
                f"deepened: expected the name of a layer, got {self.deepened!r}"
            )
        check_split(self.split)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return a site for each stage that may be deepened, all widths by their smallest step."""
        layers = tuple(site.place for site in sites_of(Widen, architecture, limits))
        found = scaled(architecture, layers, 0.0, limits)
        if found is None or len(found.widths) < 2:
            return ()
        widths = tuple(found.widths), tuple(found.widths.values())
        return tuple(
            cls(*widths, layer)
            for layer in stage_ends(found.architecture, limits)
            if _is_legal(architecture, found.architecture, layer, limits)
        )

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        """Widen by the largest legal factor up to the given one, up to 2, by a step at least."""

        def widths(factor: float) -> tuple[int, ...] | None:
            found = scaled(architecture, self.layers, factor, limits)
            if found is None or tuple(found.widths) != self.layers:
                return None
            is_legal = _is_legal(architecture, found.architecture, self.deepened, limits)
            return tuple(found.widths.values()) if is_legal else None

        return replace(self, widths=largest(min(log2_factor, 1.0), widths) or self.widths)

    @property
    def steps(self) -> tuple[Growth, ...]:
        return WidenAll(self.layers, self.widths, split=self.split), Deepen(self.deepened)

    @property
    def place(self) -> str:
        """The layer behind which the new one stands."""
        return self.deepened

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        wider, deeper = self.steps
        widths = wider.sizes(architecture)
        layers = deeper.sizes(architecture)
        before, after = (f"{w}, {n}" for w, n in zip(widths, layers, strict=True))
        return before, after

    def __str__(self) -> str:
        widths = ", ".join(map(" ".join, zip(self.layers, map(str, self.widths), strict=True)))
        split = f", {self.split}" if self.split else ""
        return f"{self.operation}({widths}, behind {self.deepened}{split})"


def _is_legal(
    architecture: Architecture, wider: Architecture, deepened: str, limits: Limits
) -> bool:
    """Return whether no width more than doubles, and deepening leaves the limits kept."""
    doubled = all(
        wider[node.name].layer.width <= 2 * node.layer.width
        for node in architecture.nodes
        if node.layer.is_producer
    )
    return doubled and limits.allow_edit(Deepen(deepened).edit(wider))
