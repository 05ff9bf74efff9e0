"""The arrangement of a graph in rows and lanes: where its boxes stand and its edges run.

Each box stands in the row below all its inputs. The longest path to the output has the first lane;
every other path has a lane of its own as far as it reaches, and lanes are shared where their rows
allow it. An edge that skips rows and belongs to no path has a narrow lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Edge:
    """A connection of two boxes.

    Parameters
    ----------
    source, target : int
    lane : int or None
        The lane in which it runs down; None where the target stands in the next row.
    """

    source: int
    target: int
    lane: int | None = None


@dataclass(frozen=True)
class Arrangement:
    """The places of boxes and edges.

    Parameters
    ----------
    rows, lanes : tuple of int
        Of each box.
    edges : tuple of Edge
    is_wide : tuple of bool
        Of each lane: True if boxes stand in it, False if only edges run in it.
    """

    rows: tuple[int, ...]
    lanes: tuple[int, ...]
    edges: tuple[Edge, ...]
    is_wide: tuple[bool, ...]


@dataclass(frozen=True)
class _Path:
    """A path of boxes, or an edge alone, that needs a lane from row ``top`` to row ``bottom``."""

    top: int
    bottom: int
    boxes: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]


def arranged(inputs: Sequence[Sequence[int]]) -> Arrangement:
    """Arrange a graph.

    Parameters
    ----------
    inputs : sequence of sequence of int
        The inputs of each box: boxes that stand before it.

    Examples
    --------
    >>> found = arranged([[], [0], [1], [1], [2, 3, 0]])
    >>> found.rows, found.lanes, found.is_wide
    ((0, 1, 2, 2, 3), (0, 0, 0, 1, 0), (True, True, False))
    """
    rows: list[int] = []
    for sources in inputs:
        rows.append(1 + max((rows[source] for source in sources), default=-1))
    paths = tuple(_paths(inputs, rows))
    owned = {edge for path in paths for edge in path.edges}
    others = sorted(
        {(s, t) for t, sources in enumerate(inputs) for s in sources if (s, t) not in owned}
    )
    skips = [_Path(rows[s] + 1, rows[t] - 1, (), ((s, t),)) for s, t in others]
    inside = [*paths[1:], *(skip for skip in skips if skip.top <= skip.bottom)]
    lane_of: dict[_Path, int] = {paths[0]: 0} if paths else {}
    taken: list[list[_Path]] = [[paths[0]]] if paths else []
    for path in sorted(inside, key=lambda each: (each.bottom - each.top, each.top)):
        free = (n for n, there in enumerate(taken) if n and all(_are_apart(path, o) for o in there))
        lane_of[path] = lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append(path)
    boxes = {box: lane for path, lane in lane_of.items() for box in path.boxes}
    edges = [Edge(*edge, lane) for path, lane in lane_of.items() for edge in path.edges]
    edges += [Edge(*skip.edges[0]) for skip in skips if skip.top > skip.bottom]
    return Arrangement(
        tuple(rows),
        tuple(boxes[box] for box in range(len(rows))),
        tuple(sorted(edges, key=lambda edge: (edge.target, edge.source))),
        tuple(bool(there[0].boxes) for there in taken),
    )


def _are_apart(one: _Path, other: _Path) -> bool:
    """Return whether two paths may share a lane: both wide or both narrow, and apart by a row."""
    is_alike = bool(one.boxes) == bool(other.boxes)
    return is_alike and (one.bottom + 1 < other.top or other.bottom + 1 < one.top)


def _paths(inputs: Sequence[Sequence[int]], rows: Sequence[int]) -> Iterator[_Path]:
    """Yield paths that hold each box once, the longest one to the last box first."""
    consumers: list[list[int]] = [[] for _ in inputs]
    for target, sources in enumerate(inputs):
        for source in sources:
            consumers[source].append(target)
    left = set(range(len(inputs)))
    while left:
        found = [max(left)]
        while above := [source for source in inputs[found[-1]] if source in left]:
            found.append(max(above, key=lambda box: rows[box]))
        left -= set(found)
        boxes = tuple(reversed(found))
        edges = list(pairwise(boxes))
        top, bottom = rows[boxes[0]], rows[boxes[-1]]
        if inputs[boxes[0]]:
            source = max(inputs[boxes[0]], key=lambda box: rows[box])
            edges.insert(0, (source, boxes[0]))
            top = rows[source] + 1
        if consumers[boxes[-1]]:
            target = min(consumers[boxes[-1]], key=lambda box: rows[box])
            edges.append((boxes[-1], target))
            bottom = rows[target] - 1
        yield _Path(top, bottom, boxes, tuple(edges))
