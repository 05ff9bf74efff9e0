"""The search: propose, train on the workers, judge in order, tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from growsearch.driver.budget import Goal, reason_to_stop
from growsearch.driver.candidates import (
    Pending,
    judge,
    pending,
    propose,
    record,
    record_failure,
    refused,
    state_for,
)
from growsearch.driver.controls import controls_for, lacking, record_control
from growsearch.driver.evaluation import evaluate
from growsearch.driver.finish import Callback, finish
from growsearch.driver.opening import Session, opened
from growsearch.driver.polish import polish
from growsearch.driver.run import Run
from growsearch.driver.teacher import teach
from growsearch.driver.trunk.decay import decay
from growsearch.driver.trunk.loop import grow_trunk
from growsearch.driver.window import Task, Window
from growsearch.errors import GrowsearchError
from growsearch.study.attributes import Candidate
from growsearch.study.optuna_private import stoppable
from growsearch.study.result import SearchResult, result_of
from growsearch.study.run_state import read_state
from growsearch.study.trials import fail_interrupted, give_up, refusal_of
from growsearch.trials.outcome import TRAINING_FAILED, Failure, TrialOutcome
from growsearch.trials.worker import Crash


def search(session: Session, callbacks: Sequence[Callback] = ()) -> SearchResult:
    """Run a search, or go on with an interrupted one; see :func:`growsearch.search`."""
    with opened(session) as run:
        teach(run)
        by = grow if session.space.trunk is None else grow_trunk
        ended = by(run, session.trials, callbacks)
        state = read_state(run.study, run.store)
        if state.trunk is None:
            polish(run, state)
        else:
            decay(run, state)
        evaluate(run, state)
        return close(run, ended)


def close(run: Run, ended: str) -> SearchResult:
    """Store how busy the workers were, and return the result, read from studies opened anew."""
    run.use.write(run.study)
    result = result_of(*run.reopened(), run.store, ended=ended)
    if run.guard.has_run and run.showing.is_due:
        run.showing.show(result)
    return result


def grow(run: Run, trials: int, callbacks: Sequence[Callback]) -> str:
    """Make the remaining trials; return the reason why the search ended."""
    with stoppable(run.study):
        goal = Goal(trials, len(read_state(run.study, run.store).counted))
        window = taken_up(run)  # what an earlier session left pending
        while True:
            while told := window.next_to_finish():
                finish(run, told.number, told.began, goal, callbacks)
            ended = fill(run, window, goal)  # ask, and decode onto the incumbent
            send(run, window)
            if run.dispatcher.is_idle and not window.is_judgeable:
                return ended
            for task, outcome in run.dispatcher.finished():  # in any order
                take(run, window, task, outcome)
            while candidate := window.next_to_judge():  # in order
                conclude(run, window, candidate)  # judge and tell: the tell is the commit


def taken_up(run: Run) -> Window:
    """Return the window of a session's begin: the trials that the session before left unfinished.

    Pending trials are sent again. A trial that cannot be sent, since its parent's file is damaged,
    is repeated, and all after it are.
    """
    window, state = Window(run.window), read_state(run.study, run.store)
    late = {trial.number for trial in state.counted if trial.number > state.laps.last}
    late |= set(lacking(run, state))
    if not late and all(trial.state.is_finished() for trial in state.trials):
        return window
    run.guard.take()  # before what is there is read: no other session changes it after this
    fail_interrupted(run.study)
    state = read_state(run.study, run.store)
    for number in sorted(late):
        controls = controls_for(run, state, state.trials[number])
        if controls or number > state.laps.last:  # else it was finished, and announced
            window.tell(number, controls, run.clock.passed)
    waiting = [trial for trial in state.placed if not trial.state.is_finished()]
    for place, trial in enumerate(waiting):
        if (reason := refusal_of(trial)) is not None:
            window.add(refused(run, trial, reason))
            continue
        try:
            index = Candidate.read(trial).index
            window.add(pending(run, state_for(run, index), trial))
        except GrowsearchError:
            give_up(run.study, waiting[place:])
            break
    return window


def fill(run: Run, window: Window, goal: Goal) -> str:
    """Ask for candidates while there are workers for them; return why no more are asked for.

    A candidate is asked for as late as its worker allows: then callbacks of the trials before it
    were called, and the time that is left is known.
    """
    while window.has_room and run.dispatcher.free > len(list(window.unsent)):
        with run.clock.on("candidates"):
            state = state_for(run)
            workers = run.dispatcher.workers
            ended = reason_to_stop(state, goal, run.clock, run.space, run.study, workers)
            if ended is not None:
                return ended
            window.add(propose(run, state))
    return ""


def send(run: Run, window: Window) -> None:
    """Send the tasks of the oldest trials, one a free worker."""
    for task in window.unsent:
        if run.dispatcher.free <= 0:
            return
        task.is_sent = True
        assert task.job is not None
        if isinstance(task, Pending):
            run.dispatcher.send(task, task.job, "candidates")
        else:
            task.began = datetime.now()
            run.dispatcher.send(task, task.job, "controls")


def take(run: Run, window: Window, task: Task, outcome: TrialOutcome | Crash) -> None:
    """Take the outcome of a task: store a control, keep a candidate's until it is judged.

    An error of the machine or of the run folder ends the session, and the trial stays pending. A
    bug in a control fails the control and ends the session: the next would only repeat it.
    """
    if isinstance(outcome, Crash) and not outcome.is_bug:
        raise outcome.raised()
    if isinstance(task, Pending):
        task.outcome = outcome
    elif isinstance(outcome, Crash):
        failure = Failure("failed", outcome.reason)
        record_control(run, task, TrialOutcome(failure=failure))
        raise outcome.raised()
    else:
        with run.clock.on("controls"):
            record_control(run, task, outcome)
        window.end(task)


def conclude(run: Run, window: Window, candidate: Pending) -> None:
    """Judge a candidate and tell; then it gets its controls.

    A training that could not end fails its trial, and the search goes on. After a bug the session
    ends, with the worker's traceback, and the trial has failed: it would only repeat it.
    """
    outcome = candidate.outcome
    assert outcome is not None
    state = read_state(run.study, run.store)
    with run.clock.on("candidates"):
        if isinstance(outcome, Crash):
            record_failure(run, candidate, outcome.reason)
            raise outcome.raised()
        if outcome.failure is not None:
            record_failure(run, candidate, outcome.failure.reason)
        else:
            try:
                decision = judge(run, state, candidate, outcome)
            except TRAINING_FAILED as error:  # without room to evaluate the incumbent
                record_failure(run, candidate, Failure.of(error).reason)
            else:
                record(run, candidate, outcome, decision)
    number, trials = candidate.trial.number, tuple(run.study.get_trials(deepcopy=False))
    controls = controls_for(run, replace(state, trials=trials), trials[number])
    window.tell(number, controls, candidate.began)
