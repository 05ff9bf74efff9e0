"""The time limit of a job: given, or ten times what the longest job so far explains."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.execution.time_limit import TimeLimit
from growsearch.training import TrainingPlan
from growsearch.trials.job import TrialJob
from growsearch.trials.measurements import EvaluationJob

LEAST = 300.0


def training(steps: int, rates: int = 0, seconds: float | None = None) -> TrialJob:
    plan = replace(TrainingPlan(steps), seconds=seconds)
    tuned = tuple(0.1 / (n + 1) for n in range(rates))
    return TrialJob("trial 1", "a" * 64, plan, "b" * 64, 1, 2, learning_rates=tuned)


EVALUATION = EvaluationJob("evaluation", "a" * 64, "test", "b" * 64)


def test_a_given_limit_is_that_of_every_job() -> None:
    """Whatever was learned."""
    limit = TimeLimit(7.0, [(10, 1e6)])
    limit.learn(training(10), 1e6)
    assert [limit.of(job) for job in (training(1), training(10**6), EVALUATION)] == [7.0] * 3


def test_before_the_first_job_there_is_none() -> None:
    """The teacher's training may take any time."""
    limit = TimeLimit(None)
    assert limit.of(training(100)) == limit.of(EVALUATION) == math.inf


def test_a_measurement_limits_no_training() -> None:
    """The widths are measured before the teacher, which may train for hours."""
    limit = TimeLimit(None)
    limit.learn(EVALUATION, 4.0)
    assert limit.of(training(100)) == math.inf
    assert limit.of(EVALUATION) == LEAST


def test_a_plan_over_time_has_its_time_beside_a_given_limit() -> None:
    """Else a polish of 20 minutes would always end at a limit of 5."""
    assert TimeLimit(300.0).of(training(1, seconds=1200.0)) == 1500.0


def test_it_is_ten_times_the_longest_and_five_minutes_at_least() -> None:
    limit = TimeLimit(None, [(100, 12.0)])
    assert limit.of(training(100)) == LEAST
    limit.learn(training(100), 50.0)
    assert limit.of(training(100)) == limit.of(training(1)) == limit.of(EVALUATION) == 500.0


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (training(100), 600.0),
        (training(1000), 6000.0),  # as of a control of equal compute
        (training(100, rates=5), 3000.0),  # each rate of a tuned control
        (training(1, seconds=200.0), 2000.0),  # a part of a polish that runs over time
        (training(1, seconds=20.0), 600.0),
        (EVALUATION, 600.0),
    ],
)
def test_a_longer_job_may_take_longer(job: TrialJob | EvaluationJob, expected: float) -> None:
    """In proportion to its updates, by the slowest update so far."""
    limit = TimeLimit(None, [(10, 0.1)])
    limit.learn(training(100), 60.0)
    assert limit.of(job) == pytest.approx(expected)


def test_what_runs_over_time_teaches_nothing_of_updates() -> None:
    """The steps of such a plan are those of its schedule."""
    limit = TimeLimit(None)
    limit.learn(training(1, seconds=90.0), 100.0)
    assert limit.of(training(1000)) == 1000.0


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.01, 1e4)), min_size=1, max_size=8))
def test_sessions_are_one(jobs: list[tuple[int, float]]) -> None:
    """The limit follows from all trainings, in any order, of this session or of earlier ones."""
    limits = [TimeLimit(None, jobs), TimeLimit(None)]
    for steps, seconds in reversed(jobs):
        limits[1].learn(training(steps), seconds)
    for job in (training(100), training(5000), EVALUATION):
        assert limits[0].of(job) == limits[1].of(job)
    for steps, seconds in jobs:
        assert limits[0].of(training(steps)) >= 10.0 * seconds


def test_a_plan_with_a_time_limit_has_it_beside_a_given_one() -> None:
    """Else the legs of a trunk, which may last a tenth of the run, would end the run."""
    job = training(1000)
    limited = replace(job, plan=replace(job.plan, time_limit=60.0))
    assert TimeLimit(30.0).of(limited) == 90.0
    assert TimeLimit(None, [(10**6, 40.0)]).of(limited) == 600.0
