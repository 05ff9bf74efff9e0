"""The attributes of a run's study: one class a thing stored, with its name and its checks."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from growsearch.networks import Architecture
from growsearch.study.attributes.base import (
    Count,
    OneValue,
    Sha256,
    Stored,
    StudyAttribute,
    Trained,
    of_training,
)
from growsearch.study.untrusted import untrusted
from growsearch.trials.demands import DemandName
from growsearch.trials.metrics import MetricName
from growsearch.trials.outcome import TrialOutcome

Cell = tuple[Count, Count, Annotated[StrictInt, Field(ge=1)]]


class SpaceAttribute(OneValue):
    """The search space of the run, as plain values."""

    attribute: ClassVar[str] = "space"
    value: dict[str, Any]

    @property
    def metric(self) -> str:
        """The metric that the run optimises.

        Raises
        ------
        RunError
            When it is not what growsearch writes.
        """
        with untrusted("the judge of the space"):
            return _Judge.model_validate(self.value.get("judge", {})).metric

    @property
    def demand(self) -> DemandName | None:
        """The second objective of the run; None where it has one objective.

        Raises
        ------
        RunError
            When it is not what growsearch writes.
        """
        with untrusted("the objectives of the space"):
            objective = _Search.model_validate(self.value.get("search", {})).objective
        return None if isinstance(objective, str) else objective[1]

    @property
    def control_arms(self) -> dict[str, float]:
        """The control arms, with the fraction of the trials that each runs on.

        Raises
        ------
        RunError
            When they are not what growsearch writes.
        """
        with untrusted("the control arms of the space"):
            return _ControlArms.model_validate(self.value.get("controls", {})).arms


class _Judge(Stored):
    metric: MetricName = "accuracy"


class _Search(Stored):
    objective: StrictStr | tuple[Literal["accuracy"], DemandName] = "gain"


class _ControlArms(Stored):
    arms: dict[str, StrictFloat] = Field(default_factory=dict)


class RunIdAttribute(OneValue):
    """The random name of a run, which its folder has too."""

    attribute: ClassVar[str] = "run-id"
    value: StrictStr


class SessionAttribute(OneValue):
    """The random id of the session that works on the run, or was the last to do so."""

    attribute: ClassVar[str] = "session"
    value: StrictStr


class LengthAttribute(StudyAttribute):
    """The length of a run by its space, where no command says otherwise; it may change.

    Parameters
    ----------
    trials : int
    time_budget : float or None
        Seconds; None is no limit.
    """

    attribute: ClassVar[str] = "length"
    trials: Count
    time_budget: StrictFloat | None = None


class SeedAttribute(OneValue):
    """The seed of the run."""

    attribute: ClassVar[str] = "seed"
    value: Annotated[StrictInt, Field(ge=0, le=2**63)]


class WidthMultipleAttribute(OneValue):
    """The measured step of widths, for a space whose ``limits.width_multiple`` is "auto"."""

    attribute: ClassVar[str] = "width_multiple"
    value: Annotated[StrictInt, Field(ge=1, le=10**9)]


class PendingTrialsAttribute(OneValue):
    """The number of candidates that are asked for before the oldest of them is judged."""

    attribute: ClassVar[str] = "pending_trials"
    value: Annotated[StrictInt, Field(ge=1, le=10**6)]


class DataAttribute(StudyAttribute):
    """The images of the run.

    ``paths`` are those that they were loaded from; runs of earlier versions have stored none.
    """

    attribute: ClassVar[str] = "data"
    name: StrictStr = ""
    source: StrictStr = ""
    stand_in: StrictBool = False
    fingerprint: StrictStr
    class_names: tuple[StrictStr, ...] = ()
    paths: tuple[StrictStr, ...] = ()


class SpentAttribute(OneValue):
    """Seconds of the whole run by phase."""

    attribute: ClassVar[str] = "spent"
    value: dict[str, StrictFloat]


class WorkersAttribute(StudyAttribute):
    """The workers of a run, and how busy they were.

    Parameters
    ----------
    count : int
        Jobs at once in the last session; 0 is the driver's own process.
    busy : float
        Seconds that workers were at jobs, of all sessions.
    available : float
        Seconds of all sessions, times the workers of each.
    """

    attribute: ClassVar[str] = "workers"
    count: Count = 0
    busy: StrictFloat = 0.0
    available: StrictFloat = 0.0


class LapsAttribute(StudyAttribute):
    """The last trial of which nothing is left to do, and the seconds of the longest trial.

    The seconds include controls and callbacks, by a clock that cannot be set: the times that Optuna
    keeps follow the system's clock.
    """

    attribute: ClassVar[str] = "laps"
    last: StrictInt = -1
    longest: StrictFloat = 0.0


class TestAttribute(StudyAttribute):
    """Figures at the end of the run, of the network that is kept and of the teacher.

    Parameters
    ----------
    sha256 : str
        Of the network that is kept.
    accuracy, held_out_accuracy, teacher_accuracy, teacher_held_out_accuracy : float or None
    score, held_out_score, teacher_score, teacher_held_out_score : float or None
        The same by the run's metric; None where that is accuracy.
    classes : int
    confusion, held_out_confusion : tuple of (true class, predicted class, images)
        The cells of the confusion matrix of the network that is kept; see
        :class:`growsearch.trials.confusion.Confusion`.
    """

    __test__: ClassVar[bool] = False  # not one of pytest's classes
    attribute: ClassVar[str] = "test"
    sha256: StrictStr = ""
    accuracy: StrictFloat | None = None
    held_out_accuracy: StrictFloat | None = None
    teacher_accuracy: StrictFloat | None = None
    teacher_held_out_accuracy: StrictFloat | None = None
    score: StrictFloat | None = None
    held_out_score: StrictFloat | None = None
    teacher_score: StrictFloat | None = None
    teacher_held_out_score: StrictFloat | None = None
    classes: Annotated[StrictInt, Field(ge=0, le=10**4)] = 0
    confusion: tuple[Cell, ...] = ()
    held_out_confusion: tuple[Cell, ...] = ()

    @model_validator(mode="after")
    def _are_classes(self) -> Self:
        """Refuse a cell of no class."""
        for true, predicted, _ in (*self.confusion, *self.held_out_confusion):
            if max(true, predicted) >= self.classes:
                raise ValueError(f"a confusion matrix: {true}, {predicted} of {self.classes}")
        return self


class MemberFigures(Stored):
    """The figures of a member of a front at the end, by the run's metric; None without images."""

    test: StrictFloat | None = None
    held_out: StrictFloat | None = None


class FrontTestAttribute(OneValue):
    """The figures at the end of the members of a front, by the SHA-256 of each."""

    __test__: ClassVar[bool] = False  # not one of pytest's classes
    attribute: ClassVar[str] = "front-test"
    value: dict[Sha256, MemberFigures] = Field(default_factory=dict)


class FreedAttribute(OneValue):
    """The networks whose optimizer slots were freed: the SHA-256 before, and that of the rest."""

    attribute: ClassVar[str] = "freed"
    value: dict[Sha256, Sha256] = Field(default_factory=dict)

    def stored(self, sha256: str) -> str:
        """Return the SHA-256 of the file that holds a network: another one without its slots."""
        return self.value.get(sha256, sha256)


class Logged(Stored):
    """The log of a run at one place: its identity there, and the trials that it has."""

    identity: StrictStr = ""
    trials: tuple[Count, ...] = ()


class TrackingAttribute(OneValue):
    """The places that the run is logged to, by trackers such as MLflow's, each with its log."""

    attribute: ClassVar[str] = "tracking"
    value: dict[StrictStr, Logged] = Field(default_factory=dict)


class StartAttribute(StudyAttribute):
    """The network that was given to a run, as the first one or to be trained on.

    Parameters
    ----------
    source : str
        The path of its file, or in words where it had none.
    file_sha256 : str
        SHA-256 of the file's bytes; "" without a file.
    sha256 : str
        Of the network, as the run has stored it.
    training_flops : float
        FLOPs of the trainings that it descends from; 0 where they are unknown.
    """

    attribute: ClassVar[str] = "start"
    source: StrictStr
    file_sha256: Sha256 | Literal[""] = ""
    sha256: Sha256
    training_flops: StrictFloat = 0.0


class TeacherAttribute(Trained, StudyAttribute):
    """The network that the search started from.

    ``last`` is the SHA-256 of the network of its last update, where a trunk goes on from it, and
    ``precision`` that of its updates. ``step_seconds`` is the measured time of an update of a
    network that was given and not trained. ``demand`` is its value of a second objective.
    """

    attribute: ClassVar[str] = "teacher"
    sha256: StrictStr
    last: StrictStr = ""
    precision: StrictStr = ""
    validation_accuracy: StrictFloat
    architecture: StrictStr = ""
    parameters: Count = 0
    demand: StrictFloat | None = None
    step_seconds: StrictFloat = 0.0

    @classmethod
    def of(cls, outcome: TrialOutcome, architecture: Architecture) -> Self:
        """Return the attribute of a teacher whose training ended."""
        return cls(
            sha256=outcome.sha256,
            last=outcome.last or "",
            precision=outcome.precision or "",
            validation_accuracy=outcome.accuracy,
            architecture=str(architecture),
            parameters=architecture.parameters,
            **of_training(outcome),
        )
