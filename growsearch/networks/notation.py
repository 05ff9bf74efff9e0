"""Chain notation: ``5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)``.

| layer | is written |
|---|---|
| convolution | ``KHxKWxF(name)`` |
| dense | ``UNITS(name)`` |
| max pooling, 2x2 | its name alone: ``pool1`` |
| any other layer | ``kind(name)`` |

Options that are not the default stand behind the name: ``3x3x8(conv1,stride=2x2,activation=tanh)``;
characters of text other than letters, digits and ``_.-~`` are written as in the address of a page.
The activation is ReLU by default and linear in the last layer; convolutions and pooling pad
``same``. A flatten is understood before a dense layer of images; a dense layer of each position
alone is written ``dense(name,units=UNITS)``. Graphs with branches are written with their inputs,
``add(sum1<conv1+conv2)``, for reading only; so are layers that only Keras computes,
``keras:LSTM(lstm1)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, replace
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, unquote

from growsearch.errors import ArchitectureError
from growsearch.networks.layer import Layer, Shape
from growsearch.networks.layers import OPAQUE, Conv, Dense, Flatten, MaxPool
from growsearch.networks.node import INPUT, Node, make_layer

FLATTEN = "flatten"

_CONV = re.compile(r"(\d{1,6})x(\d{1,6})x(\d{1,9})\((.+)\)")
_DENSE = re.compile(r"(\d{1,9})\((.+)\)")
_POOL = re.compile(r"(pool\w*)")
_ANY = re.compile(r"([a-z][a-z0-9_]*)\((.+)\)")
_SIZES = re.compile(r"\d{1,6}(x\d{1,6})+")


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
    shape = tuple(input_shape)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        name, layer = _part(part, last=last)
        previous = nodes[-1].name if nodes else INPUT
        if _DENSE.fullmatch(part) and len(shape) > 1:
            nodes.append(Node(FLATTEN, Flatten(), (previous,)))
            previous, shape = FLATTEN, Flatten().output_shape(shape)
        nodes.append(Node(name, layer, (previous,)))
        with suppress(ValueError):  # the architecture says what does not fit
            shape = layer.output_shape(shape)
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
    if _SIZES.fullmatch(text):
        return tuple(map(int, text.split("x")))
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return unquote(text)


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
            on_features = len(shapes[node.inputs[0]]) == 1
            last = node is nodes[-1]
            yield _write_node(node, chained=chained, last=last, on_features=on_features)


def _is_understood(
    node: Node, following: Node | None, nodes: Sequence[Node], shapes: Mapping[str, Shape]
) -> bool:
    """Return whether reading puts this flatten of images before its dense layer by itself."""
    return (
        node.name == FLATTEN
        and isinstance(node.layer, Flatten)
        and len(shapes[node.inputs[0]]) > 1
        and following is not None
        and isinstance(following.layer, Dense)
        and [each for each in nodes if node.name in each.inputs] == [following]
    )


def _write_node(node: Node, *, chained: bool, last: bool, on_features: bool) -> str:
    layer, name = node.layer, node.name
    if layer == MaxPool() and _POOL.fullmatch(name) and chained:
        return name
    ending, is_short = [], False
    head = getattr(layer, "title", layer.kind)  # what only Keras computes has its class
    if isinstance(layer, Conv | Dense):
        if last:  # the default is linear there: write what differs from that
            ending = ["activation=relu"] if layer.activation == "relu" else []
            layer = replace(layer, activation="relu") if layer.activation == "linear" else layer
        # Reading flattens in front of a number; a dense layer of each position has none.
        is_short = on_features or isinstance(layer, Conv)
        head = _head(layer) if is_short else head
    origin = "" if chained else "<" + "+".join(node.inputs)
    return f"{head}({','.join([name + origin, *_options(layer, is_short=is_short), *ending])})"


def _head(layer: Conv | Dense) -> str:
    if isinstance(layer, Conv):
        return f"{layer.kernel[0]}x{layer.kernel[1]}x{layer.filters}"
    return f"{layer.units}"


def _options(layer: Layer, *, is_short: bool) -> list[str]:
    written: list[str] = []
    if layer.kind in OPAQUE:
        return written  # a configuration of Keras' is no notation
    for option in fields(layer):
        value = getattr(layer, option.name)
        if value == option.default or (is_short and option.default is MISSING):
            continue
        if isinstance(value, tuple):
            value = "x".join(map(str, value))
        elif isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, str):
            value = quote(value, safe="")
        written.append(f"{option.name}={value}")
    return written
