"""The lineage as a tree: from the first network to the best, with every candidate as a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from growsearch.figures.look import BLUE, GREY, drawn, metric_words, shortened
from growsearch.figures.nodes import Node, ancestors, counted, marks, nodes_of
from growsearch.study.result import SearchResult

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_A_ROW = 12  # such candidates in a row
_GROWTH = 32  # characters of a growth beside its node
_ROW = 26  # pixels
_TEXT = 11.0  # width of the texts, in lanes


@dataclass(frozen=True)
class _Place:
    """The place of a node: its row from the top, its lane from the left; its parent's."""

    node: Node
    row: int
    lane: int
    of: tuple[int, int] | None
    labelled: bool = True


def lineage(result: SearchResult, *, most_rows: int = 60) -> Figure:
    """Draw the tree of a run, from the first network to the best, with every candidate.

    The path to the best network is the straight line on the left. A candidate branches off from
    the network that it grew from; its growth stands at the end of the branch.

    Parameters
    ----------
    result : SearchResult
    most_rows : int
        Where there are more networks, candidates without children share rows, and have their
        growths in their hover boxes alone.
    """
    nodes = nodes_of(result)
    path = ancestors(result)
    placed = _placed(nodes, path, packed=len(nodes) > most_rows)
    lanes = max(each.lane for each in placed)
    rows = max(each.row for each in placed) + 1
    labels = [each for each in placed if each.labelled]
    traces = [
        *_branches(placed, path),
        *marks(
            [each.node for each in placed],
            [each.lane for each in placed],
            [each.row for each in placed],
        ),
        _texts(labels, lanes + 0.6),
    ]
    return drawn(
        traces,
        "Lineage: from the first network to the best",
        _text(result, nodes, path),
        height=_ROW * rows + 150,
        xaxis={"visible": False, "range": [-0.5, lanes + 0.6 + _TEXT], "fixedrange": True},
        yaxis={
            "range": [rows - 0.4, -0.6],
            "tickvals": [each.row for each in labels],
            "ticktext": [_number(each.node) for each in labels],
            "title": {"text": "trial"},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
    )


def _number(node: Node) -> str:
    return "first" if node.number is None else str(node.number)


def _placed(nodes: tuple[Node, ...], path: frozenset[int | None], *, packed: bool) -> list[_Place]:
    """Give each node a row and a lane: children below their parent, the path to the best last."""
    children: dict[int | None, list[Node]] = {}
    known = {node.number for node in nodes}
    for node in nodes[1:]:
        assert node.trial is not None
        parent = node.trial.parent if node.trial.parent in known else None
        children.setdefault(parent, []).append(node)
    found: list[_Place] = []
    row = 0
    waiting: list[tuple[list[Node], int, tuple[int, int] | None]] = [([nodes[0]], 0, None)]
    while waiting:  # depth first, without recursion: a lineage may be long
        together, lane, of = waiting.pop()
        found += [
            _Place(node, row, lane + place, of, len(together) == 1)
            for place, node in enumerate(together)
        ]
        parent, here = together[0].number, (row, lane)
        row += 1
        if len(together) > 1:
            continue
        below = children.get(parent, [])
        leaves = [each for each in below if packed and each.number not in children]
        leaves = [each for each in leaves if each.number not in path]
        groups = [leaves[start : start + _A_ROW] for start in range(0, len(leaves), _A_ROW)]
        groups += [[each] for each in below if each not in leaves and each.number not in path]
        onward = [each for each in below if each.number in path]
        next_ones = [(group, lane + 1, here) for group in groups]
        next_ones += [([each], lane, here) for each in onward]
        waiting += reversed(next_ones)
    return found


def _branches(placed: list[_Place], path: frozenset[int | None]) -> list[Any]:
    """Return the edges as two traces: the other branches, and above them the path to the best."""
    import plotly.graph_objects as go

    made = []
    for on_path in (False, True):
        x: list[float | None] = []
        y: list[float | None] = []
        for each in placed:
            if each.of is not None and (each.node.number in path) == on_path:
                row, lane = each.of
                x += [lane, lane, each.lane, None]
                y += [row, each.row, each.row, None]
        look = {"color": BLUE, "width": 4} if on_path else {"color": GREY, "width": 1.2}
        made.append(
            go.Scatter(x=x, y=y, mode="lines", line=look, hoverinfo="skip", showlegend=False)
        )
    return made


def _texts(labels: list[_Place], x: float) -> Any:
    """Return accuracy and growth of each node, in a column on the right of the tree."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=[x] * len(labels),
        y=[each.row for each in labels],
        mode="text",
        text=[_label(each.node) for each in labels],
        textposition="middle right",
        customdata=[each.node.number for each in labels],
        hovertext=[each.node.hover for each in labels],
        hoverinfo="text",
        showlegend=False,
        cliponaxis=False,
    )


def _label(node: Node) -> str:
    value = "failed" if node.accuracy is None else f"{node.accuracy:.4f}"
    growth = "first network" if node.trial is None else shortened(node.trial.growth, _GROWTH)
    text = f"{value}  {growth}"
    return f"<b>{text}</b>" if node.status in ("kept", "best") else text


def _text(result: SearchResult, nodes: tuple[Node, ...], path: frozenset[int | None]) -> str:
    """Return the lineage in words."""
    words = metric_words(result.metric)
    grown = [
        f"trial {node.number}, {node.trial.growth}, {node.status}"
        for node in nodes
        if node.trial is not None and node.number in path
    ]
    steps = "; ".join(grown) or "no growth was kept"
    return (
        f"{len(nodes) - 1} candidates: {counted(nodes)}. From the first network, with validation "
        f"{words} {result.teacher_accuracy:.4f}: {steps}. The best network has validation {words} "
        f"{result.best.validation_accuracy:.4f}."
    )
