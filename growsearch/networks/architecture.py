"""The graph of named layers: shapes, parameters, FLOPs; to and from notation and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

from growsearch.checks import is_whole_number
from growsearch.errors import ArchitectureError
from growsearch.networks.layer import LARGEST_SIZE, Layer, Shape, Weight
from growsearch.networks.node import INPUT, Node, check_name, make_layer
from growsearch.networks.notation import parse_chain, write


@dataclass(frozen=True)
class Architecture:
    """A directed acyclic graph of named layers from one input to one output.

    Frozen and hashable. Nodes stand in topological order; the last one is the output and every
    other one is used.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width, channels) or (features,), without the batch axis.
    nodes : tuple of Node

    Raises
    ------
    ArchitectureError
        Names the layer, what it expects and what it got.

    Examples
    --------
    >>> architecture = Architecture.parse("3x3x8(conv1)-pool1-10(fc1)", input_shape=(28, 28, 1))
    >>> str(architecture), architecture.parameters
    ('3x3x8(conv1)-pool1-10(fc1)', 15770)
    """

    input_shape: Shape
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", _checked_input_shape(self.input_shape))
        self._check_graph({})
        _ = self.shapes  # an architecture whose shapes do not fit must not exist

    def _check_graph(self, checked: Mapping[str, Node]) -> None:
        """Raise ArchitectureError unless the nodes are a graph; ``checked`` ones fit alone."""
        if not self.nodes:
            raise ArchitectureError("an architecture: expects at least one layer, got none")
        known, used = {INPUT}, set[str]()
        for node in self.nodes:
            if checked.get(node.name) is not node:
                check_name(node.name)
                fewest, most = node.layer.inputs
                if not fewest <= len(node.inputs) <= most:
                    count = f"{fewest}" if fewest == most else f"at least {fewest}"
                    raise ArchitectureError(
                        f"{node.name}: expects {count} input(s), got {len(node.inputs)}"
                    )
            if node.name == INPUT:
                raise ArchitectureError(
                    f"{INPUT}: expects another name for a layer, since the network's input has it"
                )
            if node.name in known:
                raise ArchitectureError(f"{node.name}: expects a name of its own, got it twice")
            for name in node.inputs:
                if name not in known:
                    raise ArchitectureError(
                        f"{node.name}: expects inputs that stand before it, got {name!r}"
                    )
            known.add(node.name)
            used.update(node.inputs)
        if unused := [node.name for node in self.nodes[:-1] if node.name not in used]:
            raise ArchitectureError(f"{unused[0]}: expects a layer that uses it, got none")

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.input_shape, self.nodes))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.input_shape, self.nodes)  # hashes of text differ by process

    # -- its layers ------------------------------------------------------------------------------

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    def __getitem__(self, name: str) -> Node:
        try:
            return self.by_name[name]
        except KeyError:
            raise ArchitectureError(
                f"layer: expected one of {', '.join(self.by_name)}, got {name!r}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def output(self) -> Node:
        """The last node."""
        return self.nodes[-1]

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each node among the nodes, by its name."""
        return {node.name: place for place, node in enumerate(self.nodes)}

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every layer's output, and of the input, by name; without the batch axis."""
        return self._shapes({INPUT: self.input_shape}, self.nodes)

    def shapes_of(self, nodes: Iterable[Node]) -> Mapping[str, Shape]:
        """Return the shapes of this graph's layers and of ``nodes`` that would read from them."""
        return self._shapes(self.shapes, nodes)

    @staticmethod
    def _shapes(
        known: Mapping[str, Shape], nodes: Iterable[Node], like: Architecture | None = None
    ) -> Mapping[str, Shape]:
        """Return ``known`` shapes and those of nodes; nodes ``like`` old ones have their shapes."""
        shapes = dict(known)
        for node in nodes:
            if like is not None and (old := like.by_name.get(node.name)) is not None:
                is_same = old is node or old.layer is node.layer
                if is_same and all(
                    shapes[now] == like.shapes[before]
                    for now, before in zip(node.inputs, old.inputs, strict=True)
                ):
                    shapes[node.name] = like.shapes[node.name]
                    continue
            try:
                shape = node.layer.output_shape(*(shapes[i] for i in node.inputs))
                if max(shape) > LARGEST_SIZE:
                    raise ValueError(f"expects an output of at most {LARGEST_SIZE:,} along an axis")
                shapes[node.name] = shape
            except ValueError as error:
                raise ArchitectureError(f"{node.name}: {error}") from None
        return shapes

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Return the shapes of a node's inputs."""
        return tuple(self.shapes[name] for name in node.inputs)

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, Weight]]:
        """The arrays of each layer with weights: layer name -> name -> Weight."""
        every = {n.name: n.layer.weights(*self.input_shapes(n)) for n in self.nodes}
        return {name: weights for name, weights in every.items() if weights}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that use each node's output, by its name."""
        consumers: dict[str, list[Node]] = {name: [] for name in self.shapes}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                consumers[name].append(node)
        return {name: tuple(nodes) for name, nodes in consumers.items()}

    @cached_property
    def parameters(self) -> int:
        """Number of trained values; batch norm's moving statistics do not count."""
        return sum(parameters for parameters, _ in self.costs.values())

    @cached_property
    def producers(self) -> int:
        """Number of layers with a width of their own: dense layers and convolutions."""
        return sum(node.layer.is_producer for node in self.nodes)

    @cached_property
    def flops(self) -> int:
        """Floating-point operations of one image's forward pass; a multiply-add counts as two."""
        return sum(flops for _, flops in self.costs.values())

    @cached_property
    def costs(self) -> Mapping[str, tuple[int, int]]:
        """The parameters and FLOPs of each layer, by its name."""
        return {n.name: layer_costs(n.layer, self.input_shapes(n)) for n in self.nodes}

    # -- other architectures ---------------------------------------------------------------------

    def with_layers(self, layers: Mapping[str, Layer]) -> Architecture:
        """Return the same graph with some layers' specifications replaced."""
        return self._made_of(self.nodes, layers)

    def insert(
        self,
        after: str,
        nodes: Iterable[Node],
        *,
        output: str,
        layers: Mapping[str, Layer] | None = None,
    ) -> Architecture:
        """Put ``nodes`` behind the node ``after`` and let its consumers use ``output`` instead.

        ``after`` may be the input. Nodes that come later keep their order; ``layers`` replace
        the specifications of old ones at the same time.
        """
        place = 0 if after == INPUT else self.nodes.index(self[after]) + 1
        rewired = (
            Node(n.name, n.layer, tuple(output if i == after else i for i in n.inputs))
            if after in n.inputs
            else n
            for n in self.nodes[place:]
        )
        return self._made_of((*self.nodes[:place], *nodes, *rewired), layers or {})

    def _made_of(self, nodes: Iterable[Node], layers: Mapping[str, Layer]) -> Architecture:
        """Return a graph of these nodes; only what differs from this graph is worked out anew."""
        made = object.__new__(type(self))
        every = (Node(n.name, layers[n.name], n.inputs) if n.name in layers else n for n in nodes)
        made.__dict__.update(input_shape=self.input_shape, nodes=tuple(every))
        made._check_graph(self.by_name)
        known = {INPUT: self.input_shape}
        made.__dict__["shapes"] = self._shapes(known, made.nodes, like=self)
        return made

    def new_name(self, stem: str) -> str:
        """Return a name that is free, with every ending too: ``stem``, else ``stem_2``, …."""
        candidate, number = stem, 1
        alike = [name for name in self.shapes if name.startswith(stem)]
        while any(name == candidate or name.startswith(f"{candidate}_") for name in alike):
            number += 1
            candidate = f"{stem}_{number}"
        return candidate

    # -- text ------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str, input_shape: Shape = (28, 28, 1)) -> Self:
        """Read chain notation, such as ``5x5x32(conv1)-pool1-10(fc1)``; see networks/notation.py.

        Raises
        ------
        ArchitectureError
            Names the part that is not understood, or the layer that does not fit.
        """
        if not isinstance(input_shape, Sequence):
            raise ArchitectureError(f"input_shape: expected a tuple, got {input_shape!r}")
        return cls(tuple(input_shape), parse_chain(text, tuple(input_shape)))

    def __str__(self) -> str:
        return write(self.nodes, self.shapes)

    def to_json(self) -> dict[str, Any]:
        """Return the architecture as plain JSON values."""
        return {
            "input_shape": list(self.input_shape),
            "layers": [
                {
                    "name": node.name,
                    "kind": node.layer.kind,
                    "inputs": list(node.inputs),
                    **{f.name: getattr(node.layer, f.name) for f in fields(node.layer)},
                }
                for node in self.nodes
            ],
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read the values of :meth:`to_json` as untrusted input: parsed, or JSON text.

        Raises
        ------
        ArchitectureError
            For anything that is not exactly an architecture.
        """
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise ArchitectureError(f"an architecture: expected JSON, got {error}") from None
        try:
            shape = tuple(value["input_shape"])
            nodes = tuple(_node(entry) for entry in value["layers"])
        except ArchitectureError:
            raise
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ArchitectureError(
                f"an architecture: expected input_shape and layers, got {error!r}"
            ) from None
        return cls(shape, nodes)


def layer_costs(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[int, int]:
    """Return the parameters and FLOPs of a layer whose inputs have the shapes."""
    weights = layer.weights(*shapes).values()
    parameters = sum(math.prod(weight.shape) for weight in weights if weight.trainable)
    return parameters, layer.flops(*shapes)


def _node(entry: dict[str, Any]) -> Node:
    entry = dict(entry)
    name, kind, inputs = entry.pop("name"), entry.pop("kind"), entry.pop("inputs")
    listed = isinstance(inputs, list | tuple) and all(isinstance(i, str) for i in inputs)
    if not isinstance(name, str) or not listed:
        raise ArchitectureError(f"a layer: expected names as text, got {name!r} and {inputs!r}")
    return Node(name, make_layer(kind, entry, name), tuple(inputs))


def _checked_input_shape(shape: Shape) -> Shape:
    """Return the shape with Python's whole numbers."""
    whole = all(is_whole_number(n) and n > 0 for n in shape)
    if not whole or len(shape) not in (1, 3) or max(shape) > LARGEST_SIZE:
        raise ArchitectureError(
            "input_shape: expects (height, width, channels) or (features,), all positive, "
            f"got {shape!r}"
        )
    return tuple(map(int, shape))
