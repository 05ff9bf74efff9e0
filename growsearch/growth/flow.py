"""The flow of replicated units through a graph: from the layer that widens to its consumers.

No layer type is named here. A layer that passes units on gives the units of its output
(``through``) and the units that this requires of its inputs (``required``). So a sum ties its
branches into one width group, and demands travel backwards to the layers that feed it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import Any

import numpy as np

from growsearch.checks import check_memory
from growsearch.errors import NotExactError
from growsearch.net2net import Units
from growsearch.net2net.units import Shares
from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layer import TiedUnitsError

_BYTES = 64  # of a unit while units are drawn


@dataclass(frozen=True)
class Flow:
    """The replicated units of every output they reach, by layer name, and the wider graph.

    ``appended`` names the output that units were appended to, if that is how the flow began: its
    consumers see them, while its own layer stays as it is.
    """

    units: Mapping[str, Units]
    architecture: Architecture
    appended: str | None = None


def flow(
    architecture: Architecture,
    layer: str,
    width: int,
    *,
    rng: np.random.Generator,
    split: Shares | None = None,
) -> Flow:
    """Let ``layer`` have ``width`` units and follow them to wherever they are absorbed.

    Without a ``split`` shares are random wherever that is exact.

    Raises
    ------
    NotExactError
        When the function cannot be kept; names the reason.
    OutOfMemoryError
        When the units need more memory than this machine has.
    """
    pattern = pattern_of(architecture, layer)
    split = split or ("equal" if pattern.balanced else "random")
    if (obstacle := pattern.obstacle(width, split)) is not None:
        raise NotExactError(f"{layer}: {obstacle}")
    _check_memory(architecture, layer, width)
    units, producers = _settle(architecture, layer, pattern.draw(width, rng, split))
    wider = {p: architecture[p].layer.widened(len(units[p])) for p in producers}
    return Flow(units, architecture.with_layers(wider))


def _check_memory(architecture: Architecture, layer: str, units: int) -> None:
    positions = prod(architecture.shapes[layer][:-1])  # each has the units, where it is flattened
    check_memory(f"{layer} with {units:,} units", _BYTES * units * positions)


def append_units(architecture: Architecture, name: str, nodes: Sequence[Node]) -> Flow:
    """Put ``nodes`` behind the output ``name``, the last of which appends units to it.

    The appended units count as copies of the first unit with share 0, so that their consumers
    start with zero weights for them.

    Raises
    ------
    NotExactError
        When a layer behind cannot take them; names the reason.
    OutOfMemoryError
        When the units need more memory than this machine has.
    """
    old = architecture.shapes[name][-1]
    extra = architecture.shapes_of(nodes)[nodes[-1].name][-1] - old
    _check_memory(architecture, name, old + extra)
    source = np.concatenate([np.arange(old), np.zeros(extra, np.intp)])
    share = np.concatenate([np.ones(old), np.zeros(extra)])
    try:
        units, fixed = _settle(architecture, name, Units(source, share, old))
    except TiedUnitsError as tied:
        raise NotExactError(f"{name}: appended units do not fit: {tied}") from None
    for node in nodes:
        if tied_source := next((i for i in node.inputs if i != name and i in units), None):
            raise NotExactError(f"{name}: a sum ties it to {tied_source}, which is to be appended")
    behind = {producer: len(each) for producer, each in fixed.items() if producer != name}
    wider = {producer: architecture[producer].layer.widened(n) for producer, n in behind.items()}
    grown = architecture.insert(name, nodes, output=nodes[-1].name, layers=wider)
    return Flow(units, grown, appended=name)


def widen_input(architecture: Architecture, units: Units) -> Flow:
    """Give the network's input these units, and follow them to the layers that read it.

    Raises
    ------
    NotExactError
        When a layer cannot take them; names the reason.
    """
    check_memory("the input", _BYTES * len(units) * prod(architecture.input_shape[:-1]))
    try:
        reached, fixed = _settle(architecture, INPUT, units)
    except TiedUnitsError as tied:
        raise NotExactError(f"{INPUT}: new channels do not fit: {tied}") from None
    wider = {p: architecture[p].layer.widened(len(each)) for p, each in fixed.items() if p != INPUT}
    nodes = (Node(n.name, wider.get(n.name, n.layer), n.inputs) for n in architecture.nodes)
    shape = (*architecture.input_shape[:-1], len(units))
    return Flow(reached, Architecture(shape, tuple(nodes)))


def follow(
    architecture: Architecture, layer: str, units: Units
) -> tuple[Mapping[str, Units], tuple[str, ...]]:
    """Follow units of a layer that fit its pattern.

    Returns the units of every output reached, and the layers that must widen with this one.
    """
    reached, fixed = _settle(architecture, layer, units)
    return reached, tuple(fixed)


def pattern_of(architecture: Architecture, layer: str) -> Pattern:
    """Find the pattern in which units must be drawn, from all the layers that they reach.

    It depends on the graph alone, so no random draw decides legality or the wider architecture.

    Raises
    ------
    NotExactError
        When no pattern keeps the function; names the reason.
    """
    node = architecture[layer]
    if not node.layer.is_producer:
        raise NotExactError(f"{layer}: {node.layer.kind} has no width of its own to widen")
    if node.layer.mixes_units:
        raise NotExactError(f"{layer}: each of its units depends on all of them")
    pattern = Pattern(node.layer.width).joined(node.layer.needs)
    while True:
        if (obstacle := pattern.contradiction) is not None:
            raise NotExactError(f"{layer}: {obstacle}")
        try:
            _settle(architecture, layer, pattern.probe())
        except TiedUnitsError as tied:
            stricter = pattern.joined(tied.need)
            if stricter == pattern:
                raise NotExactError(f"{layer}: {tied}") from None
            pattern = stricter
        else:
            return pattern


@dataclass(frozen=True)
class Pattern:
    """The structure that drawn units must have, learnt from the layers that they meet.

    Parameters
    ----------
    old : int
        Units before.
    cuts : frozenset of int
        Where the branches of a concatenation meet: no unit moves across.
    groups : int
        Equal blocks of units, each widened alike.
    balanced : str or None
        The kind of layer for which every unit is copied equally often, if any.
    """

    old: int
    cuts: frozenset[int] = frozenset()
    groups: int = 1
    balanced: str | None = None

    def joined(self, need: Mapping[str, Any]) -> Pattern:
        """Return the pattern that satisfies one more need, in the terms of TiedUnitsError."""
        return Pattern(
            self.old,
            self.cuts | {cut for cut in need.get("cuts", ()) if 0 < cut < self.old},
            lcm(self.groups, need.get("groups", 1)),
            self.balanced or need.get("balanced"),
        )

    @property
    def contradiction(self) -> str | None:
        """The reason why no width at all is exact, or None."""
        if self.old % self.groups:
            return f"its units are tied to {self.groups} equal groups, got {self.old} units"
        if self.groups > 1 and self.cuts:
            return "its units are tied to groups and to the branches of a concatenation"
        return None

    def obstacle(self, width: int, split: Shares) -> str | None:
        """Return the reason why this width is not exact, or None."""
        if width <= self.old:
            return f"expected more than its {self.old} units, got {width}"
        if self.balanced and width % self.old:
            return f"{self.balanced} needs every unit copied equally often: {self.old} -> {width}"
        if self.balanced and split != "equal":
            return f"{self.balanced} needs equal shares of a unit's copies, got split {split}"
        if width % self.groups:
            return f"its units stand in {self.groups} equal groups: {self.old} -> {width}"
        return None

    @property
    def step(self) -> int:
        """The step between exact widths; at its multiples every tied layer grows in proportion."""
        return self.old if self.balanced or self.cuts else self.groups

    def draw(self, width: int, rng: np.random.Generator, split: Shares) -> Units:
        """Draw units of this pattern."""

        def segment(old: int, new: int) -> Units:
            return Units.replicate(
                old, new, rng=rng, split=split, balanced=self.balanced is not None
            )

        return self._segments(width, segment)

    def probe(self) -> Units:
        """Return units of this pattern that satisfy no stricter pattern by chance.

        All extra units copy a segment's first, so that they stand apart from the last segment;
        and no two shares are equal, so that no two segments are alike.
        """
        if self.balanced:
            return self.draw(2 * self.old, np.random.default_rng(0), "equal")
        rng = np.random.default_rng(0)

        def segment(old: int, new: int) -> Units:
            source = np.concatenate([np.arange(old), np.zeros(new - old, np.intp)])
            share = rng.exponential(size=new)
            return Units(source, share / np.bincount(source, weights=share)[source], old)

        return self._segments(2 * self.old, segment)

    def _segments(self, width: int, segment: Callable[[int, int], Units]) -> Units:
        edges = [0, *sorted(self.cuts), self.old]
        # The extra units spread over the segments in proportion, the rest to the last.
        ends = [edge * (width - self.old) // self.old for edge in edges]
        segments = []
        for low, high, a, b in zip(edges, edges[1:], ends, ends[1:], strict=False):
            old, new = (high - low) // self.groups, (high - low + b - a) // self.groups
            segments.append(Units.unchanged(old) if new == old else segment(old, new))
        return Units.concatenate(segments).tile(self.groups)


def _settle(
    architecture: Architecture, start: str, units: Units
) -> tuple[dict[str, Units], dict[str, Units]]:
    """Follow ``units`` of the output ``start``, and widen other branches until every sum fits.

    Returns the units of every output reached, and of those that were fixed: the start, and the
    producers that must widen with it.
    """
    fixed = {start: units}
    while True:
        reached = {start: units} if start == INPUT else {}
        settled = True
        for node in architecture.nodes:
            incoming = [reached.get(name) for name in node.inputs]
            if node.name not in fixed and not any(incoming):
                continue  # nothing that grows is near
            shapes = architecture.input_shapes(node)
            passes_on = not node.layer.is_producer and any(each is not None for each in incoming)
            if node.layer.is_producer:
                _check_groups(architecture, node.name, incoming[0])
            if node.name in fixed:
                if passes_on:
                    raise NotExactError(f"{start}: its own units would follow the new ones")
                reached[node.name] = fixed[node.name]
            elif passes_on:
                full = tuple(
                    each if each is not None else Units.unchanged(shape[-1])
                    for each, shape in zip(incoming, shapes, strict=True)
                )
                reached[node.name] = node.layer.through(full, *shapes)
                required = node.layer.required(reached[node.name], *shapes)
                for name, have, need in zip(node.inputs, full, required, strict=True):
                    if have != need:
                        _demand(architecture, name, need, fixed, tie=f"{start}: {node.name}")
                        settled = False
            if node.name in reached and node.name != start and node.layer.mixes_units:
                raise NotExactError(f"{start}: each unit of {node.name} depends on all of them")
        if architecture.output.name in reached:
            raise NotExactError(f"{start}: another width would change the network's outputs")
        if settled:
            return reached, fixed


def _demand(
    architecture: Architecture,
    name: str,
    units: Units,
    fixed: dict[str, Units],
    *,
    tie: str,
) -> None:
    """Require ``units`` of the output ``name``, back to the layers that produce it."""
    if name == INPUT and fixed.get(name) == units:
        return
    if name == INPUT:
        raise NotExactError(f"{tie} ties its units to the network's input, which cannot widen")
    node = architecture[name]
    if not node.layer.is_producer and name not in fixed:
        shapes = architecture.input_shapes(node)
        required = node.layer.required(units, *shapes)
        for source, need in zip(node.inputs, required, strict=True):
            if len(need) != need.old:
                _demand(architecture, source, need, fixed, tie=tie)
        return
    if fixed.setdefault(name, units) != units:
        raise NotExactError(f"{tie} ties {name} to two different widenings at once")
    groups = node.layer.needs.get("groups", 1)
    if groups > 1 and units.block(groups) is None:
        raise TiedUnitsError(f"{name}: units stand in {groups} groups", groups=groups)


def _check_groups(architecture: Architecture, name: str, units: Units | None) -> None:
    """Raise TiedUnitsError unless the units are alike in each group of a grouped layer."""
    if units is None:
        return
    for weight in architecture.weights[name].values():
        for axis in weight.axes.values():
            if axis.of == "in" and axis.groups > 1 and units.block(axis.groups) is None:
                raise TiedUnitsError(
                    f"{name}: its input units stand in {axis.groups} groups", groups=axis.groups
                )
