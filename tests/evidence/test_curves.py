"""The arms' curves: paired, over the same parents, as the comparison has them at their ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from growsearch.evidence.comparison import compare
from growsearch.evidence.curves import arm_curves
from growsearch.trials.records import ArmResult
from tests.made_up_trials import arm, trials


def test_curves_are_drawn_over_trials_with_controls_only() -> None:
    """A candidate without control has no place in the comparison."""
    with_controls = trials(4)
    without = [replace(t, arms={"net2net": arm(0.5)}) for t in trials(3)]
    assert {name: each.n for name, each in arm_curves([*with_controls, *without]).items()} == {
        "net2net": 4,
        "random": 4,
        "scratch_compute": 4,
    }
    assert arm_curves(without) == {}


def test_curves_are_paired() -> None:
    """An arm that ran in some trials is drawn as far below the candidates as its pairs are.

    The three trials without "random" are far better: this must not lower its curve.
    """
    found = trials(8)
    for place in range(3):
        arms = {"net2net": arm(0.999, first=0.99), "scratch_compute": arm(0.9, steps=200)}
        found[place] = replace(found[place], arms=arms, gain=0.1)
    drawn = arm_curves(found)
    evidence = compare(found)
    assert (drawn["random"].n, drawn["net2net"].n) == (5, 8)
    ends = {name: each.end or each.means[-1] for name, each in drawn.items()}
    for name in ("random", "scratch_compute"):
        mean = evidence.arm(name).accuracy.mean
        assert ends["net2net"] - ends[name] == pytest.approx(mean, abs=1e-9)
    low, high = evidence.arm("scratch_compute").accuracy.interval
    assert low < evidence.arm("scratch_compute").accuracy.mean < high
    assert drawn["net2net"].steps == drawn["scratch_compute"].steps == (0, 20, 40, 60)


def test_bands_are_those_of_the_paired_differences() -> None:
    """At the end of equal trainings, curve and band are the comparison's mean and interval."""
    found = trials(8)
    drawn, accuracy = arm_curves(found), compare(found).arm("random").accuracy
    last = drawn["net2net"].means[-1]
    assert last - drawn["random"].high[-1] == pytest.approx(accuracy.interval[0], abs=1e-9)
    assert last - drawn["random"].low[-1] == pytest.approx(accuracy.interval[1], abs=1e-9)


def test_curves_are_means_over_seeds() -> None:
    """Repeats count in the curves as they do in the comparison."""
    again = {"net2net": {1: arm(0.98)}, "random": {1: arm(0.91)}}
    found = [replace(each, repeats=again) for each in trials(2)]
    drawn, accuracy = arm_curves(found), compare(found).arm("random").accuracy
    below = drawn["net2net"].means[-1] - drawn["random"].means[-1]
    assert below == pytest.approx(accuracy.mean, abs=1e-9)


def test_failed_arms_are_not_drawn() -> None:
    """A control that diverged has no curve; the others' are drawn without it."""
    failed = {"net2net": arm(0.97), "random": ArmResult(None, None, 0.0, failure="nan")}
    assert "random" not in arm_curves([replace(t, arms=failed) for t in trials(2)])
    found = trials(4)
    found[0] = replace(found[0], arms=dict(found[0].arms) | {"random": failed["random"]})
    assert arm_curves(found)["random"].n == 3
