"""The end of a trial: noted in the study and announced, when it has all its controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.driver.budget import Goal
from growsearch.driver.events import TrialFinished
from growsearch.driver.front import tell_front
from growsearch.driver.run import Run
from growsearch.errors import GrowsearchError
from growsearch.study.attributes import LapsAttribute
from growsearch.study.notes import write_note
from growsearch.study.read import controls_of
from growsearch.study.read import record as record_of
from growsearch.study.result import result_of
from growsearch.study.trials import that_count

Callback = Callable[[Study, FrozenTrial], None]


def finish(run: Run, number: int, began: float, goal: Goal, callbacks: Sequence[Callback]) -> None:
    """Note and announce a trial that has all its controls, and call the callbacks.

    Parameters
    ----------
    run : Run
    number : int
    began : float
        The time of the run when the trial was asked for, in seconds.
    goal : Goal
    callbacks : sequence of callables
    """
    trials = tuple(run.study.get_trials(deepcopy=False))
    trial = trials[number]
    found = record_of(trial, controls_of(run.control_study, number))
    write_note(run.study, trial, found, run.space.judge.metric)
    run.write_spent()
    run.on_event(TrialFinished(found, len(that_count(trials)), goal.trials))
    if found.kept:
        tell_front(run)
    for callback in callbacks:
        callback(run.study, trial)
    laps = LapsAttribute.read(run.study) or LapsAttribute()
    longest = max(laps.longest, run.clock.passed - began)
    LapsAttribute(last=max(laps.last, number), longest=longest).write(run.study)
    if run.showing.is_due:
        with suppress(GrowsearchError):  # of a damaged file: the search itself says what is wrong
            run.showing.show(result_of(run.study, run.control_study, run.store))
