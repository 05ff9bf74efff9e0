"""Edits of a graph: layers replaced, nodes put in; measured without a copy of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush

from growsearch.networks import Architecture, Node
from growsearch.networks.architecture import layer_costs
from growsearch.networks.layer import Layer, Shape


@dataclass(frozen=True)
class Edit:
    """Some layers of a graph replaced, and nodes put behind one of its outputs.

    A search for sites asks of thousands of edits whether they keep the limits; the graph is built
    for those that are applied.

    Parameters
    ----------
    before : Architecture
    layers : mapping
        Name -> layer that takes the place of the old one.
    nodes : tuple of Node
        New nodes; the last one's output takes the place of ``behind``'s.
    behind : str
        The output behind which the new nodes stand, if there are any.
    """

    before: Architecture
    layers: Mapping[str, Layer] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    behind: str = ""

    @cached_property
    def after(self) -> Architecture:
        """The graph with the edit."""
        if not self.nodes:
            return self.before.with_layers(self.layers)
        output = self.nodes[-1].name
        return self.before.insert(self.behind, self.nodes, output=output, layers=self.layers)

    @cached_property
    def producers(self) -> int:
        """Number of layers with a width of their own, afterwards."""
        new = sum(node.layer.is_producer for node in self.nodes)
        return self.before.producers + new

    @property
    def parameters(self) -> int:
        """Parameters of the whole network, afterwards."""
        return self.before.parameters + self._more[0]

    @property
    def flops(self) -> int:
        """FLOPs of the whole network's forward pass for one image, afterwards."""
        return self.before.flops + self._more[1]

    @cached_property
    def _more(self) -> tuple[int, int]:
        """The parameters and FLOPs that are added: those of the layers that the edit reaches."""
        before, shapes, costs = self.before, dict[str, Shape](), list[tuple[int, int]]()
        for node in self.nodes:
            inputs = tuple(shapes.get(name, before.shapes.get(name, ())) for name in node.inputs)
            costs.append(layer_costs(node.layer, inputs))
            shapes[node.name] = node.layer.output_shape(*inputs)
        waiting = [before.places[name] for name in self.layers]
        if self.nodes and shapes[self.nodes[-1].name] != before.shapes[self.behind]:
            shapes[self.behind] = shapes[self.nodes[-1].name]
            waiting += [before.places[node.name] for node in before.consumers[self.behind]]
        waiting = list(set(waiting))
        known = set(waiting)
        heapify(waiting)
        while waiting:
            node = before.nodes[heappop(waiting)]
            layer = self.layers.get(node.name, node.layer)
            inputs = tuple(shapes.get(name, before.shapes.get(name, ())) for name in node.inputs)
            parameters, flops = before.costs[node.name]
            now = layer_costs(layer, inputs)
            costs.append((now[0] - parameters, now[1] - flops))
            shape = layer.output_shape(*inputs)
            if shape != before.shapes[node.name]:
                shapes[node.name] = shape
                for consumer in before.consumers[node.name]:
                    if (place := before.places[consumer.name]) not in known:
                        known.add(place)
                        heappush(waiting, place)
        return sum(cost for cost, _ in costs), sum(cost for _, cost in costs)
