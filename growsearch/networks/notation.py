"""Chain notation: ``5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)``.

| layer | is written |
|---|---|
| convolution | ``KHxKWxF(name)`` |
| dense | ``UNITS(name)`` |
| max pooling, 2x2 | its name alone: ``pool1`` |
| any other layer | ``kind(name)`` |

Options that are not the default stand behind the name: ``3x3x8(conv1,stride=2x2,activation=tanh)``.
The activation is ReLU by default and linear in the last layer; convolutions and pooling pad
``same``. A flatten is understood before the first dense layer. Graphs with branches are written
with their inputs, ``add(sum1<conv1+conv2)``, for reading only; so are layers that only Keras
computes, ``keras:LSTM(lstm1)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from itertools import zip_longest
from typing import Any

from growsearch.errors import ArchitectureError
from growsearch.networks.layer import Layer, Shape
from growsearch.networks.layers import OPAQUE, Conv, Dense, Flatten, MaxPool
from growsearch.networks.node import INPUT, Node, make_layer

FLATTEN = "flatten"

_CONV = re.compile(r"(\d{1,6})x(\d{1,6})x(\d{1,9})\((.+)\)")
_DENSE = re.compile(r"(\d{1,9})\((.+)\)")
_POOL = re.compile(r"(pool\w*)")
_ANY = re.compile(r"([a-z_]+)\((.+)\)")
_PAIR = re.compile(r"(\d{1,6})x(\d{1,6})")


def parse_chain(text: str, input_shape: Shape) -> tuple[Node, ...]:
    """Return the nodes that a chain's text names.

    Raises
    ------
    ArchitectureError
        Quotes the part that is not understood.
    """
    if not isinstance(text, str) or not text.strip():
        raise ArchitectureError(
            f"an architecture: expected text such as 5x5x32(conv1)-pool1-10(fc1), got {text!r}"
        )
    parts = re.split(r"-(?![^()]*\))", "".join(text.split()))
    nodes: list[Node] = []
    rank = len(input_shape)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        name, layer = _part(part, last=last)
        previous = nodes[-1].name if nodes else INPUT
        if isinstance(layer, Dense) and rank == 3:
            nodes.append(Node(FLATTEN, Flatten(), (previous,)))
            previous = FLATTEN
        if layer.kind in ("dense", "flatten") or layer.kind.startswith("global_"):
            rank = 1
        nodes.append(Node(name, layer, (previous,)))
    return tuple(nodes)


def _part(part: str, *, last: bool) -> tuple[str, Layer]:
    if match := _CONV.fullmatch(part):
        height, width, filters, inner = match.groups()
        kind, size = "conv", {"kernel": (int(height), int(width)), "filters": int(filters)}
    elif match := _DENSE.fullmatch(part):
        kind, inner = "dense", match[2]
        size = {"units": int(match[1])}
    elif match := _POOL.fullmatch(part):
        kind, inner, size = "max_pool", match[1], {}
    elif match := _ANY.fullmatch(part):
        kind, inner, size = match[1], match[2], {}
    else:
        raise ArchitectureError(
            "an architecture: expected parts such as 5x5x32(conv1), pool1, 10(fc1) or "
            f"batch_norm(bn1), joined by -, got {part!r}"
        )
    name, *options = inner.split(",")
    given: dict[str, Any] = dict(size)
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key in given:
            raise ArchitectureError(
                f"{name}: expects options as key=value, once each, got {option!r}; a pair is "
                "written as in stride=2x2"
            )
        given[key] = _value(value)
    if last and kind in ("conv", "dense"):
        given.setdefault("activation", "linear")
    return name, make_layer(kind, given, name)


def _value(text: str) -> Any:
    if match := _PAIR.fullmatch(text):
        return int(match[1]), int(match[2])
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def write(nodes: Sequence[Node], shapes: Mapping[str, Shape]) -> str:
    """Return the notation of a graph's nodes: a chain's, or one that is for reading only.

    ``shapes`` are those of the outputs, by layer name.
    """
    return "-".join(_written(nodes, shapes))


def _written(nodes: Sequence[Node], shapes: Mapping[str, Shape]) -> Iterator[str]:
    previous = INPUT
    for node, following in zip_longest(nodes, nodes[1:]):
        chained = node.inputs == (previous,)
        previous = node.name
        if not (chained and _is_understood(node, following, nodes, shapes)):
            yield _write_node(node, chained=chained, last=node is nodes[-1])


def _is_understood(
    node: Node, following: Node | None, nodes: Sequence[Node], shapes: Mapping[str, Shape]
) -> bool:
    """Return whether reading puts this flatten of images before its dense layer by itself."""
    return (
        node.name == FLATTEN
        and isinstance(node.layer, Flatten)
        and len(shapes[node.inputs[0]]) == 3
        and following is not None
        and isinstance(following.layer, Dense)
        and [each for each in nodes if node.name in each.inputs] == [following]
    )


def _write_node(node: Node, *, chained: bool, last: bool) -> str:
    layer, name = node.layer, node.name
    if last and isinstance(layer, Conv | Dense):
        # The last layer's default is linear: write what differs from that.
        if layer.activation == "linear":
            layer = replace(layer, activation="relu")
        elif layer.activation == "relu":
            return _assemble(node, [*_options(layer), "activation=relu"], chained)
    if layer == MaxPool() and _POOL.fullmatch(name) and chained:
        return name
    return _assemble(node, _options(layer), chained)


def _assemble(node: Node, options: list[str], chained: bool) -> str:
    layer = node.layer
    if isinstance(layer, Conv):
        head = f"{layer.kernel[0]}x{layer.kernel[1]}x{layer.filters}"
    elif isinstance(layer, Dense):
        head = f"{layer.units}"
    else:
        head = getattr(layer, "title", layer.kind)  # what only Keras computes has its class
    origin = "" if chained else "<" + "+".join(node.inputs)
    return f"{head}({','.join([node.name + origin, *options])})"


def _options(layer: Layer) -> list[str]:
    written: list[str] = []
    if layer.kind in OPAQUE:
        return written  # a configuration of Keras' is no notation
    for option in fields(layer):
        value = getattr(layer, option.name)
        is_size = isinstance(layer, Conv | Dense) and option.default is MISSING
        if is_size or value == option.default:
            continue
        if isinstance(value, tuple):
            value = "x".join(map(str, value))
        elif isinstance(value, bool):
            value = str(value).lower()
        written.append(f"{option.name}={value}")
    return written
