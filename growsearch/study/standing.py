"""The standing of a run: its trials and its best network, from the study alone; no file is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from growsearch.study.attributes import (
    AttributesNow,
    Candidate,
    FreedAttribute,
    PolishAttribute,
    ReadingsAttribute,
    TeacherAttribute,
    TestAttribute,
    Trunk,
)
from growsearch.study.front import demand_of
from growsearch.study.networks import freed_of
from growsearch.study.trials import that_count
from growsearch.study.trunk import trunk_of
from growsearch.study.untrusted import finite, untrusted
from growsearch.trials.front import Point, nondominated


@dataclass(frozen=True)
class Standing:
    """The trials of a run and its best network so far, as the study tells them.

    No network is opened, so that a damaged file goes unnoticed here.

    Parameters
    ----------
    trials, kept, failed : int
        The finished trials without interrupted ones; those that were kept; those that failed.
    validation_accuracy : float or None
        Of the best network, or the value of the run's metric; None before there is a teacher.
    parameters : int or None
    trial : int or None
        The trial of the best network; None is the teacher.
    sha256 : str
        Of the file that holds it.
    is_finished : bool
        True if the best network was measured on the test images, as at the end of a session.
    """

    trials: int = 0
    kept: int = 0
    failed: int = 0
    validation_accuracy: float | None = None
    parameters: int | None = None
    trial: int | None = None
    sha256: str = ""
    is_finished: bool = False


@dataclass(frozen=True)
class _Found:
    """A network that may be the best one; its loss is known in a run with a trunk."""

    sha256: str
    validation_accuracy: float
    trial: int | None
    parameters: int
    loss: float | None = None


def standing_of(study: Study) -> Standing:
    """Return the standing of a run.

    Raises
    ------
    RunError
        When the study holds something that growsearch did not write.
    """
    now, trials = AttributesNow.of(study), study.get_trials(deepcopy=False)
    counted = that_count(trials)
    kept = [
        trial
        for trial in counted
        if trial.state == TrialState.COMPLETE and Candidate.is_kept(trial)
    ]
    failed = sum(trial.state == TrialState.FAIL for trial in counted)
    teacher, freed = TeacherAttribute.read(now), freed_of(now)
    if teacher is None:
        return Standing(len(counted), len(kept), failed)
    first = _Found(teacher.sha256, teacher.validation_accuracy, None, teacher.parameters)
    trunk = trunk_of(now, trials)
    if demand_of(now) is not None:
        best = polished = _of_front(kept, first, teacher.demand)
    elif trunk is None:
        best = polished = _last_kept(kept, first)
    else:
        polished = _averages(trunk, trials, first)
        best = _least_loss(now, polished)
    best = _after_polish(now, best, polished, freed)
    test = TestAttribute.read(now)
    return Standing(
        trials=len(counted),
        kept=len(kept),
        failed=failed,
        validation_accuracy=best.validation_accuracy,
        parameters=best.parameters,
        trial=best.trial,
        sha256=freed.stored(best.sha256),
        is_finished=test is not None and freed.stored(test.sha256) == freed.stored(best.sha256),
    )


def _last_kept(kept: Sequence[FrozenTrial], first: _Found) -> _Found:
    """Return the last network that was kept: the judge compares losses too, not accuracies only."""
    if not kept:
        return first
    trial, about = kept[-1], Candidate.read(kept[-1])
    return _Found(about.sha256, float(trial.value or 0.0), trial.number, about.parameters)


def _of_front(kept: Sequence[FrozenTrial], first: _Found, demand: float | None) -> _Found:
    """Return the most accurate network of a front, which is the last one by rising demand."""
    with untrusted("the values of the trials"):
        placed = [Point(None, first.validation_accuracy, finite(demand))]
        for trial in kept:
            accuracy, needed = (finite(each) for each in trial.values)
            placed.append(Point(trial.number, accuracy, needed))
    best = nondominated(placed)[-1]
    if best.trial is None:
        return first
    about = Candidate.read(next(trial for trial in kept if trial.number == best.trial))
    return _Found(about.sha256, best.accuracy, best.trial, about.parameters)


def _averages(trunk: Trunk, trials: Sequence[FrozenTrial], first: _Found) -> _Found:
    """Return the averages of a trunk."""
    parameters = first.parameters
    if trunk.trial is not None:
        parameters = Candidate.read(trials[trunk.trial]).parameters
    accuracy, loss = trunk.validation_accuracy, trunk.validation_loss
    return _Found(trunk.average, accuracy, trunk.trial, parameters, loss)


def _least_loss(now: AttributesNow, averages: _Found) -> _Found:
    """Return the network of least loss out of the trunk's averages and its commits."""
    best = averages
    readings = ReadingsAttribute.read(now)
    for each in () if readings is None else readings.commits:
        if best.loss is None or each.validation_loss < best.loss:
            accuracy, loss = each.validation_accuracy, each.validation_loss
            best = _Found(each.sha256, accuracy, each.trial, each.parameters, loss)
    return best


def _after_polish(
    now: AttributesNow, best: _Found, polished: _Found, freed: FreedAttribute
) -> _Found:
    """Return the network that a polish ended with, in place of the best one before."""
    polish, of = PolishAttribute.read(now), polished.sha256
    if polish is None or polish.of not in (of, freed.stored(of)):
        return best
    if polish.sha256 in (best.sha256, of):
        return best
    return replace(
        polished,
        sha256=polish.sha256,
        validation_accuracy=polish.validation_accuracy,
        loss=polish.validation_loss,
    )
