"""Pure values: the judge's rules, records as JSON, seeds by purpose."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from growsearch.trials.arms import ARMS, controls
from growsearch.trials.judge import Rule, Score, decide
from growsearch.trials.records import ArmResult, TrialRecord
from growsearch.trials.seeds import seed_of

fractions = st.floats(0.0, 1.0)


@given(fractions, fractions)
def test_without_losses_accuracy_decides(candidate: float, best: float) -> None:
    """A tie is not kept; the reason names both accuracies."""
    decision = decide(Score(candidate), Score(best))
    assert decision.kept == (candidate > best)
    assert f"{candidate:.4f}" in decision.reason
    assert f"{best:.4f}" in decision.reason


@given(fractions, fractions)
def test_what_was_given_up_is_never_kept(candidate: float, best: float) -> None:
    """Not even if its last accuracy is above the best."""
    decision = decide(Score(candidate), Score(best), pruned=True)
    assert not decision.kept
    assert decision.reason.startswith("pruned at ")


LOSSES = np.array([0.1, 0.4, 0.2, 0.3])
SURE, UNSURE = LOSSES - 0.05, LOSSES + np.array([0.3, -0.2, -0.2, 0.05])


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Score(0.98), "0.9800 beats the best so far, 0.9700"),
        (Score(0.98, SURE), "0.9800 beats the best so far, 0.9700"),
        (
            Score(0.98, UNSURE),
            "0.9800 is above 0.9700, but its loss is not surely lower (-0.0125 ± 0.1197)",
        ),
        (Score(0.97, SURE), "0.9700 does not beat the best so far, 0.9700"),
        (Score(0.96, SURE), "0.9600 does not beat the best so far, 0.9700"),
    ],
)
def test_the_reason_says_why(candidate: Score, reason: str) -> None:
    """In words that stand in a table."""
    decision = decide(candidate, Score(0.97, LOSSES))
    assert decision.reason == reason
    assert decision.kept == ("beats" in reason and "not" not in reason)


@pytest.mark.parametrize(
    ("candidate", "kept", "reason"),
    [
        (Score(0.96, SURE), True, "0.9600 is not worse than the best so far, 0.9700 (loss -0.0500"),
        (Score(0.96, LOSSES), True, "0.9600 is not worse than the best so far, 0.9700 (loss -0.0"),
        (Score(0.98, UNSURE), True, "0.9800 is not worse than the best so far, 0.9700 (loss -0.01"),
        (Score(0.98, LOSSES + 0.05), False, "0.9800 is worse than the best so far, 0.9700 (loss +"),
        (Score(0.97), True, "0.9700 is not worse than the best so far, 0.9700"),
        (Score(0.96), False, "0.9600 is worse than the best so far, 0.9700"),
    ],
)
def test_not_inferior_is_enough_where_the_space_says_so(
    candidate: Score, kept: bool, reason: str
) -> None:
    """The loss decides if it is known, and a loss within its error is no reason against."""
    decision = decide(candidate, Score(0.97, LOSSES), rule="not_inferior")
    assert decision.kept == kept
    assert decision.reason.startswith(reason)
    assert not decide(candidate, Score(0.97, LOSSES), rule="not_inferior", pruned=True).kept


SHARES = np.array([0.7, 0.9, 0.8, 0.6])  # of another metric, whose value is 0.75
HIGHER, UNCLEAR = SHARES + 0.02, SHARES + np.array([0.3, -0.2, -0.1, 0.04])


@pytest.mark.parametrize(
    ("shares", "rule", "kept", "reason"),
    [
        (HIGHER, "superior", True, "0.7700 beats the best so far, 0.7500"),
        (UNCLEAR, "superior", False, "0.7600 is above 0.7500, but not surely (+0.0100 ± 0.1085)"),
        (SHARES, "superior", False, "0.7500 does not beat the best so far, 0.7500"),
        (
            UNCLEAR - 0.02,
            "not_inferior",
            True,
            "0.7400 is not worse than the best so far, 0.7500 (-0.0100 ± 0.1085)",
        ),
        (
            SHARES - 0.02,
            "not_inferior",
            False,
            "0.7300 is worse than the best so far, 0.7500 (-0.0200 ± 0.0000)",
        ),
    ],
)
def test_another_metric_decides_by_its_own_error(
    shares: NDArray[np.float64], rule: Rule, kept: bool, reason: str
) -> None:
    """Its shares take the place of the losses, which do not count."""
    worse = LOSSES + 10.0
    candidate, best = (
        Score(float(each.mean()), losses, each)
        for each, losses in ((shares, worse), (SHARES, LOSSES))
    )
    decision = decide(candidate, best, rule=rule)
    assert (decision.kept, decision.reason) == (kept, reason)


@pytest.mark.parametrize("accuracy", [float("nan"), -float("inf")])
@pytest.mark.parametrize("rule", ["superior", "not_inferior"])
def test_what_is_no_number_is_never_kept(accuracy: float, rule: Rule) -> None:
    """NaN beats nothing; nor does a loss that is none."""
    assert not decide(Score(accuracy), Score(0.0), rule=rule).kept
    assert not decide(Score(0.9, LOSSES * np.nan), Score(0.8, LOSSES), rule=rule).kept


def kept_share(
    change: float, *, losses: bool = True, rule: Rule = "superior", runs: int = 2000
) -> float:
    """The share of candidates kept if log-odds of the truth differ by ``change`` on average.

    Both networks are right on about 97.5 % of the images. They agree on most, as two trainings of
    one network do, and differ by chance on each, so that accuracy and loss are noisy.
    """
    rng, images, found = np.random.default_rng([int(1000 * abs(change)), losses]), 2500, 0
    for _ in range(runs):
        common = rng.normal(4.5, 2.3, images)  # log-odds of the truth
        scores = []
        for shift in (change, 0.0):
            odds = common + rng.normal(0.0, 0.6, images) + shift
            known = np.logaddexp(0.0, -odds) if losses else None
            scores.append(Score(float((odds > 0.0).mean()), known))
        found += decide(scores[0], scores[1], rule=rule).kept
    return found / runs


def test_noise_seldom_fools_the_judge() -> None:
    """Simulated: how often a candidate is kept that is worse, no better, or truly better.

    By accuracy alone nearly every other equal candidate would be kept. With the loss as a second
    witness one in six is, a slightly worse one almost never, a better one mostly.
    """
    alone, worse_alone = (kept_share(change, losses=False) for change in (0.0, -0.06))
    equal, worse = kept_share(0.0), kept_share(-0.06)
    better = kept_share(0.1, runs=500)
    assert 0.40 < alone < 0.50
    assert worse_alone > 0.2
    assert 0.08 < equal < 0.17
    assert worse < 0.02
    assert better > 0.75


def test_not_inferior_keeps_equals_and_refuses_what_is_clearly_worse() -> None:
    """Simulated: five in six equal candidates pass, hardly any whose log-odds fell by a fifth."""
    assert 0.78 < kept_share(0.0, rule="not_inferior", runs=500) < 0.9
    assert kept_share(-0.2, rule="not_inferior", runs=500) < 0.02
    assert kept_share(0.1, rule="not_inferior", runs=500) > 0.98


ARM = ArmResult(0.5, 1.25, 2.0, ((0, 0.25, 2.0), (4, 0.5, 1.25)))
RECORD = TrialRecord(
    number=3,
    state="COMPLETE",
    parent=None,
    growth="widen(conv1, 8)",
    operation="widen",
    layer="conv1",
    old_size="4",
    new_size="8",
    learning_rate=1e-3,
    architecture="3x3x8(conv1)-10(fc1)",
    parameters=100,
    flops=2000,
    arms={"net2net": ARM, "random": ArmResult(None, None, 0.0, failure="nan")},
    gain=0.25,
    seconds=2.0,
    kept=True,
    reason="0.5000 beats the best so far, 0.2500",
)


def test_a_record_is_plain_json() -> None:
    """Every field, the arms with their curves, None where there is nothing."""
    value = json.loads(json.dumps(RECORD.to_json(), allow_nan=False))
    assert set(value) == set(RECORD.__dataclass_fields__)
    assert value["parent"] is None
    assert value["arms"]["net2net"]["curve"] == [[0, 0.25, 2.0], [4, 0.5, 1.25]]
    assert value["arms"]["random"] == {
        "accuracy": None,
        "loss": None,
        "seconds": 0.0,
        "curve": [],
        "failure": "nan",
        "flops": 0.0,
        "learning_rate": None,
        "tried": [],
    }


def test_a_records_accuracy_is_its_candidates() -> None:
    """Never a control's; None where the candidate is missing or failed."""
    assert RECORD.validation_accuracy == 0.5
    assert replace(RECORD, arms={"random": ARM}).validation_accuracy is None
    assert replace(RECORD, arms={"net2net": ArmResult(None, None, 0.0)}).validation_accuracy is None


def test_records_are_frozen() -> None:
    """A result does not change after the fact."""
    with pytest.raises(AttributeError):
        RECORD.kept = False  # type: ignore[misc]


def test_seeds_differ_by_run_place_and_purpose() -> None:
    """No two draws of a run share a seed."""
    purposes = ("teacher", "order", "proposal", "controls", *ARMS)
    every = [
        seed_of(seed, index, purpose)
        for seed in range(8)
        for index in range(40)
        for purpose in purposes
    ]
    assert len(set(every)) == len(every)


@given(st.integers(0, 2**64), st.integers(0, 10**6), st.text())
def test_a_seed_fits_every_library(seed: int, index: int, purpose: str) -> None:
    """31 bits, and the same each time."""
    assert 0 <= seed_of(seed, index, purpose) < 2**31
    assert seed_of(seed, index, purpose) == seed_of(seed, index, purpose)


def test_seeds_are_the_same_in_every_version() -> None:
    """A run that is resumed years later draws the same."""
    assert seed_of(0, 0, "order") == 1839385552


def test_only_the_candidate_is_no_control() -> None:
    """Every other arm answers a question."""
    assert controls() == (
        *("random", "scratch", "scratch_compute", "continued", "continued_compute"),
    )
