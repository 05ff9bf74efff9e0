"""The search: ask, grow, train, judge, tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.driver.budget import Goal, reason_to_stop
from growsearch.driver.candidates import ask, given_back, judge, propose, record, train
from growsearch.driver.controls import lacking, run_controls
from growsearch.driver.evaluation import evaluate
from growsearch.driver.events import TrialFinished
from growsearch.driver.opening import Session, opened
from growsearch.driver.polish import polish
from growsearch.driver.run import Run
from growsearch.driver.teacher import teach
from growsearch.study.attributes import LapsAttribute
from growsearch.study.notes import write_note
from growsearch.study.open import find
from growsearch.study.optuna_private import stoppable
from growsearch.study.read import controls_of
from growsearch.study.read import record as record_of
from growsearch.study.result import SearchResult, result_of
from growsearch.study.run_state import RunState, read_state
from growsearch.study.trials import fail_interrupted, that_count

Callback = Callable[[Study, FrozenTrial], None]


def search(session: Session, callbacks: Sequence[Callback] = ()) -> SearchResult:
    """Run a search, or go on with an interrupted one; see :func:`growsearch.search`."""
    with opened(session) as run:
        teach(run)
        state, ended = grow(run, session.trials, callbacks)
        polish(run, state)
        evaluate(run, state)
        return fresh_result(session, run, ended)


def fresh_result(session: Session, run: Run, ended: str) -> SearchResult:
    """Return the result, with studies that are opened again: they hold no sampler and no session.

    So a result can be pickled and copied, and keeps no trainer alive.
    """
    study, control_study = find(session.out, session.storage)
    return result_of(study, control_study, run.store, ended=ended)


def grow(run: Run, trials: int, callbacks: Sequence[Callback]) -> tuple[RunState, str]:
    """Make the remaining trials; return the state, and the reason why the search ended."""
    with stoppable(run.study):
        fail_interrupted(run.study)
        state = read_state(run.study, run.store)
        goal = Goal(trials, len(state.counted))
        for number in _unfinished(run, state):
            state = finish(run, state, number, run.clock.passed, goal, callbacks)
        while (ended := reason_to_stop(state, goal, run.clock, run.space, run.study)) is None:
            began = run.clock.passed
            with run.clock.on("candidates"):
                asked = ask(run)
                with given_back(run.study, asked.trial):
                    proposal = propose(run, state, asked)  # decode onto the incumbent
                    outcome = train(run, proposal)
                    decision = judge(run, proposal, outcome)
                    record(run, proposal, outcome, decision)  # tell: the tell is the commit
            state = finish(run, state, asked.trial.number, began, goal, callbacks)
    return state, ended


def finish(
    run: Run, state: RunState, number: int, began: float, goal: Goal, callbacks: Sequence[Callback]
) -> RunState:
    """Run the controls of a trial that was told, note and announce it; return the new state.

    ``began`` is the time of the run when the trial began, in seconds.
    """
    trials = tuple(run.study.get_trials(deepcopy=False))
    trial = trials[number]
    with run.clock.on("controls"):
        run_controls(run, replace(state, trials=trials), trial)
    found = record_of(trial, controls_of(run.control_study, number))
    write_note(run.study, trial, found)
    run.write_spent()
    run.on_event(TrialFinished(found, len(that_count(trials)), goal.trials))
    for callback in callbacks:
        callback(run.study, trial)
    longest = max(state.laps.longest, run.clock.passed - began)
    LapsAttribute(last=max(state.laps.last, number), longest=longest).write(run.study)
    return read_state(run.study, run.store)


def _unfinished(run: Run, state: RunState) -> list[int]:
    """Return the numbers of told trials that lack controls, a note or a callback."""
    late = {trial.number for trial in state.counted if trial.number > state.laps.last}
    return sorted(late.union(lacking(run, state)))
