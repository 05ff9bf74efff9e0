"""The controls of a finished candidate: which it gets, their jobs, and how they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState, create_trial

from growsearch.driver.candidates import start_of
from growsearch.driver.plans import candidates_plan
from growsearch.driver.run import Run
from growsearch.errors import NetworkFileError
from growsearch.space.wanted import wanted_controls
from growsearch.study.attributes import Candidate, Control, control_outcome
from growsearch.study.networks import ancestry_of, warn_damaged
from growsearch.study.read import controls_by_number, controls_of
from growsearch.study.run_state import RunState
from growsearch.training import TrainingPlan
from growsearch.trials.arms import ARMS, CANDIDATE, steps_of
from growsearch.trials.job import TrialJob
from growsearch.trials.outcome import TrialOutcome

_TUNING = 10**0.5  # between the learning rates that a tuned control tries


@dataclass(eq=False)
class ControlTask:
    """A control that is not finished: its description, its job, and the candidate's trial."""

    trial: FrozenTrial
    control: Control
    job: TrialJob
    is_sent: bool = False
    began: datetime | None = None


def lacking(run: Run, state: RunState) -> list[int]:
    """Return the numbers of finished candidates that lack controls, after an interruption."""
    done = controls_by_number(run.control_study)
    return [
        trial.number
        for trial in state.counted
        if set(_wanted(run, trial)) - set(done.get(trial.number, ()))
    ]


def controls_for(run: Run, state: RunState, trial: FrozenTrial) -> list[ControlTask]:
    """Return the controls that a finished candidate lacks; none if its parent's file is damaged."""
    wanted = _wanted(run, trial)
    if not wanted:
        return []
    done = controls_of(run.control_study, trial.number)
    missing = [each for each in wanted if each not in done]
    if not missing:
        return []
    run.store.path(start_of(state, Candidate.read(trial)))  # refuses what is no name
    try:
        return list(_tasks(run, state, trial, missing))
    except NetworkFileError as error:
        warn_damaged(f"trial {trial.number}: its controls are passed over: {error}")
        return []


def _wanted(run: Run, trial: FrozenTrial) -> list[tuple[str, int]]:
    """Return (arm, repeat) of every control that a candidate gets: none unless it is complete."""
    if trial.state != TrialState.COMPLETE:
        return []
    return wanted_controls(run.space, run.seed, Candidate.read(trial).index)


def _tasks(
    run: Run, state: RunState, trial: FrozenTrial, missing: list[tuple[str, int]]
) -> Iterator[ControlTask]:
    """Yield each control with its job: the candidate's, with another arm."""
    about = Candidate.read(trial)
    index = about.index
    parent = start_of(state, about)
    before = run.store.get(parent).architecture
    growth = about.grown_from(before, trial.number)
    after, ancestry = growth.grown(before), ancestry_of(run.study, state.trials, about)
    plan = candidates_plan(run.paced_space, trial, about)
    for arm, repeat in missing:
        seed = f"/{repeat}" if repeat else ""
        architecture = after if ARMS[arm].grows else before
        steps = steps_of(
            arm,
            plan.steps,
            flops=architecture.flops,
            candidate=after.flops,
            batch_size=plan.batch_size,
            ancestry=ancestry,
        )
        control = Control(
            candidate=trial.number,
            arm=arm,
            repeat=repeat,
            index=index,
            growth=str(growth),
            architecture=str(architecture),
            parameters=architecture.parameters,
        )
        tuned = run.space.controls.tuned if arm != CANDIDATE else 1
        yield ControlTask(
            trial,
            control,
            TrialJob(
                name=f"trial {trial.number} {arm}{seed}",
                parent=parent,
                growth=growth,
                arm=arm,
                plan=_plan_of(arm, plan, steps),
                data=run.data,
                start_seed=run.seed_of(index, arm + seed),
                order_seed=run.seed_of(index, "order" + seed),
                slots=run.space.training.slots,
                learning_rates=learning_rates(plan.learning_rate, tuned) if tuned > 1 else (),
            ),
        )


def _plan_of(arm: str, plan: TrainingPlan, steps: int) -> TrainingPlan:
    """Return the plan of a control: one from scratch has the schedule from its begin."""
    plan = plan.with_steps(steps)
    if ARMS[arm].inherits:
        return plan
    return replace(plan, schedule_start=0, rewarm=0)


def record_control(run: Run, task: ControlTask, outcome: TrialOutcome) -> None:
    """Add a finished control to the sibling study, in one transaction."""
    trial = task.trial
    attributes = task.control.to_attributes() | control_outcome(outcome)
    run.guard.check()
    if outcome.failure is not None:
        stored = create_trial(
            state=TrialState.FAIL,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
        )
    else:
        stored = create_trial(
            value=outcome.accuracy,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
            intermediate_values={point.step: point.accuracy for point in outcome.curve},
        )
    stored.datetime_start = task.began
    run.control_study.add_trial(stored)


def learning_rates(rate: float, count: int) -> tuple[float, ...]:
    """Return the rates that a tuned control tries: the candidate's, then on both sides of it.

    Examples
    --------
    >>> [round(rate, 5) for rate in learning_rates(1e-3, 5)]
    [0.001, 0.00316, 0.00032, 0.01, 0.0001]
    """
    powers = [(place // 2 + 1) * (-1) ** place for place in range(count - 1)]
    return (rate, *(rate * _TUNING**power for power in powers))
