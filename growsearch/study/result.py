"""The result of a run, read from its study: the best network, accuracies, trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.study import Study

from growsearch.checks import expanded
from growsearch.evidence.comparison import Evidence, HeldOut, compare
from growsearch.networks import Architecture
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
from growsearch.study.draws import DrawsItself
from growsearch.study.front import FrontMember, members_of, pick
from growsearch.study.lineage import Ancestor
from growsearch.study.networks import Best, final_of, test_of
from growsearch.study.open import WEIGHTS, find
from growsearch.study.read import records
from growsearch.study.run_id import check
from growsearch.study.run_state import read_state
from growsearch.study.shares import Shares
from growsearch.trials.confusion import Confusion
from growsearch.trials.demands import DemandName
from growsearch.trials.metrics import by_its_name
from growsearch.trials.records import TrialRecord

if TYPE_CHECKING:
    from pandas import DataFrame

    from growsearch.exports import Export


@dataclass(frozen=True)
class SearchResult(DrawsItself):
    """The result of a search.

    Parameters
    ----------
    best : Best
        The network kept, its validation accuracy, its trial, the file it lies in.
    test_accuracy : float or None
        Test accuracy of the best network, computed once when the search ended; None before that.
        It is an accuracy in every run; ``test_score`` is by the run's metric.
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
    class_names : tuple of str or None
        Name of each class, in the order of the labels, where the images have some.
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
    metric : str
        The metric that the run optimises: a name in ``growsearch.trials.metrics.METRICS``. Where it
        is not accuracy, all validation accuracies are values of this metric: those of ``best``, of
        the teacher, of trials and arms, of readings.
    scores : mapping
        The values of a metric other than accuracy by "test", "teacher_test", "held_out" and
        "teacher_held_out"; computed with the accuracies.
    confusions : mapping
        The predictions of the best network by class, on the "test" images and on those "held_out";
        computed with the accuracies.
    teacher_architecture : Architecture or None
        The architecture of the teacher.
    start : StartAttribute or None
        The network that was given to the run, and its origin; None where the run trained its own.
    front : tuple of FrontMember
        In a run with two objectives the networks of which none is dominated, by rising demand;
        ``best`` is the last, the most accurate. ``growsearch.pick`` chooses among them.
    demand : str or None
        The second objective: a name in ``growsearch.trials.demands.DEMANDS``.
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
    class_names: tuple[str, ...] | None = None
    metric: str = "accuracy"
    scores: Mapping[str, float] = field(default_factory=dict)
    confusions: Mapping[str, Confusion] = field(default_factory=dict)
    teacher_architecture: Architecture | None = None
    start: StartAttribute | None = None
    front: tuple[FrontMember, ...] = ()
    demand: DemandName | None = None

    def confusion(self, on: Literal["test", "held_out"] = "test") -> Confusion | None:
        """Return the confusion matrix of the best network; None before the search has ended.

        Parameters
        ----------
        on : "test" or "held_out"
            The images.

        Examples
        --------
        >>> found = result.confusion()                               # doctest: +SKIP
        >>> found.counts, found.by_class, found.confused(5)          # doctest: +SKIP
        """
        return self.confusions.get(on)

    @property
    def test_score(self) -> float | None:
        """The best network's value of the run's metric on the test images."""
        return self._score("test", self.test_accuracy)

    @property
    def teacher_test_score(self) -> float | None:
        """The teacher's value of the run's metric on the test images."""
        return self._score("teacher_test", self.teacher_test_accuracy)

    @property
    def held_out_score(self) -> float | None:
        """The best network's value of the run's metric on the held-out validation images."""
        return self._score("held_out", self.held_out_accuracy)

    @property
    def teacher_held_out_score(self) -> float | None:
        """The teacher's value of the run's metric on the held-out validation images."""
        return self._score("teacher_held_out", self.teacher_held_out_accuracy)

    def _score(self, name: str, accuracy: float | None) -> float | None:
        return accuracy if self.metric == "accuracy" else self.scores.get(name)

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

    def frame(self) -> DataFrame:
        """Return the finished trials as a table of pandas, one row a trial, with all arms.

        The index is the trial's number. A trial's arm has columns such as ``random_accuracy``; see
        :func:`growsearch.study.frame.frame_of`.

        Raises
        ------
        InvalidInputError
            When pandas is not installed: ``pip install 'growsearch[pandas]'``.
        """
        from growsearch.study.frame import frame_of

        return frame_of(self.trials, self.metric)

    def _repr_html_(self) -> str:
        """Return what a notebook shows of the result."""
        from growsearch.study.notebook import html_of

        return html_of(self)

    def export(self, format: str | None = None, **options: Any) -> Export:
        """Write the best network to a file of another runtime, and check there that it is the same.

        Parameters
        ----------
        format : str, optional
            A name in ``growsearch.exports.FORMATS``, such as "onnx".
        **options
            Further arguments of :func:`growsearch.export`.

        Examples
        --------
        >>> result.export("tflite-int8", out="best.tflite").accuracy     # doctest: +SKIP
        """
        from growsearch.exports import export

        return export(self, format=format, **options)

    def within(self, limits: Mapping[str, float]) -> SearchResult:
        """Return the result with another best network: the most accurate of the front in limits.

        Its accuracies on held-out and test images are those of the member; other figures at the end
        of the run are of the best network before, and are left out.

        Parameters
        ----------
        limits : mapping
            As of :func:`growsearch.pick`.

        Examples
        --------
        >>> result.within({"flash_bytes": 64_000}).best.network      # doctest: +SKIP
        """
        member = pick(self.front, limits)
        if member.sha256 == self.best.sha256:
            return self
        best = Best(member.network, member.accuracy, member.trial_number, member.path)
        figures = {"test": member.test_accuracy, "held_out": member.held_out_accuracy}
        has_metric = self.metric != "accuracy"  # whose values a member has instead of accuracies
        others = {on: value for on, value in self.scores.items() if on not in figures}
        scores = {on: value for on, value in figures.items() if has_metric and value is not None}
        accuracies: dict[str, Any] = {
            f"{on}_accuracy": None if has_metric else value for on, value in figures.items()
        }
        return replace(self, best=best, **accuracies, scores=others | scores, confusions={})

    def evidence(self) -> Evidence:
        """Compare the candidates with each control arm, in pairs, with statistics."""
        held_out, teachers = self.held_out_score, self.teacher_held_out_score
        if held_out is None or teachers is None:
            return compare(self.trials, metric=self.metric)
        chosen_on = self.best.validation_accuracy
        selection = HeldOut(chosen_on, held_out, self.teacher_accuracy, teachers)
        return compare(self.trials, selection, metric=self.metric)

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON values.

        Values of a metric other than accuracy have its name in the place of "accuracy".
        """
        best = self.best
        course = {} if self.anytime is None else self.anytime.to_json()
        chosen: dict[str, Any] = {
            "best": {
                "architecture": str(best.network.architecture),
                "parameters": best.network.parameters,
                "validation_accuracy": best.validation_accuracy,
                "trial_number": best.trial_number,
                "polished": best.polished,
                "sha256": best.sha256,
                "path": str(best.path),
            },
            "teacher": {"validation_accuracy": self.teacher_accuracy},
            **course,
            **({"front": [each.to_json() for each in self.front]} if self.front else {}),
            "trials": [trial.to_json() for trial in self.trials],
        }
        found = by_its_name(chosen, self.metric)
        found["teacher"] |= {
            "test_accuracy": self.teacher_test_accuracy,
            "held_out_accuracy": self.teacher_held_out_accuracy,
        }
        return {
            "folder": str(self.folder),
            "ended": self.ended,
            "data_source": self.data_source,
            "stand_in": self.stand_in,
            "class_names": None if self.class_names is None else list(self.class_names),
            "control_arms": dict(self.control_arms),
            "start": None if self.start is None else self.start.to_attributes(),
            "metric": self.metric,
            "demand": self.demand,
            "best": found.pop("best"),
            "test_accuracy": self.test_accuracy,
            "held_out_accuracy": self.held_out_accuracy,
            "scores": {f"{on}_{self.metric}": value for on, value in self.scores.items()},
            "teacher": found.pop("teacher"),
            "confusion": {on: each.to_json() for on, each in self.confusions.items()},
            "spent": dict(self.spent),
            "workers": self.workers.to_attributes(),
            "evidence": self.evidence().to_json(),
            **found,
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
        class_names=(data.class_names or None) if data else None,
        teacher_architecture=state.teacher.network.architecture,
        front=members_of(study, state.front),
        demand=space.demand if space else None,
        start=StartAttribute.read(study),
        **_figures(test, space.metric if space else "accuracy", data),
    )


def _figures(test: TestAttribute, metric: str, data: DataAttribute | None) -> dict[str, Any]:
    """Return the metric of a run, its values at the end, and the confusion matrices."""
    scores = {
        "test": test.score,
        "teacher_test": test.teacher_score,
        "held_out": test.held_out_score,
        "teacher_held_out": test.teacher_held_out_score,
    }
    cells = {"test": test.confusion, "held_out": test.held_out_confusion}
    names = data.class_names if data and len(data.class_names) == test.classes else None
    return {
        "metric": metric,
        "scores": {on: value for on, value in scores.items() if value is not None},
        "confusions": {
            on: Confusion(test.classes, each, names) for on, each in cells.items() if each
        },
    }


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
