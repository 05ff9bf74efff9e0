"""Skip connections: a shortcut from an earlier layer to a later one, at first with weights 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from growsearch.checks import check_choice
from growsearch.errors import NotExactError
from growsearch.growth.blocks import block_end
from growsearch.growth.flow import append_units
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
        every = (
            cls(source, target, merge)
            for number, target in enumerate(layers[:-1])
            for source in (INPUT, *layers[:number])
            for merge in JOINS
        )
        return tuple(site for site in every if site._is_legal(architecture, limits))

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

    def _is_legal(self, architecture: Architecture, limits: Limits) -> bool:
        end = block_end(architecture, self.target).name
        joined = {name for node in architecture.consumers[end] for name in node.inputs}
        if self._start(architecture) in joined:
            return False
        try:
            grown = self.grown(architecture)
        except NotExactError:
            return False
        return limits.allow_growth(architecture, grown)

    def _start(self, architecture: Architecture) -> str:
        """Return the name of the output at which the shortcut starts."""
        return self.source if self.source == INPUT else block_end(architecture, self.source).name

    def _nodes(self, architecture: Architecture) -> tuple[str, list[Node]]:
        """Return the name of the output that the shortcut joins, and the nodes of the shortcut."""
        end, start = block_end(architecture, self.target), self._start(architecture)
        if end is architecture.output:
            raise NotExactError(f"{self.target}: expected a target before the output layer")
        order = list(architecture.shapes)
        if order.index(start) >= order.index(end.name):
            raise NotExactError(
                f"{self.source} -> {self.target}: expected a source that stands before the target"
            )
        here, there = architecture.shapes[start], architecture.shapes[end.name]
        name = architecture.new_name(f"{self.target}_skip")
        nodes = self._matched(start, here, there, name)
        last = nodes[-1].name if nodes else start
        return end.name, [*nodes, Node(name, JOINS[self.merge], (end.name, last))]

    def _matched(self, start: str, here: Shape, there: Shape, name: str) -> list[Node]:
        """Return layers from the source's shape to the target's; for a sum the last has weights."""
        try:
            average = averaging(here, there)
        except ValueError as error:
            raise NotExactError(f"{self.source} -> {self.target}: {error}") from None
        nodes = [] if average is None else [Node(f"{name}_pool", average, (start,))]
        if self.merge == "sum":
            before = nodes[-1].name if nodes else start
            nodes.append(Node(f"{name}_project", projection(there), (before,)))
        return nodes
