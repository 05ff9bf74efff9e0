"""The study is the only state of a run: opening it, and what is stored under which name.

Weights lie beside it, in files named by the SHA-256 of their bytes. A file is written and synced
before the attribute that names it, and the attribute before ``tell``: the tell is the commit, and
whoever dies between two of these steps leaves nothing but an orphan file.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from growsearch.driver.arms import CANDIDATE
from growsearch.driver.records import ArmResult, Best, TrialRecord, warn_damaged
from growsearch.driver.storage import (
    DATABASE,
    database_url,
    lacks_file,
    open_storage,
    storage_errors,
)
from growsearch.errors import GrowsearchError, NetworkFileError, RunError
from growsearch.networks import Network
from growsearch.networks.files import fetch, stored_path

WEIGHTS = "weights"
CONTROL_SUFFIX = "-control"
METRIC = "validation accuracy"

# Attributes of the study.
SPACE, SEED, DATA, TEACHER, TEST = "space", "seed", "data", "teacher", "test"
POLISH, SPENT, MULTIPLE = "polish", "spent", "width_multiple"
# Attributes of a trial: why it failed, and of a control: whose it is, and which.
FAILURE, INTERRUPTED = "failure", "interrupted"
CANDIDATE_NUMBER, ARM, REPEAT = "candidate", "arm", "repeat"
# Attributes of teacher, trial and control: what training it took.
TRAINING_FLOPS, PRECISION = "training_flops", "precision"

# Of one candidate: (arm, repeat with another seed) -> result. The candidate's own is repeat 0.
Controls = Mapping[tuple[str, int], ArmResult]


def create_or_load(storage: RDBStorage, name: str) -> tuple[Study, Study]:
    """The study of a run, and its controls' beside it.

    Raises
    ------
    RunError
        When they are there and cannot be read.
    """
    studies = []
    for study_name in (name, name + CONTROL_SUFFIX):
        with _foreign(f"the study {study_name}"):
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
    with _foreign(f"the study {study.study_name}"):
        _ = study.user_attrs
        for trial in study.get_trials(deepcopy=False):
            numbers = [
                trial.params[name]
                for name, distribution in trial.distributions.items()
                if not isinstance(distribution, CategoricalDistribution)
            ]
            for number in (*numbers, *(trial.values or ())):
                _finite(number)
    return study


def _finite(value: Any) -> float:
    """The value, if it is a number that JSON can hold too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:80]!r} is no finite number")
    return float(value)


def runs(storage: RDBStorage) -> list[str]:
    """The names of the runs in a storage."""
    with _foreign("the studies of the storage"):  # with their attributes, though unasked
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
            raise RunError(f"storage {storage_url}: expected the database of a run, found none")
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
        with _foreign(f"the study {name}"):
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


def index_of(study: Study, number: int) -> int:
    """A trial's place among those that count: its repetition after a crash has the same."""
    before = study.get_trials(deepcopy=False)[:number]
    return sum(not is_interrupted(other) for other in before)


def fail_interrupted(study: Study) -> int:
    """End the trials that a killed process left running; returns how many there were.

    Only whoever holds the run's lock may call this: then nobody else is running them.
    """
    dead = study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
    for trial in dead:
        study._storage.set_trial_user_attr(trial._trial_id, FAILURE, INTERRUPTED)
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    return len(dead)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


# Attributes of the study that are no tables.
_SHAPES: dict[str, Callable[[Any], bool]] = {
    SEED: lambda value: _is_whole(value, 0, 2**63),
    MULTIPLE: lambda value: _is_whole(value, 1, 10**9),
}


def attribute(study: Study, name: str) -> Any:
    """A study's attribute, or None.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    value = study.user_attrs.get(name)
    with _foreign(f"the study's attribute {name}"):
        if value is not None and not _SHAPES.get(name, _is_table)(value):
            raise TypeError(f"got {str(value)[:80]!r}")
    return value


@contextmanager
def _foreign(what: str) -> Iterator[None]:
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


def gain_of(trial: FrozenTrial) -> float | None:
    """The gain over the parent; None where there is none."""
    gain = trial.user_attrs.get("gain")
    with _foreign(f"the gain of trial {trial.number}"):
        return None if gain is None else _finite(gain)


def gain_per_second_of(trial: FrozenTrial) -> float | None:
    """The gain over the parent for each second of an update; None where there is no gain.

    All candidates are to make as many updates, so that this orders them as the gain for each second
    of their training does, and one that was given up early does not seem quick. A loss is
    multiplied by the seconds instead, so that the slower of two is the worse.
    """
    gain, seconds = gain_of(trial), trial.user_attrs.get("seconds")
    updates = max(trial.intermediate_values, default=0)
    if gain is None or not isinstance(seconds, int | float) or not (seconds > 0.0 and updates):
        return gain
    one = seconds / updates
    return gain / one if gain > 0.0 else gain * one


def best_of(study: Study, folder: Path) -> Best:
    """The best kept network whose bytes verify; the teacher, where no trial beat it.

    A damaged or missing file is passed over, with a warning.

    Raises
    ------
    RunError
        When not even the teacher's verifies.
    """
    weights = folder / WEIGHTS
    kept = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.user_attrs.get("kept") is True and trial.value is not None
    ]
    kept.sort(key=lambda trial: (-float(trial.value or 0.0), trial.number))
    for trial in kept:
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
    polish = attribute(study, POLISH)
    if polish is None or polish.get("of") != best.path.stem:
        return None
    with _foreign("the polish"):
        return {
            "sha256": str(polish["sha256"]),
            "last": str(polish["last"]),
            "validation_accuracy": _finite(polish["validation_accuracy"]),
            "done": int(polish["done"]),
        }


def test_of(study: Study, best: Best) -> dict[str, float]:
    """What was measured at the end, if it was of this network; else nothing.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    test = attribute(study, TEST) or {}
    if test.get("sha256") != best.path.stem:
        return {}
    with _foreign(f"the study's attribute {TEST}"):
        measured = ("accuracy", "held_out_accuracy")
        names = (*measured, *(f"teacher_{name}" for name in measured))
        return {name: _finite(test[name]) for name in names if test.get(name) is not None}


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
        network = fetch(polish["sha256"], folder / WEIGHTS)
    except NetworkFileError as error:
        warn_damaged(f"the polished network is passed over: {error}")
        return best
    path = stored_path(folder / WEIGHTS, polish["sha256"])
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
    with _foreign(f"the parent {number!r}"):
        about = study.get_trials(deepcopy=False)[number].user_attrs
        return fetch(str(about["sha256"]), folder / WEIGHTS)


def teacher_of(study: Study, folder: Path) -> Best:
    """The network that the search started from.

    Raises
    ------
    RunError
        When it is missing or damaged.
    """
    teacher = attribute(study, TEACHER)
    if teacher is None:
        raise RunError(f"{folder}: the run has no teacher yet: run the same command again")
    with _foreign("the teacher"):
        name, accuracy = str(teacher["sha256"]), _finite(teacher["validation_accuracy"])
    try:
        network = fetch(name, folder / WEIGHTS)
    except NetworkFileError as error:
        raise RunError(f"the teacher cannot be used: {error}; start again in a new --out") from None
    return Best(network, accuracy, None, stored_path(folder / WEIGHTS, name))


def spent_on(study: Study, number: int | None) -> float:
    """FLOPs of the training of a trial's network and all its ancestors; None is the teacher.

    Raises
    ------
    RunError
        When the attributes are not what growsearch writes.
    """
    total = 0.0
    trials = study.get_trials(deepcopy=False)
    with _foreign("the ancestry of a network"):
        while number is not None:
            about = trials[number].user_attrs
            total += _finite(about[TRAINING_FLOPS])
            if (parent := about["parent"]) is not None and not parent < number:
                raise ValueError(f"trial {number} stands before its parent {parent}")
            number = parent
        return total + _finite(attribute(study, TEACHER)[TRAINING_FLOPS])


def spent_of(study: Study) -> dict[str, float]:
    """Seconds of the run by phase.

    Raises
    ------
    RunError
        When they are not what growsearch writes.
    """
    spent = attribute(study, SPENT) or {}
    with _foreign("the time spent"):
        return {str(phase): _finite(seconds) for phase, seconds in spent.items()}


def longest_trial(study: Study, control_study: Study) -> float:
    """Seconds that the longest trial took with its controls, in this session or an earlier one."""
    took = {trial.number: _lasted(trial) for trial in trials_that_count(study)}
    for control in control_study.get_trials(deepcopy=False):
        number = control.user_attrs.get(CANDIDATE_NUMBER)
        if isinstance(number, int) and number in took:
            took[number] += _lasted(control)
    return max(took.values(), default=0.0)


def _lasted(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def records(study: Study, control_study: Study) -> tuple[TrialRecord, ...]:
    """One record for each trial that counts, its controls beside it."""
    controls = controls_by_number(control_study)
    return tuple(
        record(trial, controls.get(trial.number, {})) for trial in trials_that_count(study)
    )


def controls_by_number(control_study: Study, only: int | None = None) -> dict[int, Controls]:
    """The finished controls by the number of their candidate; of one candidate, or of all."""
    controls: dict[int, dict[tuple[str, int], ArmResult]] = {}
    for trial in control_study.get_trials(deepcopy=False):
        about = trial.user_attrs
        number, arm, repeat = about.get(CANDIDATE_NUMBER), about.get(ARM), about.get(REPEAT, 0)
        if only is not None and number != only:
            continue  # before anything of it is read: this is asked after each trial
        if trial.state.is_finished() and isinstance(number, int) and isinstance(arm, str):
            with _foreign(f"control {trial.number}"):
                controls.setdefault(number, {})[arm, int(repeat)] = _arm_result(trial)
    return dict(controls)


def controls_of(control_study: Study, number: int) -> Controls:
    """The finished controls of one candidate."""
    return controls_by_number(control_study, number).get(number, {})


def record(trial: FrozenTrial, controls: Controls) -> TrialRecord:
    """The record of one finished trial.

    Raises
    ------
    RunError
        When its attributes are not what growsearch writes.
    """
    about = trial.user_attrs
    with _foreign(f"trial {trial.number}"):
        candidate = _arm_result(trial)
        arms = {CANDIDATE: candidate}
        repeats: dict[str, dict[int, ArmResult]] = {}
        for (arm, repeat), result in controls.items():
            if repeat == 0:
                arms[arm] = result
            else:
                repeats.setdefault(arm, {})[repeat] = result
        parent = about.get("parent")
        if parent is not None and not _is_whole(parent, 0, trial.number - 1):
            raise ValueError(f"{str(parent)[:80]!r} is no earlier trial")
        return TrialRecord(
            number=trial.number,
            state=trial.state.name,
            parent=parent,
            growth=str(about.get("growth", "")),
            operation=str(about.get("operation", "")),
            layer=str(about.get("layer", "")),
            layer_kind=str(about.get("layer_kind", "")),
            old_size=str(about.get("old", "")),
            new_size=str(about.get("new", "")),
            learning_rate=trial.params.get("learning_rate"),
            architecture=str(about.get("architecture", "")),
            parameters=int(about.get("parameters", 0)),
            flops=int(about.get("flops", 0)),
            arms=arms,
            repeats=repeats,
            gain=gain_of(trial),
            seconds=candidate.seconds + sum(result.seconds for result in controls.values()),
            kept=about.get("kept") is True,
            reason=str(about.get("reason") or about.get(FAILURE) or ""),
        )


def _arm_result(trial: FrozenTrial) -> ArmResult:
    about = trial.user_attrs
    curve = tuple((int(s), _finite(a), _finite(x)) for s, a, x in about.get("curve", ()))
    complete = trial.state == TrialState.COMPLETE
    tried = about.get("tried", ())
    rate = about.get("learning_rate", trial.params.get("learning_rate"))
    failure = about.get(FAILURE)
    return ArmResult(
        accuracy=trial.value if complete else (curve[-1][1] if curve else None),
        loss=curve[-1][2] if curve else None,
        seconds=_finite(about.get("seconds", 0.0)),
        curve=curve,
        failure=None if failure is None else str(failure),
        flops=_finite(about.get(TRAINING_FLOPS, 0.0)),
        learning_rate=None if rate is None else _finite(rate),
        tried=tuple((_finite(r), None if a is None else _finite(a)) for r, a in tried),
    )
