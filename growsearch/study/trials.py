"""The trials of a run: those that count, those that an interruption ended, how a trial fails."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from growsearch.study.attributes import FAILURE, INTERRUPTED
from growsearch.study.optuna_private import set_attribute


def is_interrupted(trial: FrozenTrial) -> bool:
    """Return whether the trial ended because its process did, not because of what it tried."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(FAILURE) in (None, INTERRUPTED)


def that_count(trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial, ...]:
    """Return the finished trials in order, without interrupted ones, which are repeated."""
    return tuple(t for t in trials if t.state.is_finished() and not is_interrupted(t))


def trials_that_count(study: Study) -> tuple[FrozenTrial, ...]:
    """Return the study's finished trials in order, without interrupted ones."""
    return that_count(study.get_trials(deepcopy=False))


def index_of(trials: Sequence[FrozenTrial], number: int) -> int:
    """Return a trial's place among those that count: its repetition after a crash has the same."""
    return sum(not is_interrupted(other) for other in trials[:number])


def index_in(study: Study, number: int) -> int:
    """Return the index of a trial of the study, as the study is now."""
    return index_of(study.get_trials(deepcopy=False), number)


def fail(study: Study, trial: Trial | FrozenTrial, reason: str) -> None:
    """End a running trial as failed, for a reason."""
    set_attribute(study, trial, FAILURE, reason)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def is_pending(trial: FrozenTrial) -> bool:
    """Return whether the trial is running and wholly described."""
    return trial.state == TrialState.RUNNING and "parent" in trial.user_attrs


def fail_interrupted(study: Study) -> None:
    """End the trials that a killed process left running.

    Only the holder of the run's lock may call this: then no other process is running them.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        fail(study, trial, INTERRUPTED)
