"""The networks of a run: the teacher, those that trials kept, the incumbent, and its polish."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from growsearch.errors import DamagedRunError, NetworkFileError, RunError
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import (
    Candidate,
    FreedAttribute,
    HoldsAttributes,
    PolishAttribute,
    ReadingsAttribute,
    TeacherAttribute,
    TestAttribute,
)
from growsearch.study.untrusted import untrusted

_NONE_FREED = FreedAttribute()


@dataclass(frozen=True)
class Best:
    """The network that is kept: the teacher, if no trial was (``trial_number`` None).

    It need not be that of ``study.best_trial``: the judge looks at losses too, and may refuse a
    candidate that has more images right, or keep one that has fewer. ``polished`` says that it
    was trained on after the search. ``validation_loss`` is known in a run with a trunk, where it
    decides which network of the run is the best. In a run with another metric than accuracy,
    ``validation_accuracy`` is the value of this metric.
    """

    network: Network
    validation_accuracy: float
    trial_number: int | None
    path: Path
    polished: bool = False
    validation_loss: float | None = None

    @property
    def sha256(self) -> str:
        """The network's content hash, which is the name of its file."""
        return self.path.stem


class DamagedNetworkWarning(UserWarning):
    """A stored network does not verify; the next best that does is used."""


def warn_damaged(message: str) -> None:
    """Warn that a stored network is passed over."""
    warnings.warn(message, DamagedNetworkWarning, stacklevel=3)


def freed_of(study: HoldsAttributes) -> FreedAttribute:
    """Return the networks whose slots were freed; a network is read by what this says of it.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    return FreedAttribute.read(study) or FreedAttribute()


def incumbent_of(
    trials: Sequence[FrozenTrial],
    teacher: Best,
    store: NetworkStore,
    freed: FreedAttribute = _NONE_FREED,
) -> Best:
    """Return the last network kept whose bytes verify; the teacher, where none was.

    It need not have the highest accuracy of them: the judge compares losses too.

    A damaged or missing file is passed over, with a warning.
    """
    for trial in reversed(trials):
        if trial.state != TrialState.COMPLETE or not Candidate.is_kept(trial):
            continue
        sha256 = freed.stored(Candidate.read(trial).sha256)
        try:
            network = store.get(sha256)
        except NetworkFileError as error:
            warn_damaged(f"trial {trial.number}: its network is passed over: {error}")
            continue
        path = store.path(sha256)
        return Best(network, float((trial.values or [0.0])[0]), trial.number, path)
    return teacher


def polish_of(study: Study, best: Best) -> PolishAttribute | None:
    """Return what is stored of the polish of this network; None if it is another's.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    polish = PolishAttribute.read(study)
    return polish if polish is not None and polish.of == best.sha256 else None


def test_of(study: Study, best: Best) -> TestAttribute | None:
    """Return what was measured at the end, if it was of this network.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    test = TestAttribute.read(study)
    is_of_it = test is not None and freed_of(study).stored(test.sha256) == best.sha256
    return test if is_of_it else None


def final_of(study: Study, store: NetworkStore, incumbent: Best) -> Best:
    """Return the network of the run: the incumbent, a commit, or the one that a polish ended with.

    Whether that one is better was decided when the polish ended. A damaged or missing file is
    passed over, with a warning.
    """
    best = best_commit(study, store, incumbent)
    polish = polish_of(study, incumbent)
    if polish is None or polish.sha256 in (incumbent.sha256, best.sha256):
        return best
    sha256 = freed_of(study).stored(polish.sha256)
    try:
        network = store.get(sha256)
    except NetworkFileError as error:
        warn_damaged(f"the polished network is passed over: {error}")
        return best
    path, number = store.path(sha256), incumbent.trial_number
    return Best(network, polish.validation_accuracy, number, path, True, polish.validation_loss)


def best_commit(study: HoldsAttributes, store: NetworkStore, incumbent: Best) -> Best:
    """Return the committed network of lowest validation loss; the incumbent, if its is lower.

    A damaged or missing file is passed over, with a warning.
    """
    readings, freed, best = ReadingsAttribute.read(study), freed_of(study), incumbent
    for each in () if readings is None else readings.commits:
        if best.validation_loss is None or each.validation_loss < best.validation_loss:
            try:
                network = store.get(sha256 := freed.stored(each.sha256))
            except NetworkFileError as error:
                warn_damaged(f"the commit at {each.elapsed:.0f} is passed over: {error}")
                continue
            accuracy, path = each.validation_accuracy, store.path(sha256)
            best = Best(network, accuracy, each.trial, path, True, each.validation_loss)
    return best


def teacher_of(study: HoldsAttributes, store: NetworkStore) -> Best:
    """Return the network that the search started from.

    Raises
    ------
    DamagedRunError
        When it is missing or damaged.
    """
    teacher = TeacherAttribute.read(study)
    if teacher is None:
        folder = store.folder.parent
        raise RunError(f"{folder}: the run has no teacher yet: run the same command again")
    sha256 = freed_of(study).stored(teacher.sha256)
    try:
        network = store.get(sha256)
    except NetworkFileError as error:
        raise DamagedRunError(
            f"the teacher cannot be used: {error}; start again in a new --out"
        ) from None
    path = store.path(sha256)
    return Best(network, teacher.validation_accuracy, None, path)


def ancestry_flops(study: Study, trials: Sequence[FrozenTrial], number: int | None) -> float:
    """Return the FLOPs of the training of a trial's network and all its ancestors.

    ``number`` None is the teacher.

    Raises
    ------
    RunError
        When the attributes are not what growsearch writes.
    """
    total = 0.0
    with untrusted("the ancestry of a network"):
        while number is not None:  # a parent is an earlier trial: this ends
            ancestor = Candidate.read(trials[number])
            total += ancestor.training_flops
            number = ancestor.parent
    teacher = TeacherAttribute.read(study)
    return total + (0.0 if teacher is None else teacher.training_flops)


def ancestry_of(study: Study, trials: Sequence[FrozenTrial], candidate: Candidate) -> float:
    """Return the FLOPs of the training of the network that a candidate grew, and its ancestors."""
    if candidate.start:
        return candidate.start_flops
    return ancestry_flops(study, trials, candidate.parent)
