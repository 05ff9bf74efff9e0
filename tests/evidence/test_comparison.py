"""Candidate against control in pairs: figures computed by hand, or by scipy alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from growsearch.evidence.comparison import Comparison, HeldOut, compare
from growsearch.trials.records import ArmResult, TrialRecord

Curve = Sequence[tuple[int, float]]


def arm(accuracy: float | None, curve: Curve = (), *, seconds: float = 1.0) -> ArmResult:
    points = tuple((step, value, 1.0) for step, value in curve)
    return ArmResult(accuracy, None, seconds, points, flops=1e9 * seconds)


def trial(
    candidate: ArmResult,
    *,
    gain: float | None = 0.0,
    operation: str = "widen",
    repeats: Mapping[str, Mapping[int, ArmResult]] | None = None,
    **controls: ArmResult,
) -> TrialRecord:
    return TrialRecord(
        number=0,
        state="COMPLETE",
        parent=None,
        growth="",
        operation=operation,
        layer="",
        layer_kind="conv",
        old_size="",
        new_size="",
        learning_rate=None,
        architecture="",
        parameters=0,
        flops=0,
        arms={"net2net": candidate, **controls},
        repeats=repeats or {},
        gain=gain,
        seconds=0.0,
        kept=False,
        reason="",
    )


def compared(*pairs: tuple[float | None, float | None]) -> Comparison:
    """The comparison of candidates with the control "random"."""
    return compare([trial(arm(left), random=arm(right)) for left, right in pairs]).arm("random")


PAIRS = [(0.97, 0.95), (0.98, 0.95), (0.96, 0.97), (0.99, 0.93), (0.97, 0.92), (0.95, 0.91)]


def test_means_and_counts_are_those_of_the_pairs() -> None:
    """Differences are candidate less control: 2, 3, -1, 6, 5 and 4 hundredths."""
    found = compared(*PAIRS)
    assert (found.arm, found.accuracy.n) == ("random", 6)
    assert (found.accuracy.ahead, found.accuracy.behind) == (5, 1)
    assert found.accuracy.mean == pytest.approx(0.19 / 6, abs=1e-12)


def test_the_test_is_wilcoxons() -> None:
    """With ranks 1 below and 2 to 6 above zero, 4 of the 64 signs are as extreme: p = 1/16."""
    assert compared(*PAIRS).accuracy.p_value == pytest.approx(4 / 64, abs=1e-12)


def test_six_wins_are_the_least_evidence() -> None:
    """Six differences above zero have p = 2/64, the first that falls below .05."""
    found = compared(*((0.9 + 0.01 * n, 0.9) for n in range(1, 7)))
    assert found.accuracy.p_value == pytest.approx(2 / 64, abs=1e-12)


def test_equal_differences_are_ties() -> None:
    """Differences that are equal on paper have equal ranks, whatever float arithmetic adds."""
    counts = [(3, 1), (7, 5), (9, 7), (2, 4), (8, 5), (6, 3), (5, 2), (4, 1)]
    found = compared(*((a / 10, b / 10) for a, b in counts))
    exact = [float(Fraction(a - b, 10)) for a, b in counts]
    expected = float(stats.wilcoxon(exact, zero_method="zsplit").pvalue)
    assert found.accuracy.p_value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("pairs", range(1, 6))
def test_too_few_pairs_say_so(pairs: int) -> None:
    """Below six pairs there is a mean, but neither interval nor test."""
    found = compared(*PAIRS[:pairs])
    assert found.accuracy.mean is not None
    assert (found.accuracy.interval, found.adjusted_p) == (None, None)
    assert str(found).endswith("; too few pairs for an interval or a test")


def test_equal_differences_throughout_are_no_distribution() -> None:
    """Pairs that all differ alike have no interval; the reason is not the number of pairs."""
    found = compared(*((a / 10, (a - 1) / 10) for a in range(1, 8)))
    assert found.accuracy.interval is None
    why = "differences too alike for an interval or a test"
    assert str(found).endswith(f"n = 7 (7 ahead, 0 behind); {why}")


def test_only_pairs_with_two_results_count() -> None:
    """A failed arm, on either side, leaves no pair; nor does a trial without controls."""
    trials = [
        trial(arm(0.9), random=arm(0.8)),
        trial(arm(None), random=arm(0.8)),
        trial(arm(0.9), random=arm(None)),
        trial(arm(0.9)),
        trial(arm(None)),
    ]
    assert compare(trials).arm("random").accuracy.n == 1


def test_candidates_without_controls_are_counted() -> None:
    """Pruned and failed candidates are in no pair, which flatters the rest; they are counted."""
    trials = [
        trial(arm(0.9), random=arm(0.8)),
        replace(trial(arm(0.5)), state="PRUNED"),
        replace(trial(arm(0.4)), state="PRUNED"),
        replace(trial(arm(None)), state="FAIL"),
    ]
    found = compare(trials)
    assert (found.pruned, found.failed) == (2, 1)
    assert (found.to_json()["given_up"], found.to_json()["failed"]) == (2, 1)


def test_no_pair_has_no_mean() -> None:
    """Pairs that all lack a result have no figure: none that is NaN either."""
    found = compared((None, 0.9), (0.9, None))
    assert (found.accuracy.n, found.accuracy.mean) == (0, None)
    assert str(found) == "net2net − random: no trial in which both have a result"


@pytest.mark.parametrize("trials", [[], [trial(arm(0.9))], [trial(arm(None))]])
def test_no_control_is_no_comparison(trials: list[TrialRecord]) -> None:
    """Without controls there is nothing to compare, and the evidence says so."""
    found = compare(trials)
    assert (found.overall, found.by_operation) == ((), ())
    assert str(found) == "no control arm has run"
    with pytest.raises(KeyError):
        found.arm("random")


def test_several_controls_are_corrected_for_together() -> None:
    """Holm over the arms: the smaller p times two, the larger as it is."""
    offsets = [0.01 * n for n in range(1, 9)]
    trials = [
        trial(arm(0.9 + each), scratch=arm(0.9), random=arm(0.9 + each - 0.001 * (-1) ** place))
        for place, each in enumerate(offsets)
    ]
    found = compare(trials)
    assert [each.arm for each in found.overall] == ["scratch", "random"]
    scratch, random = found.overall
    assert scratch.adjusted_p == pytest.approx(2 * scratch.accuracy.p_value)
    assert random.adjusted_p == pytest.approx(random.accuracy.p_value)


def test_operations_are_compared_apart() -> None:
    trials = [
        trial(arm(0.9), operation=name, random=arm(0.8 if name == "widen" else 0.95))
        for name in ("widen", "deepen") * 6
    ]
    found = {each.group: each for each in compare(trials).by_operation}
    assert set(found) == {"widen conv", "deepen conv"}
    assert found["widen conv"].accuracy.mean == pytest.approx(0.1)
    assert found["deepen conv"].accuracy.mean == pytest.approx(-0.05)
    assert compare(trials).overall[0].accuracy.n == 12


def test_seeds_of_one_trial_are_one_pair() -> None:
    """Repeats are no further pairs: a trial's difference is their mean, its variance is split."""
    trials = [
        trial(
            arm(0.9),
            random=arm(0.9 - base),
            repeats={
                "net2net": {1: arm(0.9), 2: arm(0.9)},
                "random": {1: arm(0.9 - base - 0.01), 2: arm(None)},
            },
        )
        for base in (0.02, 0.06)
    ]
    found = compare(trials).arm("random")
    assert found.accuracy.n == 2
    assert found.accuracy.mean == pytest.approx((0.025 + 0.065) / 2)
    assert found.variance.n == 4
    assert found.variance.between_seeds == pytest.approx(0.01 / math.sqrt(2))
    assert found.variance.between_trials > 0.02


def test_it_reads_as_a_sentence() -> None:
    """The text gives difference, number of pairs, both counts, interval and test."""
    text = str(compared(*PAIRS))
    assert text.startswith(
        "net2net − random: +0.0317 mean paired difference, n = 6 (5 ahead, 1 behind), 95 % interval"
    )
    assert text.endswith("Wilcoxon p = 0.062 (Holm)")


def test_the_winners_curse_is_what_the_choice_alone_gained() -> None:
    """.02 gained on the images of the choice, .015 on the others: .005, however hard those are."""
    for harder in (0.0, 0.03):
        held_out = HeldOut(0.985, 0.98 - harder, 0.965, 0.965 - harder)
        found = compare([trial(arm(0.9), random=arm(0.8))], held_out)
        assert found.held_out.optimism == pytest.approx(0.005)
        assert found.to_json()["held_out"]["optimism"] == pytest.approx(0.005)


def test_controls_that_failed_are_counted() -> None:
    """Failed controls beside a candidate with a result count, of every seed; no others do."""
    trials = [
        trial(arm(0.9), random=arm(0.8), scratch=arm(None)),
        trial(
            arm(0.9),
            random=arm(None),
            repeats={
                "net2net": {1: arm(0.9), 2: arm(None)},
                "random": {1: arm(None), 2: arm(None)},
            },
        ),
        trial(arm(None), random=arm(None)),
    ]
    found = compare(trials)
    assert (found.arm("random").failed, found.arm("scratch").failed) == (2, 1)
    assert "(1 ahead, 0 behind, 2 controls failed)" in str(found.arm("random"))
    assert found.to_json()["overall"][0]["failed"] == 2


def test_evidence_is_plain_json() -> None:
    trials = [trial(arm(a), random=arm(b)) for a, b in PAIRS]
    value = json.loads(json.dumps(compare(trials).to_json(), allow_nan=False))
    assert value["overall"][0]["accuracy"]["n"] == 6
    assert value["by_operation"][0]["group"] == "widen conv"


def test_the_keys_of_the_json_are_fixed() -> None:
    """A name may change in the code, but no key of the JSON, which programs read."""
    held_out = HeldOut(0.985, 0.98, 0.965, 0.965)
    value = compare([trial(arm(a), random=arm(b)) for a, b in PAIRS], held_out).to_json()
    assert set(value) == {
        *("fewest_pairs", "overall", "by_operation", "held_out", "given_up", "failed", "tuned"),
        *("acceleration", "metric"),
    }
    (comparison,) = value["overall"]
    assert set(comparison) == {
        *("arm", "group", "accuracy", "adjusted_p", "variance", "reached", "failed"),
    }
    assert set(comparison["accuracy"]) == {
        *("n", "mean", "std", "interval", "p_value", "ahead", "behind", "ties", "effect_size"),
    }
    assert set(comparison["reached"][0]) == {
        *("target", "both", "candidate_only", "control_only", "neither"),
        *("steps", "seconds", "flops"),
    }
    assert set(value["held_out"]) == {
        *("chosen_on", "held_out", "teacher_chosen_on", "teacher_held_out", "optimism"),
    }


# -- how soon ------------------------------------------------------------------------------------


def test_costs_are_medians_over_pairs_that_arrive() -> None:
    """Updates, seconds and FLOPs until the parent's accuracy; arms that miss it are counted."""
    here = [(0, 0.9), (100, 0.95)]
    trials = [
        trial(arm(0.95, here), gain=0.05, random=arm(0.92, [(0, 0.1), (100, 0.92)], seconds=2.0)),
        trial(arm(0.95, here), gain=0.05, random=arm(0.9, [(0, 0.1), (200, 0.9)], seconds=4.0)),
        trial(arm(0.95, here), gain=0.05, random=arm(0.8, [(0, 0.1), (100, 0.8)])),
    ]
    parent, candidate = compare(trials).arm("random").reached
    assert (parent.target, candidate.target) == ("parent", "candidate")
    assert (parent.both, parent.candidate_only, parent.control_only) == (2, 1, 0)
    assert parent.steps == (0.0, 150.0)
    assert parent.seconds == (0.0, 3.0)
    assert parent.flops == (0.0, 3e9)
    assert (candidate.both, candidate.candidate_only) == (0, 3)
    assert candidate.steps is None


def test_pairs_in_which_neither_arm_arrives_are_counted_too() -> None:
    """Every pair counts once, by which of its arms reach the accuracy."""
    low, high = [(0, 0.1), (100, 0.8)], [(0, 0.1), (100, 0.95)]
    trials = [
        trial(arm(a[-1][1], a), gain=a[-1][1] - 0.9, random=arm(b[-1][1], b))
        for a, b in ((low, low), (low, high), (high, low), (high, high), (low, low))
    ]
    parent, _ = compare(trials).arm("random").reached
    assert (parent.both, parent.candidate_only, parent.control_only, parent.neither) == (1, 1, 1, 2)
    assert parent.pairs == 5


def test_part_of_a_training_costs_its_part() -> None:
    """Reached half way through 4 seconds: 2 seconds, half the FLOPs."""
    control = arm(0.9, [(0, 0.1), (50, 0.91), (100, 0.9)], seconds=4.0)
    assert control.cost_of(0.9) == (50.0, 2.0, 2e9)
    assert control.cost_of(0.95) is None


@given(st.integers(1, 5000), st.integers(0, 5000))
def test_a_child_that_starts_as_its_parent_has_arrived(parent: int, child: int) -> None:
    """Equal accuracies are equal, though the parent's is found by a subtraction of floats."""
    before, after = parent / 5000, child / 5000
    curve = [(0, before), (100, after)]
    record = trial(arm(after, curve), gain=after - before, random=arm(after, curve))
    assert compare([record]).arm("random").reached[0].steps == (0.0, 0.0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=12))
def test_no_figure_is_ever_nan(counts: list[tuple[int, int]]) -> None:
    """Every figure is finite or absent for any accuracies, and there is a sentence."""
    found = compare([trial(arm(a / 300), random=arm(b / 300)) for a, b in counts])
    json.dumps(found.to_json(), allow_nan=False)
    assert "nan" not in str(found)


@pytest.mark.parametrize("effect", [0.0, 0.004])
def test_simulated_trials_give_the_known_effect(effect: float) -> None:
    """300 simulated runs of 20 trials, through records and all: 95 % intervals hold the effect."""
    rng = np.random.default_rng(int(1e4 * effect))
    covered = []
    for _ in range(300):
        trials = [
            trial(arm(0.97 + effect + d), random=arm(0.97)) for d in rng.normal(0.0, 0.004, 20)
        ]
        low, high = compare(trials).arm("random").accuracy.interval
        covered.append(low <= effect <= high)
    assert 0.91 <= np.mean(covered) <= 0.98
