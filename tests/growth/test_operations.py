"""The laws of all growths: JSON gives them back, they say what they do, new names are free."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings

from growsearch.growth import (
    GROWTHS,
    AddBranch,
    Deepen,
    EnlargeKernel,
    Widen,
    WidenDeepen,
    grow,
    growth_from_json,
)
from growsearch.net2net.units import SHARES
from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layers import (
    BatchNorm,
    Conv,
)
from tests.growth_cases import (
    CASES,
    SMALL,
    change,
    every_growth,
    random_architecture,
    trained,
)
from tests.strategies import seeds


@settings(max_examples=20)
@given(seeds)
def test_growths_survive_json(seed):
    """Every growth is read from its JSON text as it was written."""
    architecture = random_architecture(seed)
    for growth in every_growth(architecture, seed=seed):
        changed = (growth.with_split(split, architecture) for split in (None, *SHARES))
        for each in (growth, *changed):
            assert growth_from_json(json.loads(json.dumps(each.to_json()))) == each


@pytest.mark.parametrize(
    "growth",
    [
        Widen("conv1", np.int64(8)),
        AddBranch("conv1", np.int32(2), np.int64(5)),
        EnlargeKernel("conv1", np.int64(5)),
        EnlargeKernel("conv1", (np.int64(5), 5)),
    ],
)
def test_whole_numbers_of_numpys_are_whole_numbers(growth):
    """And are kept as Python's, which JSON can hold."""
    architecture = Architecture.parse("3x3x4(conv1)-10(fc1)", input_shape=(8, 8, 1))
    assert growth.grown(architecture).parameters > architecture.parameters
    assert growth_from_json(json.loads(json.dumps(growth.to_json()))) == growth


def test_growths_describe_themselves():
    """Place and sizes before and after are text for tables, for every growth."""
    for architecture in CASES.values():
        for growth in every_growth(architecture):
            before, after = growth.sizes(architecture)
            assert before
            assert after
            assert before != after
            assert growth.place in architecture
            assert str(growth).startswith(growth.operation)


def test_new_names_do_not_collide():
    """Deepening, branching and skipping again and again; and a layer that has a new one's name."""
    network = trained(CASES["smooth"])
    for _ in range(3):
        network = grow(network, Deepen("conv0"), rng=0)
    architecture = network.architecture
    for operation in GROWTHS.values():
        if operation is WidenDeepen:
            continue  # a layer reaches a width once; the new names are those of Deepen
        for site in operation.sites(architecture, SMALL)[:4]:
            if len(site.grown(architecture)) > len(architecture):
                for _ in range(2):
                    network = grow(network, site, rng=0)
    taken = Architecture(
        (3, 3, 1),
        (
            Node("conv1", Conv((3, 3), 2, activation="linear"), (INPUT,)),
            Node("conv1_deep_bn", BatchNorm(activation="relu"), ("conv1",)),
            Node("conv2", Conv((1, 1), 2, activation="linear"), ("conv1_deep_bn",)),
        ),
    )
    assert change(trained(taken), grow(trained(taken), Deepen("conv1"), rng=0)) == 0.0
