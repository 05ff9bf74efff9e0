"""Skip connections: a shortcut from an earlier layer to a later one, at first with weights 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from growsearch.checks import check_choice
from growsearch.errors import NotExactError
from growsearch.growth.blocks import block_end
from growsearch.growth.edit import Edit
from growsearch.growth.flow import Appended, append_units, appended_to
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import dtype_of, fresh, insert, replicate
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layer import Shape
from growsearch.networks.layers.fitting import JOINS, Join, averaging, projection


@dataclass(frozen=True)
class AddSkip(Growth):
    """Lead the output of ``source`` past what lies between to the output of ``target``.

    By sum: through a projection whose weights start at zero (1x1, strided where pooling lies
    between; dense behind a flatten). By concatenation: as it is, averaged to the target's size
    where pooling lies between; its consumers start with zero weights for it. Exact
    behind any layers, for any activation.

    Parameters
    ----------
    source, target : str
        Layers, or "input" as the source; both ends are taken behind their normalisation and
        activation. The source stands before the target, which is not the output.
    merge : "sum" or "concat"
    """

    source: str
    target: str
    merge: Join = "sum"

    operation: ClassVar[str] = "add_skip"

    def __post_init__(self) -> None:
        check_choice("merge", self.merge, JOINS)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        layers = [n.name for n in architecture.nodes if n.layer.is_producer]
        ends = {INPUT: INPUT, **{name: block_end(architecture, name).name for name in layers}}
        found: list[Self] = []
        places = {INPUT: -1, **architecture.places}
        for number, target in enumerate(layers[:-1]):
            end = ends[target]
            if end == architecture.output.name:
                continue
            allowed = _Target(architecture, end, limits)
            for source in (INPUT, *layers[:number]):
                if places[ends[source]] < places[end]:
                    found.extend(cls(source, target, join) for join in allowed.joins(ends[source]))
        return tuple(found)

    def grown(self, architecture: Architecture) -> Architecture:
        end, nodes = self._nodes(architecture)
        if self.merge == "concat":
            return append_units(architecture, end, nodes).architecture
        return architecture.insert(end, nodes, output=nodes[-1].name)

    def apply(self, network: Network, setting: Setting) -> Network:
        end, nodes = self._nodes(network.architecture)
        if self.merge == "concat":
            return replicate(network, append_units(network.architecture, end, nodes), setting)
        grown = self.grown(network.architecture)
        (projection,) = (node.name for node in nodes if node.name in grown.weights)
        spec = grown.weights[projection]["kernel"]
        dtype = dtype_of(network, network.architecture.output.name)
        kernel = fresh(spec, spec.shape, dtype, setting.rng)
        if setting.fill == "net2net":
            kernel = np.zeros_like(kernel)
        new = {projection: {"kernel": kernel}}
        return insert(network, grown, new, setting, beside=self.target)

    @property
    def place(self) -> str:
        return self.target

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        del architecture
        return self.source, f"{self.target} ({self.merge})"

    def _nodes(self, architecture: Architecture) -> tuple[str, list[Node]]:
        """Return the name of the output that the shortcut joins, and the nodes of the shortcut."""
        end = block_end(architecture, self.target)
        start = self.source if self.source == INPUT else block_end(architecture, self.source).name
        if end is architecture.output:
            raise NotExactError(f"{self.target}: expected a target before the output layer")
        if start != INPUT and architecture.places[start] >= architecture.places[end.name]:
            raise NotExactError(
                f"{self.source} -> {self.target}: expected a source that stands before the target"
            )
        here, there = architecture.shapes[start], architecture.shapes[end.name]
        name = architecture.new_name(f"{self.target}_skip")
        try:
            return end.name, shortcut(name, start, end.name, here, there, self.merge)
        except ValueError as error:
            raise NotExactError(f"{self.source} -> {self.target}: {error}") from None


def shortcut(name: str, start: str, end: str, here: Shape, there: Shape, merge: Join) -> list[Node]:
    """Return the nodes of a shortcut between outputs of two shapes; the last one joins them.

    For a sum the node in front of it has the weights.

    Raises
    ------
    ValueError
        When no pooling leads from one shape to the other.
    """
    average = averaging(here, there)
    nodes = [] if average is None else [Node(f"{name}_pool", average, (start,))]
    if merge == "sum":
        before = nodes[-1].name if nodes else start
        nodes.append(Node(f"{name}_project", projection(there), (before,)))
    last = nodes[-1].name if nodes else start
    return [*nodes, Node(name, JOINS[merge], (end, last))]


class _Target:
    """The shortcuts that may lead to one output, worked out once for all sources of one shape."""

    def __init__(self, architecture: Architecture, end: str, limits: Limits) -> None:
        self._architecture, self._end, self._limits = architecture, end, limits
        # A source that is joined to the output already is no site.
        self._joined = {name for node in architecture.consumers[end] for name in node.inputs}
        self._name = architecture.new_name(f"{end}_skip")
        try:
            self._appended: Appended | None = appended_to(architecture, end)
        except NotExactError:  # some layer behind takes no more units
            self._appended = None
        self._allowed: dict[Shape, tuple[Join, ...]] = {}

    def joins(self, start: str) -> tuple[Join, ...]:
        """Return the ways in which a shortcut from an output before this one may be joined."""
        if start in self._joined:
            return ()
        shape = self._architecture.shapes[start]
        if shape not in self._allowed:
            self._allowed[shape] = tuple(join for join in JOINS if self._allows(start, join))
        allowed = self._allowed[shape]
        if self._appended is not None and start in self._appended.units:
            return tuple(join for join in allowed if join == "sum")
        return allowed

    def _allows(self, start: str, merge: Join) -> bool:
        here, there = self._architecture.shapes[start], self._architecture.shapes[self._end]
        try:
            nodes = shortcut(self._name, start, self._end, here, there, merge)
        except ValueError:
            return False
        edit = Edit(self._architecture, nodes=tuple(nodes), behind=self._end)
        if merge == "concat":
            if self._appended is None:
                return False
            edit = self._appended.edit(nodes, here[-1])
        return self._limits.allow_edit(edit)
