"""From parameters to growths: always legal, whatever was drawn, whatever the parent."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.driver.proposals import decode, distributions, may_grow, outside
from growsearch.growth import GROWTHS, Growth
from growsearch.networks import Architecture
from growsearch.networks.layers import Conv, LayerNorm
from growsearch.space import SearchSpace
from tests.growth_cases import case

SMALL = [
    "teacher.architecture=3x3x4(conv1)-pool1-3x3x6(conv2)-pool2-8(fc1)-10(fc2)",
    "teacher.input_shape=[8, 8, 1]",
    'choices.operations=["widen", "deepen", "enlarge_kernel", "add_skip", "add_branch"]',
    "limits.parameters=60_000",
    "limits.width=48",
    "limits.layers=9",
    "limits.kernel=7",
]


# Units in front of the layer norm are copied with equal shares, whatever the space asks for.
NORMALISED = "teacher.architecture=" + json.dumps(
    case(Conv((3, 3), 4), LayerNorm(), Conv((3, 3), 4), shape=(8, 8, 1)).to_json()
)


@cache
def spaces() -> tuple[SearchSpace, ...]:
    return (
        SearchSpace.load("digits", [*SMALL, "limits.width_multiple=8"]),
        SearchSpace.load("digits", [*SMALL, "limits.width_multiple=1", "limits.flops=400_000"]),
        SearchSpace.load("digits", [*SMALL, 'choices.operations=["widen"]']),
        SearchSpace.load("mnist_residual", ["limits.parameters=200_000"]),
        SearchSpace.load("net2net", ["limits.width=4096"]),
        SearchSpace.load("digits", [*SMALL, NORMALISED, 'training.split="new"']),
    )


def params(space: SearchSpace) -> st.SearchStrategy[dict[str, Any]]:
    """Everything that the distributions allow, ends included."""
    choices = space.choices
    return st.fixed_dictionaries(
        {
            "op": st.sampled_from(choices.operations),
            "position": st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0, np.nextafter(1.0, 0.0)]),
            "log2_factor": st.floats(*choices.log2_factor),
            "learning_rate": st.floats(*choices.learning_rate),
        }
    )


def widths(architecture: Architecture) -> dict[str, int]:
    return {n.name: n.layer.width for n in architecture.nodes if n.layer.is_producer}


@st.composite
def growing(draw: st.DrawFn) -> tuple[SearchSpace, list[dict[str, Any]]]:
    """A space, and what was drawn for a number of successive growths."""
    space = draw(st.sampled_from(spaces()))
    return space, draw(st.lists(params(space), min_size=1, max_size=6))


@settings(max_examples=60)
@given(growing())
def test_every_draw_is_a_legal_growth_on_every_parent(
    drawn: tuple[SearchSpace, list[dict[str, Any]]],
) -> None:
    """Nothing raises; growths stay within the limits; None only where nothing can grow."""
    space, every = drawn
    architecture, limits = space.architecture, space.growth_limits
    for given_params in every:
        growth = decode(given_params, architecture, space)
        assert (growth is not None) == may_grow(architecture, space)
        if growth is None:
            return
        assert growth.operation in space.choices.operations
        grown = growth.grown(architecture)
        assert limits.allow_growth(architecture, grown)
        assert grown != architecture
        assert grown.parameters >= architecture.parameters
        before = widths(architecture)
        for name, width in widths(grown).items():
            if name in before and width != before[name]:
                assert width > before[name]
                assert width % limits.width_multiple == 0
                assert limits.width is None or width <= limits.width
        assert decode(given_params, architecture, space) == growth
        architecture = grown


@settings(max_examples=40)
@given(st.data())
def test_an_operation_without_a_site_gives_way(data: st.DataObject) -> None:
    """To the next of the space's list that has one, in its cyclic order."""
    space = data.draw(st.sampled_from(spaces()))
    drawn = data.draw(params(space))
    growth = decode(drawn, space.architecture, space)
    operations = space.choices.operations
    first = operations.index(drawn["op"])
    with_sites = [
        name
        for name in (*operations[first:], *operations[:first])
        if GROWTHS[name].sites(space.architecture, space.growth_limits)
    ]
    assert growth is not None
    assert growth.operation == with_sites[0]


def of(space: SearchSpace, op: str, position: float = 0.0, factor: float = 1.0) -> Growth | None:
    drawn = {"op": op, "position": position, "log2_factor": factor, "learning_rate": 1e-3}
    return decode(drawn, space.architecture, space)


def test_no_room_for_layers_makes_deepen_a_widen() -> None:
    """At the limit of layers, what was to deepen widens."""
    space = SearchSpace.load("digits", ["limits.layers=4"])
    growth = of(space, "deepen")
    assert growth is not None
    assert growth.operation == "widen"


def test_nothing_can_grow_within_no_room() -> None:
    """Every draw is None if no operation has a site."""
    full = ["limits.layers=4", "limits.width=64", "limits.parameters=54_314"]
    space = SearchSpace.load("digits", full)
    assert not may_grow(space.architecture, space)
    for op in space.choices.operations:
        assert of(space, op, 0.5) is None


def test_position_goes_through_the_sites_in_order() -> None:
    """Equal shares of [0, 1] for every site; 1 is the last."""
    space = SearchSpace.load("digits")
    places = [of(space, "widen", position).place for position in (0.0, 0.34, 0.67, 1.0)]
    assert places == ["conv1", "conv2", "fc1", "fc1"]


@pytest.mark.parametrize(("factor", "width"), [(0.5, 24), (1.0, 32), (1.5, 48), (2.0, 64)])
def test_the_factor_decides_over_the_width(factor: float, width: int) -> None:
    """16 units times 2**factor, to the nearest multiple of 8."""
    space = SearchSpace.load("digits")
    assert of(space, "widen", 0.5, factor).width == width


def test_a_size_beyond_the_limits_becomes_the_nearest_legal_one() -> None:
    """Four times 16 units where 40 are allowed."""
    narrow = "teacher.architecture=5x5x8(conv1)-pool1-5x5x16(conv2)-pool2-32(fc1)-10(fc2)"
    space = SearchSpace.load("digits", [narrow, "limits.width=40"])
    assert of(space, "widen", 0.5, 2.0).width == 40


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_distributions_are_the_spaces_alone(name: str) -> None:
    """Fixed names and ranges: the parent has no part in them."""
    space = SearchSpace.load(name)
    found = distributions(space)
    assert list(found) == ["op", "position", "log2_factor", "learning_rate"]
    assert found == distributions(SearchSpace.load(name))
    assert found["op"].choices == space.choices.operations
    assert (found["position"].low, found["position"].high) == (0.0, 1.0)
    rate = found["learning_rate"]
    assert (rate.low, rate.high, rate.log) == (*space.choices.learning_rate, True)
    factor = found["log2_factor"]
    assert (factor.low, factor.high) == space.choices.log2_factor


@pytest.mark.parametrize("draw", [-1e300, -0.1, 4.1, 1e300, float("inf")])
@pytest.mark.parametrize("name", ["position", "log2_factor", "learning_rate"])
def test_what_lies_beyond_a_range_is_named(name: str, draw: float) -> None:
    """Optuna lets an enqueued value pass with a warning."""
    space = spaces()[0]
    each = distributions(space)[name]
    params = {"op": "widen", "position": 0.5, "log2_factor": 1.0}
    params |= {"learning_rate": distributions(space)["learning_rate"].high, name: each.low}
    assert outside(params, space) is None
    expected = f"{name}: expected {each.low:g} to {each.high:g}, got {draw:g}"
    assert outside(params | {name: draw}, space) == expected
