"""The cost of updates: measured seconds, or updates of the first network, to the last bit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.driver.costs import Costs, within_price
from growsearch.space import SearchSpace
from growsearch.training import Point
from growsearch.trials.outcome import TrialOutcome

SPACE = SearchSpace.load("mnist")
FIRST = SPACE.architecture.flops
MEASURED, BY_UPDATES = Costs(FIRST, measured=True), Costs(FIRST, measured=False)


LONG: dict[str, float] = {"left": 1e12, "epoch": 1.0}


def trained(steps: int, seconds: float) -> TrialOutcome:
    return TrialOutcome(curve=(Point(0, 0.1, 2.0), Point(steps, 0.9, 0.3)), seconds=seconds)


flops = st.integers(1, 10**10)


@given(flops, st.integers(1, 10**6), st.floats(0.001, 1e5))
def test_without_a_time_budget_no_clock_is_read(size: int, steps: int, seconds: float) -> None:
    """The cost follows from FLOPs alone: the nearest float of the exact ratio, on any machine."""
    assert BY_UPDATES.of_update(size, trained(steps, seconds)) == float(Fraction(size, FIRST))
    assert BY_UPDATES.of_update(FIRST, trained(steps, seconds)) == 1.0
    assert BY_UPDATES.expected(1.0, size, FIRST) == float(Fraction(size, FIRST))


@given(flops, st.integers(1, 10**6), st.floats(0.001, 1e5))
def test_with_a_time_budget_costs_are_seconds(size: int, steps: int, seconds: float) -> None:
    """Those of the updates, without evaluations and graphs, whatever the network's FLOPs."""
    assert MEASURED.of_update(size, trained(steps, seconds)) * steps == pytest.approx(seconds)


@pytest.mark.parametrize("outcome", [trained(0, 1.0), trained(10, 0.0)])
def test_what_was_not_measured_costs_by_its_flops(outcome: TrialOutcome) -> None:
    """A training of no update, or of no time, divides nothing by 0."""
    assert MEASURED.of_update(3 * FIRST, outcome) == 3.0


@given(st.floats(1e-4, 10.0), flops, st.floats(1.0, 100.0))
def test_a_larger_network_is_expected_to_cost_more_and_never_more_than_its_flops(
    step: float, before: int, ratio: float
) -> None:
    """In seconds less than in proportion: a wide layer is computed more efficiently."""
    after = int(before * ratio)
    measured = MEASURED.expected(step, after, before)
    assert step * (1.0 - 1e-9) <= measured <= BY_UPDATES.expected(step, after, before) * (1 + 1e-9)


@given(st.sampled_from([MEASURED, BY_UPDATES]), st.floats(1.0, 20.0), st.integers(1000, 10**10))
def test_the_flops_within_a_price_cost_no_more(costs: Costs, ratio: float, before: int) -> None:
    """And one thousandth more FLOPs cost more than the price."""
    most = costs.flops_within(ratio, before)
    assert costs.expected(1.0, most, before) <= ratio * (1.0 + 1e-9)
    assert costs.expected(1.0, most + 1 + most // 500, before) > ratio


@given(st.floats(0.0, 1e5), st.floats(1e-4, 1e3), st.integers(1, 5))
def test_updates_cost_what_they_are_for(cost: float, one: float, least: int) -> None:
    """To the nearest update; at least as many as there are readings."""
    found = MEASURED.updates(cost, one, least=least)
    assert found >= least
    assert found == least or abs(found * one - cost) <= one * 0.5 * (1.0 + 1e-9)


@pytest.mark.parametrize(
    ("bound", "dearest", "expected"),
    [(None, 2.0, 2 * FIRST), (10**9, 2.0, 2 * FIRST), (FIRST + 7, 2.0, FIRST + 7)],
)
def test_growths_within_a_price(bound: int | None, dearest: float, expected: int) -> None:
    """The tighter of the price and the space's own limit; the space itself is left alone."""
    space = SPACE.replace(limits={"flops": bound}, trunk={"dearest": dearest})
    priced = within_price(space, FIRST, BY_UPDATES, **LONG)
    assert priced.limits.flops == expected
    assert space.limits.flops == bound
    assert priced.growth_limits.flops == expected
    same = {"limits"}
    assert priced.model_dump(exclude=same) == space.model_dump(exclude=same)


def test_a_price_is_relative_to_the_network_that_grows() -> None:
    """A trunk that has grown may grow by the same factor again."""
    for size in (FIRST, 5 * FIRST):
        assert within_price(SPACE, size, BY_UPDATES, **LONG).limits.flops == min(
            int(SPACE.trunk_section.dearest * size), SPACE.limits.flops or 10**12
        )


@given(
    st.sampled_from([MEASURED, BY_UPDATES]),
    st.floats(1.0, 1e6),
    st.floats(1.0, 1e4),
    st.floats(0.1, 100.0),
)
def test_a_growth_that_is_proposed_has_the_time_to_pay(
    costs: Costs, left: float, epoch: float, passes: float
) -> None:
    """An update r times as dear as the first network's leaves r times as many passes."""
    space = SPACE.replace(limits={"flops": None}, trunk={"passes": passes, "dearest": 100.0})
    most = within_price(space, 10**9, costs, left=left, epoch=epoch).limits.flops
    assert most is not None
    for flops, is_within in ((most, True), (most + 1 + most // 100, False)):
        dearer = costs.expected(1.0, flops, FIRST)
        updates = left / dearer
        if is_within and most > 1:
            assert updates / epoch >= passes * dearer * (1.0 - 1e-6)
        elif most < 10**10:
            assert updates / epoch < passes * dearer


def test_a_run_that_is_four_times_as_long_may_grow_twice_as_dear() -> None:
    """Size grows with the root of the time."""
    space = SPACE.replace(limits={"flops": None}, trunk={"dearest": 100.0})
    one, four = (
        within_price(space, 10**9, BY_UPDATES, left=left, epoch=400.0).limits.flops
        for left in (30_000.0, 120_000.0)
    )
    assert one is not None
    assert four == pytest.approx(2 * one, abs=2)


def test_at_the_end_nothing_grows() -> None:
    """No time is left: no network has as few FLOPs."""
    assert within_price(SPACE, FIRST, MEASURED, left=-1.0, epoch=400.0).limits.flops == 1
