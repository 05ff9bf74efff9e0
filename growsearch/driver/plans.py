"""The plans of a run's trainings: the trunk's, those of candidates, and those of cooled forks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from optuna.trial import FrozenTrial

from growsearch.space import SearchSpace
from growsearch.study.attributes import Candidate, Trunk
from growsearch.training import TrainingPlan
from growsearch.training.schedules import learning_rates

UNITS = 10_000  # of a schedule that passes with the time
AT_THE_END = 10**9  # of evaluations: there is none before
_LEAST_AVERAGED = 10  # updates, of an average
_TAIL = 0.05  # of a cooled fork: its rate is near 0 there


def on_plan(space: SearchSpace, trunk: Trunk, updates: int, *, readings: int = 1) -> TrainingPlan:
    """Return the plan of the trunk's next updates, which is evaluated at equal distances.

    Parameters
    ----------
    space : SearchSpace
    trunk : Trunk
    updates : int
    readings : int
        Evaluations after the start.
    """
    plan = space.training.plan_at(trunk.learning_rate)
    return replace(
        plan,
        precision=trunk.precision,
        steps=updates,
        schedule_start=trunk.updates,
        rewarm=0,
        ema=average_over(space.trunk_section.average * updates / readings),
        evaluate_every=-(-updates // readings),
    )


def candidate_plan(
    plan: TrainingPlan, space: SearchSpace, start: int, updates: int, *, readings: int = 1
) -> TrainingPlan:
    """Return the plan of a candidate, whose network has ``start`` updates behind it.

    Parameters
    ----------
    plan : TrainingPlan
        With the knobs of the trial: ``space.plan(params)``.
    space : SearchSpace
    start, updates : int
    readings : int
        Evaluations after the start; as in ``on_plan`` each is of an average over the same share of
        the updates since the one before, so that both are read alike.
    """
    return replace(
        plan,
        steps=updates,
        schedule_start=start,
        ema=average_over(space.trunk_section.average * updates / readings),
        evaluate_every=-(-updates // readings),
    )


def candidates_plan(space: SearchSpace, trial: FrozenTrial, about: Candidate) -> TrainingPlan:
    """Return the plan of a finished candidate, which its controls get too.

    Of a candidate that was trained on in a contest, it is the plan of the training before.
    """
    plan = space.plan(trial.params)
    plan = replace(plan, precision=about.precision or plan.precision)
    if not about.start or not about.curve:
        return plan
    updates = about.compared_at or about.curve[-1][0]
    return candidate_plan(plan, space, about.start_updates, updates)


def cooled_plan(space: SearchSpace, trunk: Trunk, updates: int) -> TrainingPlan:
    """Return the plan of a fork whose rate falls from the trunk's to 0."""
    return replace(
        space.training.plan_at(rate_of(space, trunk)),
        schedule="linear",
        warmup=0,
        precision=trunk.precision,
        steps=updates,
        rewarm=0,
        ema=average_over(_TAIL * updates),
        evaluate_every=updates,
    )


def over_time(plan: TrainingPlan, seconds: float) -> TrainingPlan:
    """Return a plan whose schedule passes with the time."""
    return replace(plan, steps=UNITS, seconds=seconds, evaluate_every=AT_THE_END)


def rate_of(space: SearchSpace, trunk: Trunk) -> float:
    """Return the learning rate of the trunk's next update."""
    plan = on_plan(space, trunk, 1)
    return float(learning_rates(plan, np.asarray([float(trunk.updates)]), 0)[0])


def average_over(window: float) -> float:
    """Return the decay of an average over a number of updates."""
    return 1.0 - 1.0 / max(window, _LEAST_AVERAGED)
