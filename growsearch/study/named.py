"""The networks that a run names: every other file of its store is needed by nothing."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from growsearch.study.attributes import (
    AttributesNow,
    Candidate,
    PolishAttribute,
    ReadingsAttribute,
    StartAttribute,
    TeacherAttribute,
)
from growsearch.study.networks import freed_of
from growsearch.study.trials import is_interrupted
from growsearch.study.trunk import trunk_of


def networks_named(study: Study) -> set[str]:
    """Return the SHA-256 of every file that the study needs, from the first network to the polish.

    Raises
    ------
    RunError
        When the attributes are not what growsearch writes.
    """
    now, trials = AttributesNow.of(study), study.get_trials(deepcopy=False)
    named = _named_by(now, trials)
    for trial in trials:
        candidate = Candidate.read(trial)
        if is_interrupted(trial):  # another was made in its place
            continue
        named |= {candidate.sha256, candidate.start}
        if trial.state == TrialState.RUNNING and candidate.trunk is not None:
            named |= {candidate.trunk.weights, candidate.trunk.average}
    freed = freed_of(now)
    return {freed.stored(sha256) for sha256 in named - {""}}


def is_referred_to(study: Study, sha256: str) -> bool:
    """Return whether the study names a network, or the rest of one whose slots were freed."""
    now, trials = AttributesNow.of(study), study.get_trials(deepcopy=False)
    if sha256 in _named_by(now, trials) or sha256 in freed_of(now).value.values():
        return True
    return any(Candidate.names(trial, sha256) for trial in trials if not is_interrupted(trial))


def _named_by(now: AttributesNow, trials: Sequence[FrozenTrial]) -> set[str]:
    """Return the SHA-256 of the networks that the study's own attributes name, and its trunk.

    Of the trunks that trials carry, that of the last campaign alone is needed.
    """
    teacher, polish = TeacherAttribute.read(now), PolishAttribute.read(now)
    trunk, readings = trunk_of(now, trials), ReadingsAttribute.read(now)
    named: set[str] = set()
    if (start := StartAttribute.read(now)) is not None:
        named.add(start.sha256)
    if teacher is not None:  # the trunk went on from its last update
        named |= {teacher.sha256} | ({teacher.last} if trunk is None else set())
    named |= {polish.sha256, polish.last, *polish.lasts} if polish else set()
    named |= {trunk.weights, trunk.average} if trunk else set()
    return named | ({each.sha256 for each in readings.commits} if readings else set())
