"""The check of a run: every promise that a run makes, held against what is stored."""

from __future__ import annotations

import warnings
from pathlib import Path

from growsearch.checks import expanded
from growsearch.errors import DamagedRunError, GrowsearchError, RunError
from growsearch.study.attributes import RunIdAttribute
from growsearch.study.database import storage_errors
from growsearch.study.named import networks_named
from growsearch.study.networks import DamagedNetworkWarning, final_of
from growsearch.study.open import find
from growsearch.study.run_id import check
from growsearch.study.run_state import read_state
from growsearch.study.trials import is_pending
from growsearch.upkeep import files, trials
from growsearch.upkeep.findings import Promise, Verification
from growsearch.upkeep.snapshot import Snapshot, snapshot
from growsearch.upkeep.trunk import trunk


def verify(folder: str | Path, storage: str | None = None) -> Verification:
    """Check every promise of a run; change nothing.

    Parameters
    ----------
    folder : path
        The folder that was ``out`` when the run was made.
    storage : str, optional
        The storage URL of the run, if it was not its folder's.

    Raises
    ------
    RunError
        When there is no run, or its database cannot be used.
    """
    folder = expanded(folder)
    with storage_errors(storage or str(folder)):
        try:
            study, control_study = find(folder, storage)
        except DamagedRunError as error:
            broken = Promise("every attribute is what growsearch wrote", 1, (str(error),))
            return Verification(folder, (broken,))
        run = snapshot(folder, study, control_study)
        return Verification(
            folder,
            (
                _attributes(run),
                trials.values(run),
                trials.growths(run),
                trials.parents(run),
                trials.indices(run),
                trials.controls(run),
                _running(run),
                files.networks(run),
                *([trunk(run)] if run.trunk is not None else []),
                _best(run),
                _end(run),
                _identity(run, storage),
                files.whole(run),
                files.images(run),
            ),
        )


def _attributes(run: Snapshot) -> Promise:
    return Promise("every attribute is what growsearch wrote", run.read, run.unreadable)


def _running(run: Snapshot) -> Promise:
    """Check that no trial is left running; a pending one is sent again by the next session."""
    running = [trial for trial in run.trials if not trial.state.is_finished()]
    faults, notes = [], []
    for trial in running:
        if is_pending(trial):
            notes.append(f"trial {trial.number} is pending")
        elif trial.state.name == "WAITING":
            notes.append(f"trial {trial.number} is queued")
        elif run.is_worked_on:
            notes.append(f"trial {trial.number} is being asked for")
        else:
            faults.append(
                f"trial {trial.number}: running without a whole description, and no process works "
                "on the run: the next session repeats it"
            )
    if run.is_worked_on:
        notes.append("a process works on the run")
    return Promise("no trial is stuck", len(run.trials), tuple(faults), tuple(notes))


def _best(run: Snapshot) -> Promise:
    name = "the best network verifies"
    if run.teacher is None:
        return Promise(name, 0, notes=("the run has no teacher yet",))
    try:
        with warnings.catch_warnings():  # a damaged network is a fault of another promise
            warnings.simplefilter("ignore", DamagedNetworkWarning)
            state = read_state(run.study, run.store)
            best = final_of(run.study, run.store, state.incumbent)
    except GrowsearchError as error:
        return Promise(name, 1, (str(error),))
    polished = ", polished" if best.polished else ""
    front = (f"a front of {len(state.front)}",) if state.front else ()
    whose = "the teacher" if best.trial_number is None else f"trial {best.trial_number}"
    return Promise(name, 1, notes=(f"{whose}{polished}: {best.sha256[:12]}…", *front))


def _end(run: Snapshot) -> Promise:
    """Check that the accuracies at the end are those of a network of the run."""
    name = "accuracies on test and held-out images are the best network's"
    if run.test is None:
        return Promise(name, 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamagedNetworkWarning)
            best = final_of(run.study, run.store, read_state(run.study, run.store).incumbent)
        named = networks_named(run.study)
    except GrowsearchError:
        return Promise(name, 0, notes=("not checked: the best network cannot be told",))
    measured = run.freed.stored(run.test.sha256)
    faults = tuple(
        f"{part}: expected a fraction, got {value}"
        for part, value in run.test.to_attributes().items()
        if part.endswith(("accuracy", "score")) and value is not None and not 0.0 <= value <= 1.0
    )
    if measured == best.sha256:
        return Promise(name, 1, faults)
    # A polish that began again may have replaced the network that was measured.
    if measured not in named and run.polish is None:
        faults = (*faults, f"they are of {measured[:12]}…, which is no network of the run")
        return Promise(name, 1, faults)
    note = "they are of an earlier best network, and are not shown: measured again at the end"
    return Promise(name, 1, faults, (note,))


def _identity(run: Snapshot, storage: str | None) -> Promise:
    """Check that folder and study belong together; a database in the folder needs no id."""
    name = "folder and study belong together"
    if storage is None and run.study.user_attrs.get(RunIdAttribute.attribute) is None:
        return Promise(name, 1, notes=("the study lies in the folder",))
    try:
        check(run.study, run.folder, storage or str(run.folder))
    except RunError as error:
        return Promise(name, 1, (str(error),))
    return Promise(name, 1)
