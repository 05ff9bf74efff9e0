"""The private members of Optuna that growsearch uses, each with the reason; Optuna 5.0.

Beside ``patience.py`` nothing else in growsearch touches a name of Optuna's that begins with an
underscore.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState


@contextmanager
def stoppable(study: Study) -> Iterator[None]:
    """Let callbacks call ``study.stop()`` inside the block.

    Optuna allows it within ``study.optimize`` only, and growsearch asks and tells by itself.
    """
    study._thread_local.in_optimize_loop = True
    try:
        yield
    finally:
        study._thread_local.in_optimize_loop = False


def is_stopped(study: Study) -> bool:
    """Return whether a callback called ``study.stop()``; Optuna has no public question."""
    return bool(study._stop_flag)


def storage_of(study: Study) -> BaseStorage:
    """Return the study's storage, which the dashboard's server takes."""
    return study._storage


def close(study: Study) -> None:
    """End the connections of a study that is read no more; Optuna keeps them for good.

    Its cache, where there is one, holds the storage on the database.
    """
    storage: Any = study._storage
    getattr(storage, "_backend", storage).engine.dispose()


def roll_back_interrupted(study: Study, error: BaseException | None) -> None:
    """End a transaction that an interrupt has cut, so that later ones do not wait for its lock.

    Parameters
    ----------
    study : optuna.Study
    error : BaseException
        The interrupt. What its traceback holds is let go of: a connection may be held by that
        alone, where the interrupt came between two lines of SQLAlchemy.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__context__
    study._storage.remove_session()


def set_attribute(study: Study, trial: Trial | FrozenTrial, name: str, value: Any) -> None:
    """Set a user attribute of a running trial of which only the frozen form is at hand.

    A trial that a killed process left running has no ``Trial`` object any more.
    """
    study._storage.set_trial_user_attr(trial._trial_id, name, value)


def set_intermediate_value(
    study: Study, trial: Trial | FrozenTrial, step: int, value: float
) -> None:
    """Set or replace an intermediate value, which ``Trial.report`` refuses to replace."""
    study._storage.set_trial_intermediate_value(trial._trial_id, step, value)


def added(study: Study, trial: FrozenTrial) -> FrozenTrial:
    """Add a trial and return it as the storage has it; ``study.add_trial`` does not say which."""
    identity = study._storage.create_new_trial(study._study_id, template_trial=trial)
    return study._storage.get_trial(identity)


def put_back(study: Study, trial: FrozenTrial) -> None:
    """Put a running trial back into the queue; ``study.enqueue_trial`` makes another trial."""
    study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


def reopened(study: Study, trial: FrozenTrial) -> Trial:
    """Return the trial in the form that ``optuna_dashboard.save_note`` takes."""
    return Trial(study, trial._trial_id)


def dashboard_values(study: Study) -> dict[str, Any]:
    """Return the values that the dashboard reads from a study, by name."""
    return study._storage.get_study_system_attrs(study._study_id)


def set_dashboard_value(study: Study, name: str, value: str) -> None:
    """Store a value for the dashboard in a study."""
    study._storage.set_study_system_attr(study._study_id, name, value)


def identity_of(stored: Study | FrozenTrial) -> int:
    """Return the number that addresses of the dashboard have for a study or a trial."""
    return stored._study_id if isinstance(stored, Study) else stored._trial_id


def asked(study: Study) -> FrozenTrial:
    """Ask for a trial and return it as the storage has it, which samplers are called with."""
    return study._storage.get_trial(study.ask()._trial_id)


def is_enqueued(trial: FrozenTrial) -> bool:
    """Return whether the trial was queued by ``study.enqueue_trial``."""
    return "fixed_params" in trial.system_attrs
