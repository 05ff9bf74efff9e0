"""The arrangement of a graph: rows, lanes, edges."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from growsearch.page.arrangement import Arrangement, arranged


@st.composite
def graphs(draw: Any) -> list[list[int]]:
    """Graphs from one input to one output, in topological order."""
    count = draw(st.integers(1, 12))
    inputs: list[list[int]] = [[]]
    for box in range(1, count):
        sources = draw(st.sets(st.integers(0, box - 1), min_size=1, max_size=3))
        inputs.append(sorted(sources | ({box - 1} if draw(st.booleans()) else set())))
    used = {source for sources in inputs for source in sources}
    if count > 1:
        inputs[-1] = sorted({*inputs[-1], *(set(range(count - 1)) - used)})
    return inputs


def rows_of(edge: Any, found: Arrangement) -> range:
    """The rows that an edge passes."""
    return range(found.rows[edge.source] + 1, found.rows[edge.target])


@given(graphs())
def test_every_edge_runs_down(inputs: list[list[int]]) -> None:
    """Each connection is drawn once, from an earlier row to a later one."""
    found = arranged(inputs)
    drawn = [(edge.source, edge.target) for edge in found.edges]
    assert sorted(drawn) == sorted((s, t) for t, sources in enumerate(inputs) for s in sources)
    assert all(found.rows[source] < found.rows[target] for source, target in drawn)
    assert all(edge.lane is not None or not rows_of(edge, found) for edge in found.edges)


@given(graphs())
def test_nothing_lies_upon_a_box(inputs: list[list[int]]) -> None:
    """Two boxes have two places, and an edge passes no box but its own."""
    found = arranged(inputs)
    places = list(zip(found.rows, found.lanes, strict=True))
    assert len(set(places)) == len(places)
    for edge in found.edges:
        assert not {(row, edge.lane) for row in rows_of(edge, found)} & set(places)


@given(graphs())
def test_two_edges_share_no_piece_of_a_lane(inputs: list[list[int]]) -> None:
    """Edges in one lane pass different rows, so that each can be followed by eye."""
    found = arranged(inputs)
    for one, other in combinations(found.edges, 2):
        if one.lane is not None and one.lane == other.lane:
            assert not set(rows_of(one, found)) & set(rows_of(other, found))


@given(graphs())
def test_the_longest_path_is_straight(inputs: list[list[int]]) -> None:
    """The first lane has a box in every row, the output below."""
    found = arranged(inputs)
    first = sorted(row for row, lane in zip(found.rows, found.lanes, strict=True) if lane == 0)
    assert first == list(range(max(found.rows) + 1))
    assert found.lanes[-1] == 0
    assert all(found.is_wide[lane] for lane in found.lanes)
