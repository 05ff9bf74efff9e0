"""Grown lineages: paths that end in the final network, and budgets that are spent once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lineages import (
    GROWN,
    PATHS,
    SCRATCH,
    Grown,
    Scratch,
    lineage_plans,
    path,
    scratch_plan,
    shares,
    stages,
    updates,
)
from growsearch.growth import grow
from growsearch.networks import Network
from growsearch.networks.reference import forward
from growsearch.training import TrainingPlan
from growsearch.training.schedules import learning_rates

SHAPE = (28, 28, 1)
BASE = TrainingPlan(1, 128, optimizer="momentum")


def rates(plan: TrainingPlan) -> np.ndarray:
    return learning_rates(plan, np.arange(plan.steps, dtype=np.float64), 0)


def test_contenders_are_tuned_alike() -> None:
    """The same number of configurations each, all different."""
    assert len(set(SCRATCH)) == len(SCRATCH) == len(GROWN) == len(set(GROWN))
    assert len({*map(str, SCRATCH)}) == len({*map(str, GROWN)}) == len(GROWN)


@pytest.mark.parametrize("final", PATHS)
def test_a_path_grows_by_at_most_two(final: str) -> None:
    """No layer more than doubles in a step, and every step makes the network larger."""
    networks = stages(final, SHAPE, 10)
    assert len(networks) == len(PATHS[final]) + 1
    for before, after in pairwise(networks):
        assert after.flops > before.flops
        for node in before.nodes:
            if node.layer.is_producer and node is not before.output:
                assert 1 <= after[node.name].layer.width / node.layer.width <= 2


@pytest.mark.parametrize("final", PATHS)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_path_keeps_the_function(final: str, at_once: bool) -> None:
    """The final network of a lineage is the one from scratch, and computes what the first did."""
    images = np.random.default_rng(0).random((4, *SHAPE))
    steps, networks = path(final, at_once=at_once), stages(final, SHAPE, 10, at_once=at_once)
    assert len(networks) == len(steps) + 1 == (2 if at_once else len(PATHS[final]) + 1)
    first = network = Network.initial(networks[0], rng=0)
    for growths in steps:
        for growth in growths:
            network = grow(network, growth, rng=0, images=images.astype(np.float32))
    assert str(network.architecture) == str(stages(final, SHAPE, 10)[-1]) == str(networks[-1])
    before, after = forward(first, images), forward(network, images)
    assert np.abs(after - before).max() < 1e-5 * np.abs(before).max()


@given(st.integers(1, 5), st.floats(0.05, 0.6))
def test_shares_are_the_whole_budget(growths: int, last: float) -> None:
    """They sum to 1, and the final network has all that follows the last growth."""
    found = shares(growths, last)
    assert len(found) == growths + 1
    assert sum(found) == pytest.approx(1.0)
    assert found[-1] == pytest.approx(1.0 - last)


@pytest.mark.parametrize("configuration", GROWN)
def test_a_lineage_spends_its_budget(configuration: Grown) -> None:
    """Updates times their seconds are the budget, to half an update of each network."""
    costs = (0.008, 0.016, 0.033)
    found = updates(14.0, costs, configuration)
    spent = sum(count * cost for count, cost in zip(found, costs, strict=True))
    assert abs(spent - 14.0) <= sum(costs) / 2


@pytest.mark.parametrize("configuration", GROWN)
def test_a_lineage_decays_once_and_at_its_end(configuration: Grown) -> None:
    """Constant before the last growth; after it re-warmed, constant, and down to almost 0."""
    steps = updates(60.0, (0.01, 0.02, 0.04), configuration)
    early, middle, last = map(rates, lineage_plans(steps, configuration, BASE))
    top = np.float32(configuration.rate)
    assert (early[100:] == top).all()
    assert early[0] < 0.02 * top
    assert (middle[60:] == top).all()
    assert middle[0] < 0.02 * top
    fallen = int((last[60:] < top).sum())
    whole = configuration.decay / (1.0 - configuration.last_growth)
    assert fallen == pytest.approx(whole * len(last), abs=1.5)
    assert last[0] < 0.02 * top
    assert last[-1] < 0.01 * top


def test_a_short_lineage_still_gets_to_its_rate() -> None:
    """Warm-up and re-warming take at most a half and a quarter of a training."""
    first, second, last = lineage_plans([10, 8, 40], Grown(0.4, 0.3), BASE)
    assert (first.warmup, second.rewarm, last.rewarm) == (5, 2, 10)
    assert rates(first).max() == rates(second).max() == np.float32(0.4)


def test_from_scratch_is_wholly_decayed() -> None:
    """One cycle over all updates: it rises to its rate, and ends near 0."""
    found = rates(scratch_plan(200, Scratch(0.8), BASE))
    assert found.max() == pytest.approx(0.8, rel=1e-3)
    assert found[-1] < 1e-3 * found.max()
