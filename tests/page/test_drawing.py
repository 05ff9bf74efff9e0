"""The drawing of a network, and what each growth of its lineage changed."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.growth import (
    GROWTHS,
    AddBranch,
    AddSkip,
    Deepen,
    EnlargeKernel,
    Limits,
    Narrow,
    Widen,
)
from growsearch.networks import Architecture
from growsearch.page.changes import histories, step_change
from growsearch.page.drawing import Box, colour_of, drawn

SMALL = Architecture.parse("3x3x8(conv1)-pool1-3x3x8(conv2)-pool2-16(fc1)-10(fc2)", (12, 12, 1))


def lineage(*growths: Any) -> list[Architecture]:
    """The first network, and the network after each growth."""
    found = [SMALL]
    for growth in growths:
        found.append(growth.grown(found[-1]))
    return found


GROWN = lineage(
    Widen("conv1", 12),
    Deepen("conv2"),
    Widen("conv1", 20),
    EnlargeKernel("conv1", (5, 5)),
    AddBranch("conv2", 4, 1),
    AddSkip("conv1", "conv2_deep", "sum"),
)


def test_each_part_of_a_width_has_the_growth_that_added_it() -> None:
    """The parts add up to the width, in the order of the growths."""
    found = histories(GROWN)
    assert found["conv1"].parts == ((0, 8), (1, 4), (3, 8))
    assert [(c.step, c.text) for c in found["conv1"].changes] == [
        *((1, "8 → 12 units"), (3, "12 → 20 units"), (4, "kernel 3×3 → 5×5")),
    ]
    assert found["conv2_deep"].born == 2
    assert found["conv2_deep"].changes[0].text == "new"
    assert found["fc1"].changes == ()
    assert found.keys() == {node.name for node in GROWN[-1].nodes}
    for name, history in found.items():
        layer = GROWN[-1][name].layer
        assert sum(units for _, units in history.parts) == (layer.width if layer.is_producer else 0)


def test_a_width_that_falls_loses_its_last_units() -> None:
    """The parts never have more units than the layer."""
    found = histories(lineage(Widen("conv1", 12), Narrow("conv1", 10)))
    assert found["conv1"].parts == ((0, 8), (1, 2))
    found = histories(lineage(Widen("conv1", 12), Narrow("conv1", 4)))
    assert found["conv1"].parts == ((0, 4),)


@pytest.mark.parametrize("operation", GROWTHS)
def test_every_operation_says_what_it_changed(operation: str) -> None:
    """No growth of a search is without a line."""
    deeper = Deepen("conv2").grown(SMALL)
    sites = GROWTHS[operation].sites(deeper, Limits())
    assert sites
    for site in sites:
        assert step_change(deeper, site.grown(deeper)).lines, site


def crosses(one: Box, other: Box) -> bool:
    """True if two boxes share a point."""
    return not (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


@st.composite
def lineages(draw: Any) -> list[Architecture]:
    """Some growths of any kind, one after the other."""
    found = [SMALL]
    for operation in draw(st.lists(st.sampled_from(["add_branch", "add_skip", "deepen", "widen"]))):
        sites = GROWTHS[operation].sites(found[-1], Limits(layers=12))
        if sites:
            found.append(draw(st.sampled_from(sites)).grown(found[-1]))
    return found


@settings(max_examples=20)
@given(lineages())
def test_every_layer_is_drawn_and_no_box_covers_another(lineage: list[Architecture]) -> None:
    """Boxes lie apart and inside the drawing, whatever grew; the table has every layer."""
    found = drawn(lineage)
    assert [row.name for row in found.rows] == [node.name for node in lineage[-1].nodes]
    assert not any(crosses(one, other) for one, other in combinations(found.boxes, 2))
    for box in found.boxes:
        assert 0 <= box.x < box.x + box.width <= found.width
        assert 0 <= box.y < box.y + box.height <= found.height
        assert all(box.y < line.y < box.y + box.height for line in box.lines)
        assert all(part.x + part.width <= box.x + box.width for part in box.parts)


def test_a_branched_network_shows_its_branches_and_sums() -> None:
    """A branch stands beside the path, and the boxes tell of every growth."""
    found = drawn(GROWN)
    assert len({box.x for box in found.boxes}) > 1
    told = {line.step for box in found.boxes for line in box.lines}
    assert told == set(range(len(GROWN)))
    joins = [row for row in found.rows if "," in row.inputs]
    assert len(joins) == 2
    assert {connection.step for connection in found.connections} >= {0, 5, 6}


def test_colours_repeat_after_the_eighth() -> None:
    """The number of a step is told in words as well."""
    assert [colour_of(step) for step in (0, 1, 8, 9, 17)] == [0, 1, 8, 1, 1]
