"""The search by a trunk: train it, try growths beside it, commit, until its decay begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from optuna.trial import TrialState

from growsearch.driver.budget import Goal, reason_for_no_trial
from growsearch.driver.candidates import space_of_growths
from growsearch.driver.controls import ControlTask, controls_for, lacking, record_control
from growsearch.driver.finish import Callback, finish
from growsearch.driver.run import Run
from growsearch.driver.trunk.beginning import begin, slow_down
from growsearch.driver.trunk.campaign import conduct
from growsearch.driver.trunk.cool import cool
from growsearch.driver.trunk.legs import LegDivergedError, leg_job, leg_of, store_trunk
from growsearch.driver.trunk.racer import least_screening
from growsearch.driver.trunk.readings import read_trunk
from growsearch.driver.trunk.timetable import Alone, Campaign, Progress, Timetable
from growsearch.driver.trunk.together import Work, carry_out_together
from growsearch.study.attributes import Candidate, ReadingsAttribute, Trunk
from growsearch.study.optuna_private import stoppable
from growsearch.study.run_state import RunState, read_state
from growsearch.study.trials import (
    fail,
    fail_interrupted,
    give_up,
    is_pending,
    refusal_of,
    tell_concluded,
)
from growsearch.trials.outcome import Failure, TrialOutcome
from growsearch.trials.worker import Crash

_ENDED = "the decay of the trunk began"


def grow_trunk(run: Run, trials: int, callbacks: Sequence[Callback]) -> str:
    """Train the trunk and try growths of it, until its decay begins; return why no more is tried.

    Raises
    ------
    TrainingFailedError
        When the trunk cannot be trained, also at lower learning rates.
    """
    with stoppable(run.study):
        goal = Goal(trials, len(read_state(run.study, run.store).counted))
        table, ended = timetable_of(run), ""
        _take_up(run)
        begin(run)
        while True:
            _finish_told(run, goal, callbacks)
            state = read_state(run.study, run.store)
            assert state.trunk is not None
            read_trunk(run, state)
            waiting = [trial for trial in state.trials if is_pending(trial)]  # of a killed session
            late = [each for each in waiting if Candidate.read(each).start != state.trunk.weights]
            if late:  # the trunk was trained on since, or diverged
                give_up(run.study, late)
                continue
            if not waiting:
                ended = _reason_for_no_trial(run, state, goal) or ended
            progress = progress_of(run, state.trunk)
            stage = table.next(progress, may_grow=bool(waiting) or not ended)
            if stage is None:
                _end(run, state, goal, callbacks)
                return ended or _ENDED
            try:
                if isinstance(stage, Campaign):
                    conduct(run, state, stage, table, progress.now, goal.trials)
                elif isinstance(stage, Alone):
                    _train_alone(run, state, stage.cost)
                else:
                    cool(run, state, stage)
            except LegDivergedError as error:
                slow_down(run, state.trunk, error)


def _take_up(run: Run) -> None:
    """Tell the trials of a campaign that was cut while they were told; end those half begun."""
    if any(trial.state == TrialState.RUNNING for trial in run.study.get_trials(deepcopy=False)):
        run.guard.take()  # before what is there is read: no other session changes it after this
        tell_concluded(run.study)
        fail_interrupted(run.study)


def _reason_for_no_trial(run: Run, state: RunState, goal: Goal) -> str | None:
    """Return why no other trial is made; None if there may be one."""
    reason = reason_for_no_trial(state, goal, run.space, run.study)
    if reason is None and reason_for_no_trial(state, goal, space_of_growths(run, state), run.study):
        return "no larger network is worth its price in the time that was left"
    return reason


def timetable_of(run: Run) -> Timetable:
    """Return the timetable of a run: by time where it has a budget, else by updates.

    A network that was given has been trained for long: all its growths are compared with it.
    """
    budget = run.clock.budget
    section = run.space.trunk_section.model_copy(update={"candidates": run.window})
    if run.start is not None:
        section = section.model_copy(update={"untested": 0.0})
    if budget is None:
        return Timetable.of_updates(section)
    return Timetable.of_seconds(section, budget, run.dispatcher.workers)


def progress_of(run: Run, trunk: Trunk) -> Progress:
    """Return how far the trunk is, by the unit of the run's costs."""
    readings = ReadingsAttribute.read(run.study)
    marks = [each.mark for each in readings.value] if readings else []
    return Progress(
        now=trunk.trained if run.clock.budget is None else run.clock.passed,
        trained=trunk.trained,
        deciding=trunk.deciding,
        campaigns=trunk.campaigns,
        cooled=max(marks, default=0.0),
        screening=least_screening(run.paced_space.training.rewarm, trunk),
    )


def _train_alone(run: Run, state: RunState, cost: float) -> None:
    """Train the trunk on, with the controls that are lacking beside it.

    In a run with a time budget it ends in time though its updates take longer than before: a commit
    follows, whose fork has what is left until then.
    """
    trunk, costs = state.trunk, run.costs
    assert trunk is not None
    flops = state.incumbent.network.architecture.flops

    def on() -> Work:
        job = leg_job(run, trunk, costs.updates(cost, trunk.step_cost))
        if costs.measured:
            job = replace(job, plan=replace(job.plan, time_limit=cost))
        outcome = yield job, "trunk"
        store_trunk(run, leg_of(costs, trunk, outcome, flops).trunk)

    carry_out_together(run.dispatcher, [on(), *(_control(run, each) for each in _lacking(run))])
    run.write_spent()


def _end(run: Run, state: RunState, goal: Goal, callbacks: Sequence[Callback]) -> None:
    """Give the last trials their controls; end those whose campaign comes too late."""
    for trial in state.trials:
        if (reason := refusal_of(trial)) is not None:
            fail(run.study, trial, reason)
    running = run.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    give_up(run.study, running)
    if tasks := _lacking(run):
        carry_out_together(run.dispatcher, [_control(run, each) for each in tasks])
        run.write_spent()
    _finish_told(run, goal, callbacks)


def _lacking(run: Run) -> list[ControlTask]:
    """Return the controls that finished trials lack."""
    state = read_state(run.study, run.store)
    numbers = lacking(run, state)
    return [task for number in numbers for task in controls_for(run, state, state.trials[number])]


def _control(run: Run, task: ControlTask) -> Work:
    """Train and store a control; a bug in its training fails it: it would only be repeated."""
    task.began = datetime.now()
    try:
        outcome = yield task.job, "controls"
    except Exception as error:
        crash = Crash.of(error)
        if crash.is_bug:
            record_control(run, task, TrialOutcome(failure=Failure("failed", crash.reason)))
        raise
    with run.clock.on("controls"):
        record_control(run, task, outcome)


def _finish_told(run: Run, goal: Goal, callbacks: Sequence[Callback]) -> None:
    """Note and announce the trials that were told, up to the first that lacks controls."""
    state = read_state(run.study, run.store)
    waiting = {task.control.candidate for task in _lacking(run)}
    for trial in state.placed:
        if trial.number in waiting or not trial.state.is_finished():
            return
        if trial.number > state.laps.last:
            finish(run, trial.number, run.clock.passed, goal, callbacks)
