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
_LEAST_AVERAGED = 100  # updates, of an average
_TAIL = 0.05  # of a cooled fork: its rate is near 0 there


def paced(space: SearchSpace, length: float) -> SearchSpace:
    """Return the space with the timescale that a run of some length asks for.

    A rate that falls soon makes good networks early, and one that falls late a better one at the
    end: behind a rate that was low for most of the run the network fits the training images too
    closely (benchmarks/README.md). So the timescale is ``trunk.timescale`` of the run, unless that
    of ``[training]`` is longer.

    Parameters
    ----------
    space : SearchSpace
    length : float
        Of the run, in updates of the first network.

    Examples
    --------
    >>> space = SearchSpace.load("fashion_mnist")
    >>> [paced(space, length).training.timescale for length in (10_000, 40_000, 80_000)]
    [1200, 1200, 2400]
    """
    timescale = max(round(space.trunk_section.timescale * length), space.training.timescale)
    training = space.training.model_copy(update={"timescale": timescale})
    return space.model_copy(update={"training": training})


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
        ema=average_over(updates, space.trunk_section.average, readings),
        evaluate_every=-(-updates // readings),
        evaluate_start=False,  # the training before it has read it
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
        ema=average_over(updates, space.trunk_section.average, readings),
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


def cooled_plan(
    space: SearchSpace,
    trunk: Trunk,
    updates: int,
    *,
    part: int = 0,
    parts: int = 1,
    seconds: float | None = None,
) -> TrainingPlan:
    """Return the plan of a part of a cooling, whose rate falls from the trunk's to 0 over all.

    Parameters
    ----------
    space : SearchSpace
    trunk : Trunk
    updates : int
        Of all parts together.
    part, parts : int
        The number of the part, from 0, and of all.
    seconds : float, optional
        Of this part, with whose time the schedule passes instead of with the updates.
    """
    first, after = updates * part // parts, updates * (part + 1) // parts
    plan = replace(
        space.training.plan_at(rate_of(space, trunk)),
        schedule="linear",
        warmup=0,
        precision=trunk.precision,
        steps=after - first,
        rewarm=0,
        ema=average_over(after - first, _TAIL),
        evaluate_every=after - first,
        evaluate_start=False,
    )
    if seconds is not None:
        plan = over_time(plan, seconds)
        first, updates = part * plan.steps, parts * plan.steps
    return replace(plan, schedule_start=first, schedule_steps=updates)


def decay_plan(
    space: SearchSpace,
    trunk: Trunk,
    updates: int,
    *,
    part: int,
    parts: int,
    seconds: float | None = None,
) -> TrainingPlan:
    """Return the plan of a part of the decay: of a cooling, or of a warm restart.

    With ``trunk.restart`` the rate rises to it over the updates of a re-warming, and falls from
    there. The keys of ``trunk.last`` take the place of the plan's in the last part. The parameters
    are those of ``cooled_plan``.
    """
    plan = cooled_plan(space, trunk, updates, part=part, parts=parts, seconds=seconds)
    section = space.trunk_section
    if section.restart is not None:
        rewarm = space.training.rewarm if part == 0 else 0
        plan = replace(plan, learning_rate=section.restart, schedule="cosine", rewarm=rewarm)
    if section.last is None or part + 1 < parts:
        return plan
    return section.last.of(plan)


def over_time(plan: TrainingPlan, seconds: float) -> TrainingPlan:
    """Return a plan whose schedule passes with the time."""
    return replace(plan, steps=UNITS, seconds=seconds, evaluate_every=AT_THE_END)


def rate_of(space: SearchSpace, trunk: Trunk) -> float:
    """Return the learning rate of the trunk's next update."""
    plan = on_plan(space, trunk, 1)
    return float(learning_rates(plan, np.asarray([float(trunk.updates)]), 0)[0])


def average_over(updates: int, share: float, readings: int = 1) -> float:
    """Return the decay of the average that a training is read by.

    It goes over a share of the updates between two readings, or over 100 where that is more: at a
    warm rate shorter averages are no better than the weights. But it goes over no more than a third
    of the whole training, since it begins with the weights at the start.

    Parameters
    ----------
    updates : int
        Of the training.
    share : float
    readings : int

    Examples
    --------
    >>> [round(1 / (1 - average_over(updates, 0.25))) for updates in (90, 360, 4000)]
    [30, 100, 1000]
    """
    window = max(share * updates / readings, _LEAST_AVERAGED)
    return 1.0 - 1.0 / max(min(window, updates / 3), 2.0)
