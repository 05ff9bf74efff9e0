"""Ties: the channels, all over a graph, that go with each unit of a layer when it narrows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import NotExactError
from growsearch.growth.flow import follow, pattern_of
from growsearch.net2net import Units
from growsearch.net2net.fewer import Fewer
from growsearch.networks import Architecture
from growsearch.networks.layer import Axis, Weight

Cells = NDArray[np.intp]

_NEAR = 1e-6  # of shares that a norm takes for equal ones


@dataclass(frozen=True, eq=False)
class Ties:
    """The cells of a layer's units: units that stay or go together.

    A cell is one unit; or one of each group, where grouped convolutions, group norms or a flatten
    tie groups of units to one another.

    Parameters
    ----------
    layer : str
    width : int
        The layer's units.
    groups : int
        Units of a cell.
    segments : tuple of range
        Cells by the branch of a concatenation that they belong to; of each at least one must stay.
    balanced : str or None
        The kind of norm that needs every unit merged equally often, if any.
    cells : mapping
        Output name -> the cell of each of its channels; -1 for one that belongs to none.
    producers : tuple of str
        The layers that narrow together, with a width of their own.
    """

    layer: str
    width: int
    groups: int
    segments: tuple[range, ...]
    balanced: str | None
    cells: Mapping[str, Cells]
    producers: tuple[str, ...]

    def kept(self, width: int) -> tuple[int, ...]:
        """Return how many cells of each segment stay, at another width of the layer.

        The segments narrow in proportion: after a widening to the present width they have their
        old sizes again.

        Raises
        ------
        NotExactError
            When the layer cannot have this width; names the reason.
        """
        if not 0 < width < self.width:
            raise NotExactError(
                f"{self.layer}: expected fewer than its {self.width} units, got {width}"
            )
        if width % self.groups:
            raise NotExactError(
                f"{self.layer}: its units stand in {self.groups} equal groups: "
                f"{self.width} -> {width}"
            )
        edges = [0, *(segment.stop for segment in self.segments)]
        # Rounded up: of n units at an edge, widened from m to M in all, floor(n·M/m) stood there.
        ends = [-(-edge * width // self.width) for edge in edges]
        sizes = tuple(high - low for low, high in pairwise(ends))
        if min(sizes) < 1:
            raise NotExactError(
                f"{self.layer}: expected a unit at least for each of the {len(sizes)} branches of "
                f"a concatenation that it is tied to: {self.width} -> {width}"
            )
        return sizes

    def widths(self, width: int) -> dict[str, int]:
        """Return the widths of all layers that narrow together, at another width of the layer."""
        gone = [
            len(cells) - stay for cells, stay in zip(self.segments, self.kept(width), strict=True)
        ]
        return {
            name: len(self.cells[name])
            - sum(n * times for n, times in zip(gone, each, strict=True))
            for name, each in self._times.items()
        }

    @cached_property
    def _times(self) -> Mapping[str, tuple[int, ...]]:
        """Count a cell of each segment among the units of each layer."""
        return {
            name: tuple(int(np.sum(self.cells[name] == cells.start)) for cells in self.segments)
            for name in self.producers
        }

    def axes(
        self, architecture: Architecture, layer: str, weight: Weight
    ) -> Iterator[tuple[int, Axis, Cells]]:
        """Yield each axis of a layer's weight that has cells, with its rule and its cells."""
        for axis, rule in weight.axes.items():
            source = layer if rule.of == "out" else architecture[layer].inputs[0]
            if (cells := self.cells.get(source)) is not None and (cells >= 0).any():
                yield axis, rule, np.repeat(cells[: len(cells) // rule.groups], rule.repeat)


@lru_cache(maxsize=512)
def ties_of(architecture: Architecture, layer: str) -> Ties:
    """Find the ties of a layer: widen it to twice its width, and see which channels follow.

    It depends on the graph alone.

    Raises
    ------
    NotExactError
        When another width of the layer does not fit the graph; names the reason.
    """
    pattern = pattern_of(architecture, layer)
    number = pattern.old // pattern.groups
    edges = [0, *sorted(pattern.cuts), number]
    # Each unit is copied once, and the shares of both say which it is: 1/2, and a trifle more. To
    # norms, which need equal shares, they are equal.
    trifle = _NEAR / (number + 1)
    share = 0.5 * (1.0 + trifle * np.arange(1, number + 1))
    parts = [
        Units(np.tile(np.arange(high - low), 2), np.tile(share[low:high], 2), high - low)
        for low, high in pairwise(edges)
    ]
    reached, producers = follow(architecture, layer, Units.concatenate(parts).tile(pattern.groups))
    cells = {}
    for name, units in reached.items():
        first = np.unique(units.source, return_index=True)[1]
        found = np.rint((2.0 * units.share[first] - 1.0) / trifle).astype(np.intp) - 1
        cells[name] = np.where(np.bincount(units.source) == 2, found, -1)
    return Ties(
        layer,
        pattern.old,
        pattern.groups,
        tuple(range(low, high) for low, high in pairwise(edges)),
        pattern.balanced,
        cells,
        tuple(producers),
    )


def fewer_on(cells: Cells, into: Cells) -> Fewer:
    """Return the fewer units of an axis with these cells.

    Parameters
    ----------
    cells : int array
        The cell of each entry of the axis; -1 for an entry that stays.
    into : int array, one a cell
        The cell that each goes into: itself, another, or -1 where it is dropped.
    """
    target = np.where(cells >= 0, into[cells], -1)
    stays = (cells < 0) | (target == cells)
    place = np.cumsum(stays) - 1
    merged = ~stays & (target >= 0)
    # The r-th entry of a cell goes where the r-th entry of the other one stays.
    order = np.argsort(cells, kind="stable")
    starts = np.searchsorted(cells[order], cells)
    rank = np.empty(len(cells), np.intp)
    rank[order] = np.arange(len(cells))
    rank -= starts
    other = order[np.searchsorted(cells[order], target[merged]) + rank[merged]]
    result = np.where(stays, place, -1)
    result[merged] = place[other]
    return Fewer(result)
