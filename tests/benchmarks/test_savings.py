"""Savings of compute from curves over budgets: figures computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.savings import Saving, best_configuration, saving, to_reach, where_it_ends


def test_between_budgets_it_is_linear_in_log_compute() -> None:
    """Half way from .5 to .7 is the geometric mean of the two budgets."""
    assert to_reach([4.0, 16.0], [0.5, 0.7], 0.6) == (pytest.approx(8.0), "")
    assert to_reach([4.0, 16.0, 64.0], [0.5, 0.6, 0.8], 0.8) == (pytest.approx(64.0), "")


def test_the_first_time_counts() -> None:
    """A larger budget that is worse again takes nothing back."""
    assert to_reach([1.0, 10.0, 100.0], [0.5, 0.7, 0.6], 0.7) == (pytest.approx(10.0), "")
    assert to_reach([1.0, 10.0, 100.0], [0.5, 0.7, 0.6], 0.71) == (100.0, "at least")
    rising = to_reach([1.0, 10.0, 100.0, 1000.0], [0.5, 0.7, 0.6, 0.9], 0.8)
    assert rising == (pytest.approx(math.sqrt(1e5)), "")


def test_outside_the_budgets_it_is_a_bound() -> None:
    """Below the smallest it is at most that, above the largest at least that."""
    assert to_reach([4.0, 16.0], [0.5, 0.7], 0.4) == (4.0, "at most")
    assert to_reach([4.0, 16.0], [0.5, 0.7], 0.5) == (4.0, "")
    assert to_reach([4.0, 16.0], [0.5, 0.7], 0.9) == (16.0, "at least")


def test_the_order_is_that_of_compute() -> None:
    """Measured seconds need not rise with the budget: the least that reaches the value counts."""
    assert to_reach([16.0, 4.0], [0.7, 0.5], 0.6) == (pytest.approx(8.0), "")
    assert to_reach([16.0, 4.0], [0.5, 0.7], 0.6) == (4.0, "at most")


@given(
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.5),
)
def test_a_higher_target_never_needs_less(values: list[float], target: float, more: float) -> None:
    """The compute rises with the target, and stays between the budgets."""
    compute = [2.0**place for place in range(len(values))]
    low, high = (to_reach(compute, values, each)[0] for each in (target, target + more))
    assert compute[0] * (1 - 1e-9) <= low <= high * (1 + 1e-9)
    assert high <= compute[-1] * (1 + 1e-9)


def curve(noise: float, seeds: int = 5) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([[0.6], [0.7], [0.8]]) + noise * rng.normal(size=(3, seeds))


def test_the_same_curve_saves_nothing() -> None:
    """A contender against itself: 0 at every budget, the interval round it."""
    values = curve(0.003)
    for budget, compute in enumerate((1.0, 2.0, 4.0)):
        found = saving([1.0, 2.0, 4.0], values, compute, values[budget])
        assert found.mean == pytest.approx(0.0, abs=1e-12)
        assert found.interval[0] <= 0.0 <= found.interval[1]


def test_half_the_compute_saves_half() -> None:
    """Reached at 2 where the other needs 4; the interval holds it, and narrows with the noise."""
    targets = np.full(5, 0.7)
    found = saving([1.0, 2.0, 4.0], curve(0.0), 4.0, targets)
    assert found.mean == pytest.approx(0.5)
    wide, narrow = (saving([1.0, 2.0, 4.0], curve(n), 4.0, targets) for n in (0.01, 0.001))
    assert wide.interval[1] - wide.interval[0] > narrow.interval[1] - narrow.interval[0] > 0.0
    assert wide.interval[0] < wide.mean < wide.interval[1]


def test_what_is_never_reached_is_saved_at_most() -> None:
    """The largest budget of 4 against 4: at most 0; the smallest of 1 against 2: at least half."""
    never = saving([1.0, 2.0, 4.0], curve(0.0), 4.0, np.full(5, 0.9))
    assert (never.mean, never.bound) == (0.0, "at most")
    at_once = saving([1.0, 2.0, 4.0], curve(0.0), 2.0, np.full(5, 0.5))
    assert (at_once.mean, at_once.bound) == (0.5, "at least")
    assert str(never).startswith("≤ +0 %")
    assert str(at_once).startswith("≥ +50 %")


def test_two_seeds_have_no_interval() -> None:
    found = saving([1.0, 2.0, 4.0], curve(0.01, seeds=2), 4.0, np.array([0.7, 0.71]))
    assert found.interval is None


def test_the_end_of_the_lead_is_told() -> None:
    """Budgets by interval above 0 and mean below it; an upper bound is neither."""
    savings = {
        1.0: Saving(0.5, (0.3, 0.6), ""),
        3.0: Saving(0.2, (-0.1, 0.4), ""),
        6.0: Saving(-0.1, (-0.3, 0.1), ""),
        12.0: Saving(-0.2, None, ""),
        24.0: Saving(0.01, (0.01, 0.02), "at most"),
        48.0: Saving(0.3, (0.1, 0.4), "at least"),
    }
    told = "shown at 1, 48; negative at 6, 12; never reached at 24"
    assert where_it_ends(savings) == told
    assert where_it_ends({3.0: savings[3.0]}) == "neither shown nor negative"


def test_configurations_are_chosen_by_mean_validation_loss() -> None:
    """Over all tuning seeds, whatever the accuracies are."""
    rows = [
        {"configuration": name, "validation_loss": loss, "validation_accuracy": loss}
        for name, loss in (("a", 0.1), ("a", 0.5), ("b", 0.2), ("b", 0.2))
    ]
    assert best_configuration(rows) == "b"
