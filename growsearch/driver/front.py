"""The steps of a search that keeps a front: the next parent, the demand, the decision."""

from __future__ import annotations

import math
from collections import Counter

from growsearch.driver.events import FrontRead
from growsearch.driver.proposals import may_grow
from growsearch.driver.run import Run
from growsearch.errors import RunError
from growsearch.networks import Architecture
from growsearch.study.attributes import Candidate, TeacherAttribute
from growsearch.study.networks import Best
from growsearch.study.run_state import RunState, read_state
from growsearch.study.untrusted import finite, untrusted
from growsearch.trials.demands import DEMANDS, milliseconds_of
from growsearch.trials.front import Point, decide_on_front, next_parent
from growsearch.trials.judge import Decision, Score
from growsearch.trials.measurements import SpeedJob
from growsearch.trials.outcome import TrialOutcome

_LEAST = 1e-9  # of a demand whose logarithm is taken


def parent_for(state: RunState, run: Run, index: int) -> Best:
    """Return the network that the candidate of an index grows from.

    Of a front it is the member of which the fewest candidates were made before, as
    :func:`growsearch.trials.front.next_parent` says. Members from which no growth is legal are
    passed over. In a run with one objective it is the incumbent.
    """
    children = Counter(
        Candidate.parent_of(trial) for trial in state.placed[:index] if Candidate.is_whole(trial)
    )
    members = {each.point: each for each in state.front}
    while members:
        chosen = next_parent([*members], children)
        best = members.pop(chosen).best
        if may_grow(best.network.architecture, run.space):
            return best
    return state.incumbent


def demand_of(run: Run, architecture: Architecture) -> float | None:
    """Return the second objective of an architecture, by measurement where it is measured so.

    It is None in a run with one objective.
    """
    space = run.space
    name = space.search.demand
    if name is None:
        return None
    of = DEMANDS[name].of
    if of is not None:
        return float(of(architecture))
    plan = space.training.plan_at(space.choices.learning_rate[0])  # one for all networks
    speed = run.execute(SpeedJob("the speed of a network", architecture, plan), "candidates")
    if speed is None:
        raise RunError(f"search.objective: {name}: expected a trainer that measures its speed")
    return milliseconds_of(speed, plan.batch_size)


def halvings(run: Run, state: RunState, parent: int | None, demand: float | None) -> float | None:
    """Return how often a demand was halved, from that of a parent; None with one objective."""
    if demand is None:
        return None
    if parent is None:
        teacher = TeacherAttribute.read(run.study)
        before = None if teacher is None else teacher.demand
    else:
        before = (state.trials[parent].values or [None, None])[1]
    with untrusted(f"the demand of the parent {parent!r}"):
        return math.log2(max(finite(before), _LEAST) / max(demand, _LEAST))


def judge_on_front(run: Run, state: RunState, point: Point, outcome: TrialOutcome) -> Decision:
    """Decide whether a candidate joins the front of now."""
    demand = run.space.search.demand
    assert demand is not None
    networks = {each.point: each.sha256 for each in state.front}
    is_paired = outcome.losses is not None or outcome.shares is not None

    def score_of(member: Point) -> Score:
        if not is_paired:
            return Score(member.accuracy)
        known = run.evaluated(networks[member])
        return Score(member.accuracy, known.losses, known.shares)

    return decide_on_front(
        point,
        Score(point.accuracy, outcome.losses, outcome.shares),
        [each.point for each in state.front],
        score_of,
        demand=demand,
        margin=run.space.judge.margin,
    )


def tell_front(run: Run) -> None:
    """Announce the front of now, in a run that has one."""
    demand = run.space.search.demand
    if demand is not None:
        front = read_state(run.study, run.store).front
        members = tuple((e.point.trial, e.point.accuracy, e.point.demand) for e in front)
        run.on_event(FrontRead(demand, members))
