"""The drawing of a network, layer by layer: boxes, edges, and what each growth changed, in pixels.

A layer stands with its normalisation and activation in one box. The template
``templates/network.svg.j2`` turns the drawing into SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log1p

from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layer import Layer, Shape
from growsearch.page.arrangement import Arrangement, arranged
from growsearch.page.changes import LayerHistory, histories, text_of

_WIDE, _NARROW = 236.0, 18.0  # widths of lanes
_BETWEEN, _GAP, _MARGIN = 22.0, 24.0, 6.0  # between lanes, between rows, around everything
_TITLE, _LINE, _BAR = 26.0, 16.0, 9.0  # heights of a box's first line, other lines, and bar
_BAR_WIDTH = 212.0
_CHARACTERS = 34  # of a line of a box
_TITLE_CHARACTERS = 31  # with the shape
_COLOURS = 8  # of steps, in turn


@dataclass(frozen=True)
class Line:
    """A line of a box's text; ``step`` is 0, or that of a growth whose change it tells."""

    text: str
    y: float
    step: int = 0


@dataclass(frozen=True)
class Part:
    """A part of a box's bar: the units that one step added."""

    step: int
    x: float
    width: float
    units: int


@dataclass(frozen=True)
class Box:
    """A box of the drawing: place and size in pixels, title, shape of the output, lines, bar."""

    x: float
    y: float
    width: float
    height: float
    title: str
    shape: str
    lines: tuple[Line, ...]
    parts: tuple[Part, ...]
    bar_y: float
    born: int
    is_input: bool


@dataclass(frozen=True)
class Connection:
    """An edge of the drawing: the path in SVG's terms, and the step that added it."""

    path: str
    step: int


@dataclass(frozen=True)
class Drawing:
    """The drawing of a network, with its size in pixels.

    Parameters
    ----------
    width, height : float
    boxes : tuple of Box
    connections : tuple of Connection
    rows : tuple of Row
        The same as a table: a row a layer.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    connections: tuple[Connection, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Row:
    """One layer as the row of a table."""

    name: str
    what: str
    inputs: str
    output: str
    parameters: int
    changes: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class _Block:
    """A layer and those behind it that stand in its box; none is the network's input."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    shape: Shape
    history: LayerHistory
    behind: tuple[LayerHistory, ...] = ()

    @property
    def layer(self) -> Layer | None:
        return self.nodes[0].layer if self.nodes else None


def colour_of(step: int) -> int:
    """Return the number of the colour of a step: 0 for the first network, else 1 to 8 in turn."""
    return step and (step - 1) % _COLOURS + 1


def drawn(lineage: Sequence[Architecture]) -> Drawing:
    """Draw the last network of a lineage, with what each growth changed.

    Parameters
    ----------
    lineage : sequence of Architecture
        The first network, then the network after each growth.
    """
    last, known = lineage[-1], histories(lineage)
    blocks = _blocks(last, known)
    arrangement = arranged([block.inputs for block in blocks])
    most = max((b.layer.width for b in blocks if b.layer and b.layer.is_producer), default=1)
    sizes = [_height(block) for block in blocks]
    tops, bottoms = _rows(arrangement, sizes)
    lefts = _lanes(arrangement)
    boxes = tuple(
        _box(block, lefts[lane], tops[row], size, most)
        for block, row, lane, size in zip(
            blocks, arrangement.rows, arrangement.lanes, sizes, strict=True
        )
    )
    return Drawing(
        _right(arrangement, lefts) + _MARGIN,
        max(bottoms) + _MARGIN,
        boxes,
        _connections(arrangement, boxes, tops, bottoms, lefts),
        _table(last, known),
    )


def described(layer: Layer) -> str:
    """Return a layer's kind and size in words.

    Examples
    --------
    >>> nodes = Architecture.parse("3x3x8(conv1)-pool1-10(fc1)", (8, 8, 1)).nodes
    >>> [described(node.layer) for node in nodes]
    ['conv 3×3', 'max pool 2×2', 'flatten', 'dense']
    """
    size = layer.window.kernel if layer.window is not None else getattr(layer, "size", None)
    kernel = f" {text_of(size)}" if isinstance(size, tuple) else ""
    title = str(getattr(layer, "title", layer.kind)).replace("_", " ")
    stride = getattr(layer, "stride", None)
    strided = isinstance(stride, tuple) and layer.window is not None and max(stride) > 1
    return f"{title}{kernel}" + (f", stride {text_of(stride)}" if strided else "")


def _blocks(architecture: Architecture, known: Mapping[str, LayerHistory]) -> list[_Block]:
    """Return the boxes in order, the network's input first."""
    found = [_Block((), (), architecture.input_shape, LayerHistory(0))]
    place = {INPUT: 0}
    for node in architecture.nodes:
        history, shape = known[node.name], architecture.shapes[node.name]
        above = found[place[node.inputs[0]]] if node.inputs else None
        if (
            above is not None
            and above.nodes
            and node.layer.in_block
            and len(node.inputs) == 1
            and above.nodes[-1].name == node.inputs[0]
            and len(architecture.consumers[node.inputs[0]]) == 1
            and history.born == above.history.born
        ):
            place[node.name] = place[node.inputs[0]]
            found[place[node.name]] = _Block(
                (*above.nodes, node), above.inputs, shape, above.history, (*above.behind, history)
            )
            continue
        place[node.name] = len(found)
        inputs = tuple(dict.fromkeys(place[name] for name in node.inputs))
        found.append(_Block((node,), inputs, shape, history))
    return found


def _texts(block: _Block) -> list[tuple[str, int]]:
    """Return the lines of a box below its title, each with the step whose change it tells."""
    if not block.nodes:
        return []
    first, *behind = block.nodes
    parts = [first.name, *(described(node.layer) for node in behind)]
    activations = [getattr(node.layer, "activation", "linear") for node in block.nodes]
    parts += [each for each in dict.fromkeys(activations) if each != "linear"]
    changes = [(f"{change.text}", change.step) for change in block.history.changes]
    for node, history in zip(behind, block.behind, strict=True):
        added = ((f"{node.name}: {c.text}", c.step) for c in history.changes if c.text != "new")
        changes.extend(added)
    return [(_short(" · ".join(parts), _CHARACTERS), 0), *_merged(changes)]


def _merged(changes: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return changes as lines, those of one step in one line."""
    by_step: dict[int, list[str]] = {}
    for text, step in changes:
        by_step.setdefault(step, []).append(text)
    return [
        (_short(f"growth {step}: {', '.join(texts)}", _CHARACTERS), step)
        for step, texts in by_step.items()
    ]


def _height(block: _Block) -> float:
    bar = _BAR if block.layer is not None and block.layer.is_producer else 0.0
    texts = _texts(block)
    return _TITLE + bar + _LINE * len(texts) + (7.0 if texts else 0.0)


def _rows(arrangement: Arrangement, sizes: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the top and the bottom of each row."""
    heights = [0.0] * (max(arrangement.rows) + 1)
    for row, size in zip(arrangement.rows, sizes, strict=True):
        heights[row] = max(heights[row], size)
    tops, bottoms, y = [], [], _MARGIN
    for height in heights:
        tops.append(y)
        bottoms.append(y + height)
        y += height + _GAP
    return tops, bottoms


def _lanes(arrangement: Arrangement) -> list[float]:
    """Return the left side of each lane."""
    lefts, x = [], _MARGIN
    for is_wide in arrangement.is_wide:
        lefts.append(x)
        x += (_WIDE if is_wide else _NARROW) + _BETWEEN
    return lefts


def _right(arrangement: Arrangement, lefts: Sequence[float]) -> float:
    return lefts[-1] + (_WIDE if arrangement.is_wide[-1] else _NARROW)


def _box(block: _Block, x: float, y: float, height: float, most: int) -> Box:
    layer = block.layer
    if layer is None:
        title = "input"
    else:
        title = described(layer)
        if layer.is_producer:
            title += f", {layer.width:,} units"
    shape = text_of(block.shape)
    title = _short(title, _TITLE_CHARACTERS - len(shape))
    texts = _texts(block)
    is_barred = layer is not None and layer.is_producer
    bar_y = y + _TITLE + 1.0
    top = y + _TITLE + (_BAR if is_barred else 0.0) + 11.0
    lines = tuple(Line(text, top + _LINE * place, step) for place, (text, step) in enumerate(texts))
    return Box(
        x,
        y,
        _WIDE,
        height,
        title,
        shape,
        lines,
        _bar(block, x + (_WIDE - _BAR_WIDTH) / 2, most) if is_barred else (),
        bar_y,
        block.history.born,
        layer is None,
    )


def _bar(block: _Block, x: float, most: int) -> tuple[Part, ...]:
    """Return the bar of a box: its length grows with the logarithm of the width."""
    total = sum(units for _, units in block.history.parts)
    length = _BAR_WIDTH * log1p(total) / log1p(most)
    found = []
    for step, units in block.history.parts:
        width = length * units / total
        found.append(Part(step, x, width, units))
        x += width
    return tuple(found)


def _connections(
    arrangement: Arrangement,
    boxes: Sequence[Box],
    tops: Sequence[float],
    bottoms: Sequence[float],
    lefts: Sequence[float],
) -> tuple[Connection, ...]:
    found = []
    for edge in arrangement.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        above, below = arrangement.rows[edge.source], arrangement.rows[edge.target]
        start, end = source.x + source.width / 2, target.x + target.width / 2
        path = f"M{start:g} {source.y + source.height:g}"
        if edge.lane is None or below == above + 1:
            path += f" V{bottoms[above]:g}" + _curve(start, bottoms[above], end, tops[below])
        else:
            is_wide = arrangement.is_wide[edge.lane]
            x = lefts[edge.lane] + (_WIDE if is_wide else _NARROW) / 2
            path += f" V{bottoms[above]:g}" + _curve(start, bottoms[above], x, tops[above + 1])
            path += f" V{bottoms[below - 1]:g}" + _curve(x, bottoms[below - 1], end, tops[below])
        found.append(Connection(path, max(source.born, target.born)))
    return tuple(found)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    """Return a path from a point down to another one."""
    if x == to_x:
        return f" V{to_y:g}"
    middle = (y + to_y) / 2
    return f" C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"


def _table(architecture: Architecture, known: Mapping[str, LayerHistory]) -> tuple[Row, ...]:
    return tuple(
        Row(
            node.name,
            described(node.layer)
            + (f", {node.layer.width:,} units" if node.layer.is_producer else ""),
            ", ".join(node.inputs),
            text_of(architecture.shapes[node.name]),
            architecture.costs[node.name][0],
            tuple((change.step, change.text) for change in known[node.name].changes),
        )
        for node in architecture.nodes
    )


def _short(text: str, most: int) -> str:
    """Return a text of at most so many characters, with its end left out where it is longer."""
    return text if len(text) <= most else f"{text[: max(most - 1, 0)]}…"
