"""Net2Deeper in several stages of a network at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from growsearch.growth.compound import Compound, names_of
from growsearch.growth.deepen import Deepen
from growsearch.growth.growth import Limits, sites_of
from growsearch.networks import Architecture


@dataclass(frozen=True)
class DeepenAll(Compound):
    """Put a new layer behind each of ``layers``: :class:`Deepen`, one after the other.

    A search deepens stages. A stage is all layers of one type whose outputs have one shape, and the
    new layer stands behind its last one. Its sites are the last two stages, the last three, and so
    on: layers near the input cost most, since their images are largest.

    Parameters
    ----------
    layers : sequence of str
        Dense layers or convolutions, not the output.
    batch_norm : bool or None
        As of :class:`Deepen`.
    """

    layers: tuple[str, ...]
    batch_norm: bool | None = None

    operation: ClassVar[str] = "deepen_all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", names_of("layers", self.layers))
        Deepen(self.layers[0], self.batch_norm)  # says what is wrong with batch_norm

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        ends = stage_ends(architecture, limits)
        kinds = {layer: architecture[layer].layer.kind for layer in ends}
        every = [
            cls(tuple(later))
            for number, layer in enumerate(ends)
            if len(later := [end for end in ends[number:] if kinds[end] == kinds[layer]]) > 1
        ]
        edits = {layer: Deepen(layer).edit(architecture) for layer in ends}
        return tuple(
            site for site in every if limits.allow_edit(*(edits[layer] for layer in site.layers))
        )

    @property
    def steps(self) -> tuple[Deepen, ...]:
        return tuple(Deepen(layer, self.batch_norm) for layer in self.layers)

    @property
    def place(self) -> str:
        """The first of the layers."""
        return self.layers[0]

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        after = self.grown(architecture).producers
        return f"{architecture.producers} layers", f"{after} layers"

    def __str__(self) -> str:
        norm = "" if self.batch_norm is None else f", batch_norm {self.batch_norm}"
        return f"{self.operation}({', '.join(self.layers)}{norm})"


def stage_ends(architecture: Architecture, limits: Limits) -> tuple[str, ...]:
    """Return the last layer of each stage that may be deepened, in the graph's order."""
    last: dict[object, str] = {}
    for site in sites_of(Deepen, architecture, limits):
        layer = site.place
        stage = architecture[layer].layer.kind, architecture.shapes[layer]
        last.pop(stage, None)  # a stage stands where its last layer does
        last[stage] = layer
    return tuple(last.values())
