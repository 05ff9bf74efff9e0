"""The study is the only state of a run: opening it, and what is stored under which name.

Weights lie beside it, in files named by the SHA-256 of their bytes. A file is written and synced
before the attribute that names it, and the attribute before ``tell``: the tell is the commit, and
whoever dies between two of these steps leaves nothing but an orphan file.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from growsearch.errors import GrowsearchError, RunError, TrainingFailedError, without_password
from growsearch.study.database import (
    DATABASE,
    database_url,
    lacks_file,
    open_storage,
    storage_errors,
)

WEIGHTS = "weights"
CONTROL_SUFFIX = "-control"
METRIC = "validation accuracy"

# Attributes of the study.
SPACE, SEED, DATA, TEACHER, TEST = "space", "seed", "data", "teacher", "test"
POLISH, SPENT, LAPS, MULTIPLE = "polish", "spent", "laps", "width_multiple"
# Attributes of a trial: why it failed, and of a control: whose it is, and which.
FAILURE, INTERRUPTED = "failure", "interrupted"
# What fails a trial, and not the session.
TRAINING_FAILED = (TrainingFailedError, MemoryError)
CANDIDATE_NUMBER, ARM, REPEAT = "candidate", "arm", "repeat"
# Attributes of teacher, trial and control: what training it took.
TRAINING_FLOPS, PRECISION = "training_flops", "precision"


def create_or_load(storage: RDBStorage, name: str) -> tuple[Study, Study]:
    """The study of a run, and its controls' beside it.

    Raises
    ------
    RunError
        When they are there and cannot be read, or the name is that of some run's controls.
    """
    if name.endswith(CONTROL_SUFFIX):
        raise RunError(
            f"{name}: expected a name that does not end in {CONTROL_SUFFIX}, as those of the "
            "studies of controls do: use another --out"
        )
    studies = []
    for study_name in (name, name + CONTROL_SUFFIX):
        with untrusted(f"the study {study_name}"):
            study = optuna.create_study(
                storage=storage, study_name=study_name, direction="maximize", load_if_exists=True
            )
            if study.metric_names is None:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", ".*set_metric_names", ExperimentalWarning)
                    study.set_metric_names([METRIC])
        studies.append(_readable(study))
    return studies[0], studies[1]


def _readable(study: Study) -> Study:
    """The study, once all of it was read: what Optuna trips over, it trips over here.

    Whatever is read later came through here, or was written by this process.
    """
    with untrusted(f"the study {study.study_name}"):
        _ = study.user_attrs
        for trial in study.get_trials(deepcopy=False):
            numbers = [
                trial.params[name]
                for name, distribution in trial.distributions.items()
                if not isinstance(distribution, CategoricalDistribution)
                and trial.state != TrialState.FAIL  # it may be why: anything can be enqueued
            ]
            for number in (*numbers, *(trial.values or ())):
                finite(number)
    return study


def finite(value: Any) -> float:
    """The value, if it is a number that JSON can hold too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:80]!r} is no finite number")
    return float(value)


def runs(storage: RDBStorage) -> list[str]:
    """The names of the runs in a storage."""
    with untrusted("the studies of the storage"):  # with their attributes, though unasked
        names = optuna.get_all_study_names(storage)
    return [name for name in names if name + CONTROL_SUFFIX in names]


def find(folder: Path, storage_url: str | None) -> tuple[Study, Study]:
    """The studies of an existing run.

    Raises
    ------
    RunError
        When there is none.
    """
    url = storage_url or database_url(folder)
    if lacks_file(url):
        if storage_url is not None:
            raise RunError(
                f"storage {without_password(storage_url)}: expected the database of a run, found "
                "none"
            )
        raise RunError(
            f"{folder}: expected the folder of a run, with {DATABASE} in it, found none: name the "
            "folder that was --out, or add the --storage of the run"
        )
    storage = open_storage(url)
    with storage_errors(storage_url or str(folder)):
        names = runs(storage)
        wanted = [folder.resolve().name] if len(names) > 1 or storage_url else names
        if not wanted or wanted[0] not in names:
            found = ", ".join(names) or "none"
            raise RunError(f"{folder}: expected the study of a run, found {found}")
        name = wanted[0]
        with untrusted(f"the study {name}"):
            study, control_study = (
                optuna.load_study(study_name=each, storage=storage)
                for each in (name, name + CONTROL_SUFFIX)
            )
        return _readable(study), _readable(control_study)


def trials_that_count(study: Study) -> list[FrozenTrial]:
    """Finished trials in order, but for interrupted ones, which are repeated."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and not is_interrupted(trial)
    ]


def is_interrupted(trial: FrozenTrial) -> bool:
    """Whether the trial ended because its process did, not because of what it tried."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(FAILURE) in (None, INTERRUPTED)


def failure_of(error: BaseException) -> str:
    """Why a training failed, in one line."""
    return " ".join(str(error).split()) or "out of memory"


def index_of(study: Study, number: int) -> int:
    """A trial's place among those that count: its repetition after a crash has the same."""
    before = study.get_trials(deepcopy=False)[:number]
    return sum(not is_interrupted(other) for other in before)


def fail_interrupted(study: Study) -> int:
    """End the trials that a killed process left running; returns how many there were.

    Only whoever holds the run's lock may call this: then nobody else is running them.
    """
    dead = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in dead:
        fail(study, trial, INTERRUPTED)
    return len(dead)


def fail(study: Study, trial: Trial | FrozenTrial, reason: str) -> None:
    """End a running trial as failed, for a reason."""
    study._storage.set_trial_user_attr(trial._trial_id, FAILURE, reason)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether a stored value is a whole number within bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


# Attributes of the study that are no tables.
_SHAPES: dict[str, Callable[[Any], bool]] = {
    SEED: lambda value: is_whole(value, 0, 2**63),
    MULTIPLE: lambda value: is_whole(value, 1, 10**9),
}


def attribute(study: Study, name: str) -> Any:
    """A study's attribute, or None.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    value = study.user_attrs.get(name)
    with untrusted(f"the study's attribute {name}"):
        if value is not None and not _SHAPES.get(name, _is_table)(value):
            raise TypeError(f"got {str(value)[:80]!r}")
    return value


@contextmanager
def untrusted(what: str) -> Iterator[None]:
    """Turn what somebody else wrote into the study into one line."""
    try:
        yield
    except _TRIPPED as error:
        if isinstance(error, GrowsearchError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{what}: expected what growsearch wrote ({type(error).__name__}: {reason}): somebody "
            "changed the study; start again in a new --out"
        ) from None


# What Optuna, SQLAlchemy and we trip over in values that are not what we wrote.
_TRIPPED = (
    *(TypeError, ValueError, LookupError, AttributeError),
    *(ArithmeticError, AssertionError, RecursionError),
)
