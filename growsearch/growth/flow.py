"""The flow of replicated units through a graph: from the layer that widens to its consumers.

No layer type is named here. A layer that passes units on gives the units of its output
(``through``) and the units that this requires of its inputs (``required``). So a sum ties its
branches into one width group, and demands travel backwards to the layers that feed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heappop, heappush
from math import prod

import numpy as np

from growsearch.checks import check_memory
from growsearch.errors import NotExactError
from growsearch.growth.edit import Edit
from growsearch.growth.pattern import Pattern
from growsearch.net2net import Units
from growsearch.net2net.units import Shares
from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layer import Layer, Shape, TiedUnitsError

_BYTES = 64  # of a unit while units are drawn
_SMALL = 2**26  # bytes that every machine has; to ask it takes longer than to draw units


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

    Without a ``split`` shares are random wherever that is exact, and extra units are copies
    wherever a pattern of copies has this width.

    Raises
    ------
    NotExactError
        When the function cannot be kept; names the reason.
    OutOfMemoryError
        When the units need more memory than this machine has.
    """
    pattern = _pattern_for(architecture, layer, width, split, None)
    drawn = pattern.draw(width, rng, split or pattern.usual_split)
    units, fixed = _settle(architecture, layer, drawn)
    return Flow(units, architecture.with_layers(_layers(architecture, units, fixed)))


def widening(
    architecture: Architecture,
    layer: str,
    width: int,
    patterns: Sequence[Pattern] | None = None,
    *,
    split: Shares | None = None,
) -> Edit:
    """Return the edit of the graph by :func:`flow`, whose draw of units changes weights alone.

    Parameters
    ----------
    architecture : Architecture
    layer : str
    width : int
    patterns : sequence of Pattern, optional
        As :func:`patterns_of` finds them, if they are known already.
    split : "equal", "random" or "new", optional
    """
    pattern = _pattern_for(architecture, layer, width, split, patterns)
    if len(pattern.tied) == 1:
        return Edit(architecture, {layer: architecture[layer].layer.widened(width)})
    drawn = pattern.draw(width, np.random.default_rng(0), split or pattern.usual_split)
    return Edit(architecture, _layers(architecture, *_settle(architecture, layer, drawn)))


def _pattern_for(
    architecture: Architecture,
    layer: str,
    width: int,
    split: Shares | None,
    patterns: Sequence[Pattern] | None,
) -> Pattern:
    """Return the first pattern with this width, which alone decides the wider architecture."""
    patterns = patterns or patterns_of(architecture, layer)
    fitting = (each for each in patterns if each.obstacle(width, each.usual_split) is None)
    pattern = next(fitting, patterns[0])
    if (obstacle := pattern.obstacle(width, split or pattern.usual_split)) is not None:
        raise NotExactError(f"{layer}: {obstacle}")
    _check_memory(architecture, layer, width)
    return pattern


def _layers(
    architecture: Architecture, units: Mapping[str, Units], fixed: Mapping[str, Units]
) -> dict[str, Layer]:
    """Return the layers that change with units: producers that widen, norms behind them."""
    layers: dict[str, Layer] = {
        name: architecture[name].layer.widened(len(each)) for name, each in fixed.items()
    }
    for name, each in units.items():
        for node in architecture.consumers[name]:
            fitted = node.layer.fitted(each)
            if not node.layer.is_producer and fitted is not node.layer:
                layers[node.name] = fitted
    return layers


def _check_memory(architecture: Architecture, layer: str, units: int) -> None:
    positions = prod(architecture.shapes[layer][:-1])  # each has the units, where it is flattened
    if (needed := _BYTES * units * positions) > _SMALL:
        check_memory(f"{layer} with {units:,} units", needed)


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
    extra = architecture.shapes_of(nodes)[nodes[-1].name][-1] - architecture.shapes[name][-1]
    appended = appended_to(architecture, name, extra)
    appended.check(nodes)
    return Flow(appended.units, appended.edit(nodes, extra).after, appended=name)


@dataclass(frozen=True)
class Appended:
    """Units appended to an output of a graph, and what they reach.

    Parameters
    ----------
    architecture : Architecture
    name : str
        The output.
    units : mapping
        The units of every output that is reached, by layer name.
    fixed : mapping
        Those of the producers that must widen too.
    extra : int
        The number of units appended.
    """

    architecture: Architecture
    name: str
    units: Mapping[str, Units]
    fixed: Mapping[str, Units]
    extra: int

    def check(self, nodes: Sequence[Node]) -> None:
        """Raise NotExactError if the nodes that append the units read an output that they reach."""
        for node in nodes:
            for source in node.inputs:
                if source != self.name and source in self.units:
                    raise NotExactError(
                        f"{self.name}: a sum ties it to {source}, which is to be appended"
                    )

    def edit(self, nodes: Sequence[Node], extra: int) -> Edit:
        """Return the edit by nodes that append ``extra`` units, which follow the same ways."""
        layers = _layers(self.architecture, self.units, self.fixed)
        if extra != self.extra and layers:
            return appended_to(self.architecture, self.name, extra).edit(nodes, extra)
        return Edit(self.architecture, layers, tuple(nodes), self.name)


def appended_to(architecture: Architecture, name: str, extra: int = 1) -> Appended:
    """Append units to an output; their number does not decide whether a layer behind takes them.

    Raises
    ------
    NotExactError, OutOfMemoryError
        As :func:`append_units`.
    """
    old = architecture.shapes[name][-1]
    _check_memory(architecture, name, old + extra)
    try:
        units, fixed = _settle(architecture, name, Units.extended(old, old + extra, "copies"))
    except TiedUnitsError as tied:
        raise NotExactError(f"{name}: appended units do not fit: {tied}") from None
    behind = {producer: each for producer, each in fixed.items() if producer != name}
    return Appended(architecture, name, units, behind, extra)


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
    fixed = {name: each for name, each in fixed.items() if name != INPUT}
    wider = _layers(architecture, reached, fixed)
    nodes = (replace(n, layer=wider.get(n.name, n.layer)) for n in architecture.nodes)
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


def patterns_of(architecture: Architecture, layer: str) -> tuple[Pattern, ...]:
    """Find the patterns in which units may be drawn, from all the layers that they reach.

    They depend on the graph alone, so no random draw decides legality or the wider architecture.
    There are several where a norm can be kept in several ways: by copies of all units, at
    multiples of their number, comes first.

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
    reasons: list[str] = []
    start = Pattern(node.layer.width).joined(node.layer.needs)
    patterns = tuple(dict.fromkeys(_found(architecture, layer, start, reasons)))
    if not patterns:
        raise NotExactError(reasons[0])
    return patterns


def pattern_of(architecture: Architecture, layer: str) -> Pattern:
    """Return the pattern in which extra units are copies of single units.

    Raises
    ------
    NotExactError
        When no such pattern keeps the function; names the reason.
    """
    for pattern in patterns_of(architecture, layer):
        if pattern.is_plain:
            return pattern
    raise NotExactError(f"{layer}: a norm that it is tied to takes no copies of single units")


def _found(
    architecture: Architecture, layer: str, pattern: Pattern, reasons: list[str]
) -> Iterator[Pattern]:
    """Yield the patterns that are at least as strict as one; say why where there are none."""
    if (obstacle := pattern.contradiction) is not None:
        reasons.append(f"{layer}: {obstacle}")
        return
    try:
        units, fixed = _settle(architecture, layer, pattern.probe())
    except TiedUnitsError as tied:
        stricter = [pattern.joined(need) for need in (tied.need, *tied.alternatives)]
        if stricter[0] == pattern:
            reasons.append(f"{layer}: {tied}")
        for each in stricter:
            if each != pattern:
                yield from _found(architecture, layer, each, reasons)
    except NotExactError as error:
        reasons.append(str(error))
    else:
        yield replace(pattern, tied=tuple(_layers(architecture, units, fixed)))


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
        for node in _downstream(architecture, fixed, reached):
            incoming = [reached.get(name) for name in node.inputs]
            shapes = architecture.input_shapes(node)
            passes_on = not node.layer.is_producer and any(each is not None for each in incoming)
            if node.layer.is_producer:
                _check_groups(node, shapes, incoming[0])
            if node.name in fixed:
                if passes_on:
                    raise NotExactError(f"{start}: its own units would follow the new ones")
                reached[node.name] = node.layer.behind(fixed[node.name])
            elif passes_on:
                full = tuple(
                    Units.unchanged(shape[-1]) if each is None else node.layer.seen(each)
                    for each, shape in zip(incoming, shapes, strict=True)
                )
                passed = node.layer.through(full, *shapes)
                reached[node.name] = node.layer.behind(passed)
                ties = len(full) > 1 and node.layer.ties_inputs
                required = node.layer.required(passed, *shapes) if ties else full
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


def _downstream(
    architecture: Architecture, fixed: Mapping[str, Units], reached: Mapping[str, Units]
) -> Iterator[Node]:
    """Yield, in the graph's order, what is fixed and what reads an output that is reached then."""
    places, consumers = architecture.places, architecture.consumers
    waiting = [places[name] for name in fixed if name != INPUT]
    waiting += [places[node.name] for name in reached for node in consumers[name]]
    known = set(waiting)
    waiting = sorted(known)  # a heap
    while waiting:
        node = architecture.nodes[heappop(waiting)]
        yield node
        for consumer in consumers[node.name] if node.name in reached else ():
            if (place := places[consumer.name]) not in known:
                known.add(place)
                heappush(waiting, place)


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
    if units.extra != "copies" and not node.layer.can_give(units):
        raise TiedUnitsError(f"{name}: its extra units are no {units.extra}, which {tie} needs")
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


def _check_groups(node: Node, shapes: tuple[Shape, ...], units: Units | None) -> None:
    """Raise TiedUnitsError unless the units are alike in each group of a grouped layer."""
    if units is None:
        return
    for groups in _input_groups(node.layer, shapes):
        if units.block(groups) is None:
            raise TiedUnitsError(
                f"{node.name}: its input units stand in {groups} groups", groups=groups
            )


@lru_cache(maxsize=4096)
def _input_groups(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[int, ...]:
    """Return the numbers of groups in which a layer's weights read its input's units."""
    axes = (axis for weight in layer.weights(*shapes).values() for axis in weight.axes.values())
    return tuple({axis.groups for axis in axes if axis.of == "in" and axis.groups > 1})
