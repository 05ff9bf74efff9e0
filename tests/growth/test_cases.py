"""The networks that growth is tested on leave nothing out."""

from __future__ import annotations

import pytest

from growsearch.networks.layers import LAYERS
from tests.growth_cases import CASES, every_growth, random_architecture


@pytest.mark.parametrize("source", ["cases", "random"])
def test_the_networks_hold_every_layer_type(source):
    """A layer type that no test network holds would go untested."""
    drawn = map(random_architecture, range(600))
    architectures = CASES.values() if source == "cases" else drawn
    kinds = {node.layer.kind for each in architectures for node in each.nodes}
    assert kinds == set(LAYERS)


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_something_to_grow(name):
    """A case without a legal site would pass every law in silence."""
    assert {type(growth).operation for growth in every_growth(CASES[name])} >= {"widen", "deepen"}
