"""The networks of a run: the teacher, those that trials kept, the best, and its polish."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import TrialState

from growsearch.errors import NetworkFileError, RunError
from growsearch.networks import Network
from growsearch.networks.files import fetch, stored_path
from growsearch.study import study as state


@dataclass(frozen=True)
class Best:
    """The network that is kept: the teacher, if no trial was (``trial_number`` None).

    It need not be that of ``study.best_trial``: the judge looks at losses too, and may refuse a
    candidate that has more images right, or keep one that has fewer. ``polished`` says that it
    was trained on after the search.
    """

    network: Network
    validation_accuracy: float
    trial_number: int | None
    path: Path
    polished: bool = False


class DamagedNetworkWarning(UserWarning):
    """A stored network does not verify; the next best that does is used."""


def warn_damaged(message: str) -> None:
    """Warn that a stored network is passed over."""
    warnings.warn(message, DamagedNetworkWarning, stacklevel=3)


def best_of(study: Study, folder: Path) -> Best:
    """The last network kept whose bytes verify; the teacher, where none was.

    Each was kept because the judge preferred it to those before: what its accuracy says against
    theirs is the judge's business.

    A damaged or missing file is passed over, with a warning.

    Raises
    ------
    RunError
        When not even the teacher's verifies.
    """
    weights = folder / state.WEIGHTS
    kept = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.user_attrs.get("kept") is True and trial.value is not None
    ]
    for trial in reversed(kept):
        name = trial.user_attrs.get("sha256")
        try:
            network = fetch(str(name), weights)
            path = stored_path(weights, str(name))
            return Best(network, float(trial.value or 0.0), trial.number, path)
        except NetworkFileError as error:
            warn_damaged(f"trial {trial.number}: its network is passed over: {error}")
    return teacher_of(study, folder)


def polish_of(study: Study, best: Best) -> dict[str, Any] | None:
    """What is stored of the polish of this network; None if it is another's, or there is none.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    polish = state.attribute(study, state.POLISH)
    if polish is None or polish.get("of") != best.path.stem:
        return None
    with state.untrusted("the polish"):
        return {
            "sha256": str(polish["sha256"]),
            "last": str(polish["last"]),
            "validation_accuracy": state.finite(polish["validation_accuracy"]),
            "done": int(polish["done"]),
        }


def test_of(study: Study, best: Best) -> dict[str, float]:
    """What was measured at the end, if it was of this network; else nothing.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    test = state.attribute(study, state.TEST) or {}
    if test.get("sha256") != best.path.stem:
        return {}
    with state.untrusted(f"the study's attribute {state.TEST}"):
        measured = ("accuracy", "held_out_accuracy")
        names = (*measured, *(f"teacher_{name}" for name in measured))
        return {name: state.finite(test[name]) for name in names if test.get(name) is not None}


def final_of(study: Study, folder: Path) -> Best:
    """The network of the run: the best of the search, polished if that made it better.

    A damaged or missing file is passed over, with a warning.

    Raises
    ------
    RunError
        When not even the teacher's verifies.
    """
    best = best_of(study, folder)
    polish = polish_of(study, best)
    if polish is None or polish["sha256"] == best.path.stem:
        return best
    try:
        network = fetch(polish["sha256"], folder / state.WEIGHTS)
    except NetworkFileError as error:
        warn_damaged(f"the polished network is passed over: {error}")
        return best
    path = stored_path(folder / state.WEIGHTS, polish["sha256"])
    return Best(network, polish["validation_accuracy"], best.trial_number, path, polished=True)


def network_of(study: Study, folder: Path, number: int | None) -> Network:
    """The network that a trial kept; the teacher's for None.

    Raises
    ------
    RunError or NetworkFileError
        When it is missing or damaged.
    """
    if number is None:
        return teacher_of(study, folder).network
    with state.untrusted(f"the parent {number!r}"):
        about = study.get_trials(deepcopy=False)[number].user_attrs
        return fetch(str(about["sha256"]), folder / state.WEIGHTS)


def teacher_of(study: Study, folder: Path) -> Best:
    """The network that the search started from.

    Raises
    ------
    RunError
        When it is missing or damaged.
    """
    teacher = state.attribute(study, state.TEACHER)
    if teacher is None:
        raise RunError(f"{folder}: the run has no teacher yet: run the same command again")
    with state.untrusted("the teacher"):
        name, accuracy = str(teacher["sha256"]), state.finite(teacher["validation_accuracy"])
    try:
        network = fetch(name, folder / state.WEIGHTS)
    except NetworkFileError as error:
        raise RunError(f"the teacher cannot be used: {error}; start again in a new --out") from None
    return Best(network, accuracy, None, stored_path(folder / state.WEIGHTS, name))


def spent_on(study: Study, number: int | None) -> float:
    """FLOPs of the training of a trial's network and all its ancestors; None is the teacher.

    Raises
    ------
    RunError
        When the attributes are not what growsearch writes.
    """
    total = 0.0
    trials = study.get_trials(deepcopy=False)
    with state.untrusted("the ancestry of a network"):
        while number is not None:
            about = trials[number].user_attrs
            total += state.finite(about[state.TRAINING_FLOPS])
            if (parent := about["parent"]) is not None and not parent < number:
                raise ValueError(f"trial {number} stands before its parent {parent}")
            number = parent
        return total + state.finite(state.attribute(study, state.TEACHER)[state.TRAINING_FLOPS])
