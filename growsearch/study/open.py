"""Opening the studies of a run: created, loaded, or found in a folder or a storage.

The study is the only state of a run. Weights lie beside it, in files named by the SHA-256 of their
bytes. A file is written and synced before the attribute that names it, and the attribute before
``tell``: the tell is the commit, and a process that dies between two of these steps leaves nothing
but an orphan file.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState

from growsearch.errors import RunError, without_password
from growsearch.study.database import (
    DATABASE,
    database_url,
    lacks_file,
    open_storage,
    storage_errors,
)
from growsearch.study.untrusted import finite, untrusted
from growsearch.trials.metrics import METRICS

WEIGHTS = "weights"  # the folder of networks in a run folder
CONTROL_SUFFIX = "-control"


def create_or_load(
    storage: RDBStorage, name: str, metric: str = "accuracy", demand: str | None = None
) -> tuple[Study, Study]:
    """Return the study of a run and the sibling study of its controls; make them if need be.

    The value of a new study has the name of the run's metric, which the dashboard shows. With a
    demand the study has two objectives: that value, which is to be high, and the demand, which is
    to be low.

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
    one = {f"validation {METRICS[metric].words}": StudyDirection.MAXIMIZE}
    objectives = one if demand is None else one | {demand: StudyDirection.MINIMIZE}
    for study_name, named in ((name, objectives), (name + CONTROL_SUFFIX, one)):
        with untrusted(f"the study {study_name}"):
            study = optuna.create_study(
                storage=storage,
                study_name=study_name,
                directions=[*named.values()],
                load_if_exists=True,
            )
            if study.metric_names is None and len(study.directions) == len(named):
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", ".*set_metric_names", ExperimentalWarning)
                    study.set_metric_names([*named])
        studies.append(_readable(study))
    return studies[0], studies[1]


def _readable(study: Study) -> Study:
    """Read the whole study once, so that a changed value is refused here; return the study.

    Later reads find values that were checked here or were written by this process.
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


def runs(storage: RDBStorage) -> list[str]:
    """Return the names of the runs in a storage."""
    with untrusted("the studies of the storage"):  # with their attributes, though unasked
        names = optuna.get_all_study_names(storage)
    return [name for name in names if name + CONTROL_SUFFIX in names]


def find(folder: Path, storage_url: str | None) -> tuple[Study, Study]:
    """Return the two studies of an existing run.

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
