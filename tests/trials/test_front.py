"""The front: pure decisions about candidates, and the parents that they grow from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.trials.front import (
    Point,
    crowding,
    decide_on_front,
    next_parent,
    nondominated,
)
from growsearch.trials.judge import Score

# Few values, so that ties are common.
figures = st.tuples(st.integers(0, 12).map(lambda n: n / 12), st.integers(1, 12).map(float))


def joined(
    candidate: Point, front: Sequence[Point], scores: dict[int | None, Score] | None = None
) -> bool:
    """Return whether a candidate joins a front; without scores accuracies decide."""
    known = scores or {}

    def score_of(member: Point) -> Score:
        return known.get(member.trial, Score(member.accuracy))

    score = score_of(candidate)
    return decide_on_front(candidate, score, front, score_of, demand="parameters").kept


def front_of(
    points: Sequence[Point], scores: dict[int | None, Score] | None = None
) -> tuple[Point, ...]:
    """The front after all candidates, one after another; the first one is the first network."""
    kept = [points[0]]
    for each in points[1:]:
        if joined(each, nondominated(kept), scores):
            kept.append(each)
    return nondominated(kept)


def points_of(values: Sequence[tuple[float, float]]) -> list[Point]:
    return [Point(trial, *each) for trial, each in enumerate(values)]


@given(st.lists(figures, min_size=1, max_size=20))
def test_no_member_is_dominated(values: list[tuple[float, float]]) -> None:
    """The front holds each point that none dominates, and nothing else."""
    front = front_of(points_of(values))
    assert not any(one.dominates(other) for one in front for other in front)
    best = {
        (accuracy, demand)
        for accuracy, demand in values
        if not any(
            other != (accuracy, demand) and other[0] >= accuracy and other[1] <= demand
            for other in values
        )
    }
    assert [(each.accuracy, each.demand) for each in front] == sorted(best)


@given(st.lists(figures, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    values: list[tuple[float, float]], random: Random
) -> None:
    """Of exact values, every order gives the same front."""
    shuffled = random.sample(values, len(values))
    one, other = (
        [(each.accuracy, each.demand) for each in front_of(points_of(order))]
        for order in (values, shuffled)
    )
    assert one == other


@given(st.lists(figures, min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_caution_changes_who_joins_but_not_the_order(
    values: list[tuple[float, float]], seed: int
) -> None:
    """With noisy losses too accuracies rise with demands, and the highest kept one never falls."""
    rng = np.random.default_rng(seed)
    points = points_of(values)
    scores: dict[int | None, Score] = {
        each.trial: Score(each.accuracy, rng.exponential(1.0, 8)) for each in points
    }
    highest = -math.inf
    for end in range(1, len(points) + 1):
        front = front_of(points[:end], scores)
        assert [each.demand for each in front] == sorted({each.demand for each in front})
        assert [each.accuracy for each in front] == sorted({each.accuracy for each in front})
        assert front[-1].accuracy >= highest
        highest = front[-1].accuracy
        cheapest = min(each.demand for each in points[:end])
        assert front[0].demand == cheapest  # nothing dominates the smallest


FRONT = [Point(None, 0.90, 500.0), Point(0, 0.95, 900.0), Point(4, 0.97, 2000.0)]


@pytest.mark.parametrize(
    ("accuracy", "demand", "kept", "reason"),
    [
        (0.80, 400.0, True, "0.8000 joins the front at 400 parameters"),
        (0.96, 1000.0, True, "0.9600 joins the front at 1,000 parameters"),
        (0.95, 800.0, True, "0.9500 joins the front at 800 parameters; trial 0 leaves it"),
        (
            0.98,
            500.0,
            True,
            "0.9800 joins the front at 500 parameters; the first network and trial 0 and trial 4 "
            "leave it",
        ),
        (
            0.94,
            1000.0,
            False,
            "not surely better than trial 0 with 900 parameters: 0.9400 does not beat its 0.9500",
        ),
        (
            0.90,
            500.0,
            False,
            "not surely better than the first network with 500 parameters: 0.9000 does not beat "
            "its 0.9000",
        ),
    ],
)
def test_the_reason_says_why(accuracy: float, demand: float, kept: bool, reason: str) -> None:
    """It names the member that a candidate does not beat, or the members that leave."""
    found = decide_on_front(
        Point(5, accuracy, demand),
        Score(accuracy),
        FRONT,
        lambda member: Score(member.accuracy),
        demand="parameters",
    )
    assert (found.kept, found.reason) == (kept, reason)


def test_losses_are_asked_for_only_where_they_may_decide() -> None:
    """Those of no member that demands more, and none where accuracy refuses already."""
    asked: list[int | None] = []

    def score_of(member: Point) -> Score:
        asked.append(member.trial)
        return Score(member.accuracy)

    for accuracy, demand in ((0.94, 1000.0), (0.5, 100.0), (0.96, 1000.0)):
        new = Point(5, accuracy, demand)
        decide_on_front(new, Score(accuracy), FRONT, score_of, demand="parameters")
    assert asked == [0, None]  # of the last one alone


def joined_share(change: float, demand: float, runs: int = 300) -> float:
    """The share of candidates that join beside a member with the demand 100.

    The log-odds of the truth differ by ``change`` on average; as in the judge's own simulation.
    """
    rng, images, found = np.random.default_rng([int(1000 * abs(change)), 7]), 2500, 0
    for _ in range(runs):
        common = rng.normal(4.5, 2.3, images)
        scores = []
        for shift in (change, 0.0):
            odds = common + rng.normal(0.0, 0.6, images) + shift
            scores.append(Score(float((odds > 0.0).mean()), np.logaddexp(0.0, -odds)))
        new, old = (
            Point(trial, score.accuracy, value)
            for trial, score, value in zip((1, 0), scores, (demand, 100.0), strict=True)
        )
        found += joined(new, [old], {1: scores[0], 0: scores[1]})
    return found / runs


def test_a_larger_network_must_be_surely_better() -> None:
    """Simulated: of larger networks that are no better few join, of truly better ones most do.

    A network that demands less joins in any case: it is another trade.
    """
    assert joined_share(0.0, 200.0) < 0.2
    assert joined_share(0.0, 100.0) < 0.2
    assert joined_share(-0.1, 200.0) < 0.01
    assert joined_share(0.15, 200.0) > 0.9
    assert joined_share(-0.1, 50.0) == 1.0


@given(st.lists(figures, min_size=1, max_size=12), st.integers(1, 40))
def test_members_are_explored_evenly(values: list[tuple[float, float]], rounds: int) -> None:
    """On a front that stays, the numbers of candidates of two members differ by one at most."""
    front = nondominated(points_of(values))
    children: Counter[int | None] = Counter()
    for _ in range(rounds):
        children[next_parent(front, children).trial] += 1
    counts = [children[each.trial] for each in front]
    assert max(counts) - min(counts) <= 1


def test_lonely_members_come_first() -> None:
    """Of members with as many candidates the ends come first, then the widest gap."""
    front = points_of([(0.1, 1.0), (0.5, 10.0), (0.55, 12.0), (0.6, 14.0), (0.9, 100.0)])
    distances = crowding(front)
    assert distances[0] == distances[4] == math.inf
    order = []
    children: Counter[int | None] = Counter()
    for _ in front:
        order.append(next_parent(front, children).trial)
        children[order[-1]] += 1
    assert set(order[:2]) == {0, 4}
    assert order[2:] == sorted(order[2:], key=lambda trial: -distances[trial])
    assert order[-1] == 2
