"""The trials of a run: how one begins and ends, those that count, pending and interrupted ones.

A pending trial is RUNNING and has its whole description, so its job can be sent again as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from growsearch.study.attributes import FAILURE, INTERRUPTED, OUTCOME, Candidate
from growsearch.study.optuna_private import (
    added,
    is_enqueued,
    put_back,
    set_attribute,
    set_intermediate_value,
)


def begin(
    study: Study,
    params: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    described: Candidate,
) -> FrozenTrial:
    """Add a pending trial, with parameters and description, in one transaction; return it.

    Raises
    ------
    ValueError
        When a parameter is outside its distribution.
    """
    return added(
        study,
        create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=described.to_attributes(),
        ),
    )


def described(study: Study, trial: Trial | FrozenTrial, candidate: Candidate) -> None:
    """Write the description into a trial that ``study.ask`` made, which is pending after that."""
    for name, value in candidate.to_attributes().items():  # with the parent last
        set_attribute(study, trial, name, value)


def finish(
    study: Study,
    trial: Trial | FrozenTrial,
    judged: Candidate,
    *,
    value: float | Sequence[float] | None,
    gains: Mapping[int, float],
) -> None:
    """Write the outcome of a pending trial, and tell: the tell is the commit.

    Parameters
    ----------
    study : optuna.Study
    trial : FrozenTrial
        It may be done in part, by a process that died.
    judged : Candidate
        The outcome, of ``Candidate.judged``.
    value : float, sequence of float, or None
        The validation accuracy; with two objectives it and the demand. None of a pruned trial,
        whose value in a study with one objective is its last gain.
    gains : mapping
        Step -> gain over the parent.
    """
    for name, each in judged.to_attributes().items():
        set_attribute(study, trial, name, each)
    for step, gain in gains.items():
        set_intermediate_value(study, trial, step, gain)
    if value is None:
        study.tell(trial.number, state=TrialState.PRUNED)
    else:
        study.tell(trial.number, value)


def conclude(
    study: Study, trial: FrozenTrial, judged: Candidate, failure: str | None = None
) -> None:
    """Write the outcome of a pending trial of a campaign, which stays pending until all are told.

    Parameters
    ----------
    study : optuna.Study
    trial : FrozenTrial
    judged : Candidate
        The outcome, written last; that of the campaign's last trial carries the trunk.
    failure : str, optional
        Why the trial is to fail.
    """
    if failure is not None:
        set_attribute(study, trial, FAILURE, failure)
    set_attribute(study, trial, OUTCOME, judged.to_attributes().get(OUTCOME, {}))


def tell_concluded(study: Study) -> None:
    """Tell the trials of a campaign, in order, if the outcomes of all of them are written."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if not any(Candidate.carries_trunk(trial) for trial in running):
        return
    for trial in running:
        about = Candidate.read(trial)
        if not about.curve or about.gain is None:
            fail(study, trial, str(trial.user_attrs.get(FAILURE, "failed")))
            continue
        value = about.curve[-1][1]
        for step, accuracy, _ in about.curve:
            if step:
                set_intermediate_value(study, trial, step, accuracy - (value - about.gain))
        study.tell(trial.number, value)


def give_up(study: Study, trials: Sequence[FrozenTrial]) -> None:
    """End pending trials that cannot be sent again; queued ones go back into the queue."""
    for trial in trials:
        if is_enqueued(trial):
            put_back(study, trial)
        else:
            fail(study, trial, INTERRUPTED)


def fail(study: Study, trial: Trial | FrozenTrial, reason: str) -> None:
    """End a running trial as failed, for a reason."""
    set_attribute(study, trial, FAILURE, reason)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def refuse(study: Study, trial: FrozenTrial, reason: str) -> None:
    """Write why a queued trial cannot be tried; it fails when its turn comes."""
    set_attribute(study, trial, FAILURE, reason)


def refusal_of(trial: FrozenTrial) -> str | None:
    """Return why a running trial was refused; None if it was not."""
    if trial.state != TrialState.RUNNING or Candidate.is_whole(trial):
        return None
    reason = trial.user_attrs.get(FAILURE)
    return None if reason in (None, INTERRUPTED) else str(reason)


def is_pending(trial: FrozenTrial) -> bool:
    """Return whether the trial is running and wholly described."""
    return trial.state == TrialState.RUNNING and Candidate.is_whole(trial)


def pending(study: Study) -> tuple[FrozenTrial, ...]:
    """Return the study's pending trials in order."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return tuple(trial for trial in running if is_pending(trial))


def fail_interrupted(study: Study) -> None:
    """End the trials that a killed process left running without their whole description.

    A queued trial goes back to its place in the queue, as the same trial with the same parameters;
    any other is failed as interrupted, and another is proposed in its place.

    Only the holder of the run's lock may call this: then no other process is running them.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    give_up(study, [t for t in running if not is_pending(t) and refusal_of(t) is None])


def placed(trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial, ...]:
    """Return the trials by index: finished and running ones, without interrupted ones."""
    return tuple(
        trial for trial in trials if trial.state != TrialState.WAITING and not is_interrupted(trial)
    )


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
