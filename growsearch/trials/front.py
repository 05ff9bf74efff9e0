"""The front of a search: networks of which none is dominated, in accuracy and in one demand.

A demand is a number that is better the lower it is, such as parameters. A network dominates another
if it demands no more and is no less accurate, and differs in one of the two.

The judge is as cautious as it is with one network. A candidate joins the front if it is surely more
accurate, by the rule "superior" of ``growsearch.trials.judge``, than each member that demands no
more. A candidate that demands less than all members joins in any case. The members that a new one
dominates leave, by the figures that are shown: so the accuracies of a front rise with the demands,
and the highest accuracy never falls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from growsearch.trials.demands import DEMANDS, DemandName
from growsearch.trials.judge import Decision, Score, decide


@dataclass(frozen=True)
class Point:
    """The figures of a network in the plane of both objectives.

    Parameters
    ----------
    trial : int or None
        The trial that made it; None is the first network.
    accuracy : float
        On the selection images; or the value of another metric.
    demand : float
    """

    trial: int | None
    accuracy: float
    demand: float

    def dominates(self, other: Point) -> bool:
        """Return whether this network demands no more, is no less accurate, and differs."""
        return (
            self.demand <= other.demand
            and self.accuracy >= other.accuracy
            and (self.demand, self.accuracy) != (other.demand, other.accuracy)
        )


def nondominated(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the networks that none dominates, by rising demand; of two equal ones the first.

    Examples
    --------
    >>> several = [Point(0, 0.9, 10.0), Point(1, 0.8, 20.0), Point(2, 0.7, 5.0)]
    >>> [each.trial for each in nondominated(several)]
    [2, 0]
    """
    front: list[Point] = []
    for each in sorted(points, key=lambda each: (each.demand, -each.accuracy)):
        if not front or each.accuracy > front[-1].accuracy:
            front.append(each)
    return tuple(front)


def decide_on_front(
    candidate: Point,
    score: Score,
    front: Sequence[Point],
    score_of: Callable[[Point], Score],
    *,
    demand: DemandName,
    margin: float = 1.0,
) -> Decision:
    """Decide whether a candidate joins a front; the reason names the members that leave.

    Parameters
    ----------
    candidate : Point
    score : Score
        The candidate's, with the losses of the selection images.
    front : sequence of Point
    score_of : callable
        From a member to its score on the same images. It is called only where losses may decide.
    demand : str
        The name of the demand, for the reason.
    margin : float
        In standard errors of the difference, as of :func:`growsearch.trials.judge.decide`.

    Examples
    --------
    >>> front = [Point(None, 0.90, 500.0), Point(0, 0.95, 900.0)]
    >>> new = Point(1, 0.96, 800.0)
    >>> decide_on_front(new, Score(0.96), front, lambda m: Score(m.accuracy), demand="parameters")
    Decision(kept=True, reason='0.9600 joins the front at 800 parameters; trial 0 leaves it')
    """
    text = DEMANDS[demand].text
    smaller = [each for each in front if each.demand <= candidate.demand]
    # Those that accuracy alone decides on come first: the others' losses take an evaluation.
    for each in sorted(smaller, key=lambda each: (-each.accuracy, each.demand)):
        is_ahead = candidate.accuracy > each.accuracy
        against = score_of(each) if is_ahead else Score(each.accuracy)
        decision = decide(score, against, margin=margin, incumbent="its")
        if not decision.kept:
            reason = f"not surely better than {_named(each)} with {text(each.demand)}"
            return Decision(False, f"{reason}: {decision.reason}")
    leaving = [each for each in front if candidate.dominates(each)]
    place = f"{candidate.accuracy:.4f} joins the front at {text(candidate.demand)}"
    if not leaving:
        return Decision(True, place)
    names = " and ".join(_named(each) for each in leaving)
    return Decision(True, f"{place}; {names} leave{'s' * (len(leaving) == 1)} it")


def _named(member: Point) -> str:
    return "the first network" if member.trial is None else f"trial {member.trial}"


def crowding(front: Sequence[Point]) -> dict[int | None, float]:
    """Return the crowding distance of each member, by its trial (Deb et al., 2002, NSGA-II).

    It is the distance between the two neighbours: in accuracy and in the logarithm of the demand,
    each as a fraction of the front's range. That of the two ends is infinite.

    Examples
    --------
    >>> front = [Point(0, 0.5, 10.0), Point(1, 0.8, 100.0), Point(2, 0.9, 1000.0)]
    >>> crowding(front)
    {0: inf, 1: 2.0, 2: inf}
    """
    ordered = sorted(front, key=lambda each: each.demand)
    found = {each.trial: math.inf for each in ordered}
    if len(ordered) < 3:
        return found
    axes = (
        [each.accuracy for each in ordered],
        [math.log(max(each.demand, 1e-12)) for each in ordered],
    )
    for place, each in enumerate(ordered[1:-1], start=1):
        found[each.trial] = sum(
            abs(axis[place + 1] - axis[place - 1]) / (max(axis) - min(axis))
            for axis in axes
            if max(axis) > min(axis)
        )
    return found


def next_parent(front: Sequence[Point], children: Mapping[int | None, int]) -> Point:
    """Return the member that the next candidate grows from, so that all are explored evenly.

    It is one of those from which the fewest candidates were made; of these the one with the
    greatest crowding distance; of equal ones the most accurate.

    Parameters
    ----------
    front : sequence of Point
        At least one member.
    children : mapping
        Trial -> the candidates that were made of its network; none where it is missing.

    Examples
    --------
    >>> front = [Point(None, 0.5, 10.0), Point(1, 0.8, 100.0)]
    >>> next_parent(front, {}).trial, next_parent(front, {1: 1}).trial
    (1, None)
    """
    distances = crowding(front)
    return min(
        front,
        key=lambda each: (children.get(each.trial, 0), -distances[each.trial], -each.accuracy),
    )


def is_front(points: Sequence[Point]) -> bool:
    """Return whether accuracies rise with demands: then none dominates another."""
    ordered = sorted(points, key=lambda each: each.demand)
    return all(
        one.demand < other.demand and one.accuracy < other.accuracy
        for one, other in pairwise(ordered)
    )
