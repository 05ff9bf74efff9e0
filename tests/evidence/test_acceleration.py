"""The saving of compute against scratch_compute: figures computed by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.evidence.acceleration import accelerations
from growsearch.evidence.comparison import compare
from growsearch.trials.records import ArmResult, TrialRecord
from tests.made_up_trials import trials

Curve = Sequence[tuple[int, float]]


def arm(curve: Curve, *, flops: float, seconds: float = 1.0) -> ArmResult:
    points = tuple((step, accuracy, 0.5) for step, accuracy in curve)
    return ArmResult(curve[-1][1], 0.5, seconds, points, flops=flops)


def trial(
    candidate: ArmResult,
    control: ArmResult,
    *,
    ancestry: float | None = 600.0,
    seconds: float | None = 6.0,
    name: str = "scratch_compute",
) -> TrialRecord:
    (made,) = trials(1)
    arms = {"net2net": candidate, name: control}
    return replace(made, arms=arms, ancestry_flops=ancestry, ancestry_seconds=seconds)


SCRATCH = arm([(0, 0.1), (100, 0.9)], flops=1000.0, seconds=8.0)
HALF_WAY = arm([(0, 0.8), (50, 0.9), (100, 0.95)], flops=400.0, seconds=4.0)
TOO_SHORT = arm([(0, 0.8), (100, 0.89)], flops=400.0, seconds=4.0)
AT_ONCE = arm([(0, 0.9), (100, 0.92)], flops=400.0, seconds=4.0)


def test_the_lineage_pays_for_its_ancestors_and_its_own_way() -> None:
    """600 and half of 400 FLOPs against 1,000 save 20 %; 6 and 2 seconds against 8 save nothing."""
    (found,) = accelerations([trial(HALF_WAY, SCRATCH)])
    assert (found.arm, found.pairs, found.censored) == ("scratch_compute", 1, 0)
    assert found.flops.mean == pytest.approx(0.2)
    assert found.seconds.mean == pytest.approx(0.0)


def test_a_candidate_that_never_arrives_counts_with_all_its_compute() -> None:
    """600 and 400 against 1,000: the saving is at most 0, and the pair is counted as censored."""
    (found,) = accelerations([trial(TOO_SHORT, SCRATCH), trial(HALF_WAY, SCRATCH)])
    assert (found.pairs, found.censored) == (2, 1)
    assert found.flops.mean == pytest.approx((0.0 + 0.2) / 2)


def test_a_candidate_that_starts_there_pays_for_its_ancestors_alone() -> None:
    """600 against 1,000: at least 40 % are saved."""
    (found,) = accelerations([trial(AT_ONCE, SCRATCH)])
    assert found.flops.mean == pytest.approx(0.4)
    assert found.seconds.mean == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["scratch", "random", "continued_compute", "an arm of tomorrow"])
def test_only_an_arm_that_pays_for_the_lineage_is_compared(name: str) -> None:
    """Of the others no saving of compute can be told."""
    assert accelerations([trial(HALF_WAY, SCRATCH, name=name)]) == ()


def test_unknown_costs_are_no_savings() -> None:
    """Runs whose ancestors' FLOPs or seconds are not stored have no saving of these."""
    assert accelerations([trial(HALF_WAY, SCRATCH, ancestry=None)]) == ()
    (found,) = accelerations([trial(HALF_WAY, SCRATCH, seconds=None)])
    assert (found.flops.n, found.seconds.n) == (1, 0)
    failed = ArmResult(None, None, 0.0, failure="the loss became nan")
    assert accelerations([trial(failed, SCRATCH)]) == ()
    assert accelerations([trial(HALF_WAY, failed)]) == ()


def test_seeds_of_one_trial_are_one_value() -> None:
    """The mean over its seeds: 20 % and 40 % are 30 %; pairs are counted one by one."""
    repeats = {"net2net": {1: AT_ONCE}, "scratch_compute": {1: SCRATCH}}
    (found,) = accelerations([replace(trial(HALF_WAY, SCRATCH), repeats=repeats)])
    assert (found.pairs, found.flops.n) == (2, 1)
    assert found.flops.mean == pytest.approx(0.3)


def test_intervals_are_over_trials() -> None:
    """Six trials that differ have an interval round their mean; five have none; one is behind."""
    made = [
        trial(HALF_WAY, SCRATCH, ancestry=ancestry)
        for ancestry in (300.0, 400.0, 500.0, 600.0, 700.0, 850.0)
    ]
    (found,) = accelerations(made)
    assert found.flops.interval is not None
    low, high = found.flops.interval
    assert low < found.flops.mean < high < 1.0
    assert accelerations(made[:5])[0].flops.interval is None
    assert (found.flops.ahead, found.flops.behind) == (5, 1)


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=6),
    st.integers(0, 50),
    st.floats(0.0, 1e18),
)
def test_the_whole_compute_is_the_most_that_a_lineage_needs(
    accuracies: list[int], target: int, ancestry: float
) -> None:
    """No saving is below that of a lineage that never arrives, and none reaches 100 %."""
    curve = [(10 * place, each / 50) for place, each in enumerate(accuracies)]
    control = arm([(0, 0.0), (100, target / 50)], flops=ancestry + 400.0)
    candidate = arm(curve, flops=400.0)
    (found,) = accelerations([trial(candidate, control, ancestry=ancestry)])
    assert -1e-9 <= found.flops.mean <= 1.0


def test_the_evidence_has_the_savings_as_json() -> None:
    """With keys that programs read; none without such an arm."""
    value = json.loads(json.dumps(compare([trial(HALF_WAY, SCRATCH)]).to_json(), allow_nan=False))
    (saving,) = value["acceleration"]
    assert set(saving) == {"arm", "pairs", "censored", "flops", "seconds"}
    assert saving["flops"]["mean"] == pytest.approx(0.2)
    assert compare([trial(HALF_WAY, SCRATCH, name="random")]).to_json()["acceleration"] == []
