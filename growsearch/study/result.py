"""The result of a run, read from its study: the best network, accuracies, trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study

from growsearch.checks import expanded
from growsearch.evidence.comparison import Evidence, HeldOut, compare
from growsearch.networks.store import NetworkStore
from growsearch.study.anytime import Anytime, anytime_of
from growsearch.study.attributes import (
    DataAttribute,
    Reading,
    SpaceAttribute,
    SpentAttribute,
    StartAttribute,
    TestAttribute,
    WorkersAttribute,
)
from growsearch.study.database import storage_errors
from growsearch.study.lineage import Ancestor
from growsearch.study.networks import Best, final_of, test_of
from growsearch.study.open import WEIGHTS, find
from growsearch.study.read import records
from growsearch.study.run_id import check
from growsearch.study.run_state import read_state
from growsearch.study.shares import Shares
from growsearch.trials.records import TrialRecord


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Parameters
    ----------
    best : Best
        The network kept, its validation accuracy, its trial, the file it lies in.
    test_accuracy : float or None
        Test accuracy of the best network, computed once when the search ended; None before that.
    held_out_accuracy : float or None
        Accuracy of the best network on the held-out validation images, computed with the former.
    teacher_held_out_accuracy : float or None
        Accuracy of the teacher on the same images.
    teacher_accuracy, teacher_test_accuracy : float
        Accuracies of the teacher on the selection images and on the test images.
    trials : tuple of TrialRecord
        The finished trials in order, without interrupted ones, which are repeated.
    study, control_study : optuna.Study
    folder : Path
    ended : str
        The reason why the search stopped.
    data_source : str
        The source of the images.
    stand_in : bool
        Whether the images stand in for the data set of the space.
    spent : mapping
        Seconds of the whole run by phase: "teacher", "trunk", "candidates", "controls", "polish",
        "test", "other".
    workers : WorkersAttribute
        The workers of the run, and how busy they were.
    control_arms : mapping
        The control arms of the space, each with its fraction of the trials; empty without controls.
    anytime : Anytime or None
        The course of a run with a trunk; None of another run. ``readings``, ``lineage`` and
        ``shares`` are its parts.
    start : StartAttribute or None
        The network that was given to the run, and its origin; None where the run trained its own.
    """

    best: Best
    test_accuracy: float | None
    teacher_accuracy: float
    teacher_test_accuracy: float | None
    trials: tuple[TrialRecord, ...]
    study: optuna.Study = field(repr=False)
    control_study: optuna.Study = field(repr=False)
    folder: Path
    ended: str
    data_source: str
    stand_in: bool
    held_out_accuracy: float | None = None
    teacher_held_out_accuracy: float | None = None
    spent: Mapping[str, float] = field(default_factory=dict)
    workers: WorkersAttribute = field(default_factory=WorkersAttribute)
    control_arms: Mapping[str, float] = field(default_factory=dict)
    anytime: Anytime | None = None
    start: StartAttribute | None = None

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The anytime curve of a run with a trunk: accuracy and loss, in the order of time."""
        return () if self.anytime is None else self.anytime.readings

    @property
    def lineage(self) -> tuple[Ancestor, ...]:
        """The first network of a run with a trunk, and each growth that was kept, in order."""
        return () if self.anytime is None else self.anytime.lineage

    @property
    def shares(self) -> Shares | None:
        """The shares of the workers' seconds in a run with a trunk, by what they went into."""
        return None if self.anytime is None else self.anytime.shares

    def evidence(self) -> Evidence:
        """Compare the candidates with each control arm, in pairs, with statistics."""
        held_out, teachers = self.held_out_accuracy, self.teacher_held_out_accuracy
        if held_out is None or teachers is None:
            return compare(self.trials)
        chosen_on = self.best.validation_accuracy
        return compare(self.trials, HeldOut(chosen_on, held_out, self.teacher_accuracy, teachers))

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        best = self.best
        course = {} if self.anytime is None else self.anytime.to_json()
        return {
            "folder": str(self.folder),
            "ended": self.ended,
            "data_source": self.data_source,
            "stand_in": self.stand_in,
            "control_arms": dict(self.control_arms),
            "start": None if self.start is None else self.start.to_attributes(),
            "best": {
                "architecture": str(best.network.architecture),
                "parameters": best.network.parameters,
                "validation_accuracy": best.validation_accuracy,
                "trial_number": best.trial_number,
                "polished": best.polished,
                "sha256": best.sha256,
                "path": str(best.path),
            },
            "test_accuracy": self.test_accuracy,
            "held_out_accuracy": self.held_out_accuracy,
            "teacher": {
                "validation_accuracy": self.teacher_accuracy,
                "test_accuracy": self.teacher_test_accuracy,
                "held_out_accuracy": self.teacher_held_out_accuracy,
            },
            "spent": dict(self.spent),
            "workers": self.workers.to_attributes(),
            "evidence": self.evidence().to_json(),
            **course,
            "trials": [trial.to_json() for trial in self.trials],
        }


def result_of(
    study: Study, control_study: Study, store: NetworkStore, *, ended: str = ""
) -> SearchResult:
    """Return the result of a run so far, read from its study.

    Raises
    ------
    RunError
        When the run has not even a teacher yet.
    """
    state = read_state(study, store)
    best = final_of(study, store, state.incumbent)
    data, space = DataAttribute.read(study), SpaceAttribute.read(study)
    test, spent = test_of(study, best) or TestAttribute(), SpentAttribute.read(study)
    trials = records(study, control_study)
    return SearchResult(
        best=best,
        test_accuracy=test.accuracy,
        held_out_accuracy=test.held_out_accuracy,
        teacher_held_out_accuracy=test.teacher_held_out_accuracy,
        teacher_accuracy=state.teacher.validation_accuracy,
        teacher_test_accuracy=test.teacher_accuracy,
        trials=trials,
        study=study,
        control_study=control_study,
        folder=store.folder.parent,
        ended=ended,
        data_source=data.source if data else "",
        stand_in=bool(data and data.stand_in),
        spent=spent.value if spent else {},
        workers=WorkersAttribute.read(study) or WorkersAttribute(),
        control_arms=space.control_arms if space else {},
        anytime=anytime_of(study, state, best, trials),
        start=StartAttribute.read(study),
    )


def load_result(folder: str | Path, *, storage: str | None = None) -> SearchResult:
    """Read a run, finished or not, without changing it.

    Parameters
    ----------
    folder : path
        The folder that was ``out`` when the run was made.
    storage : str, optional
        The storage URL of the run, if it was not its folder's.

    Raises
    ------
    RunError
        When there is no run, or none that can be read.
    """
    folder = expanded(folder)
    with storage_errors(storage or str(folder)):
        study, control_study = find(folder, storage)
        if storage:
            check(study, folder, storage)
        return result_of(study, control_study, NetworkStore(folder / WEIGHTS))
