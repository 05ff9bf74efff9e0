"""The attributes of a run's study: one class a thing stored, with its name and its checks."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from growsearch.networks import Architecture
from growsearch.study.attributes.base import (
    Count,
    OneValue,
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
Sha256 = Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")]


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
    """The images of the run."""

    attribute: ClassVar[str] = "data"
    name: StrictStr = ""
    source: StrictStr = ""
    stand_in: StrictBool = False
    fingerprint: StrictStr
    class_names: tuple[StrictStr, ...] = ()


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


class Trunk(Stored):
    """The state of a trunk between two of its trainings.

    Parameters
    ----------
    version : int
        Rises with every change.
    weights : str
        SHA-256 of the network of the last update, with its slots.
    average : str
        SHA-256 of the averages of its weights: the network that the trunk is read by.
    validation_accuracy, validation_loss
        Of the averages, on the selection images.
    trial : int or None
        The last growth that the network descends from; None is the first network.
    learning_rate : float
        The highest rate of its schedule.
    updates : int
        Updates that the network descends from.
    seconds, training_flops : float
        Of these updates.
    step_cost : float
        Cost of an update: seconds in a run with a time budget, else updates of the first network.
    trained : float
        Cost of the trunk's own training, also where a growth took its place.
    deciding : float
        Cost of the training of candidates.
    given_up : float
        Seconds of updates of the trunk whose place a growth took.
    campaigns, legs : int
        Campaigns and trainings of the trunk so far.
    failures : int
        Trainings that diverged since the last that ended; each halved the learning rate.
    measured : bool
        True if costs are seconds.
    precision : str
        Of all updates.
    """

    version: Count = 0
    weights: Sha256
    average: Sha256
    validation_accuracy: StrictFloat
    validation_loss: StrictFloat
    trial: Count | None = None
    learning_rate: StrictFloat
    updates: Count = 0
    seconds: StrictFloat = 0.0
    training_flops: StrictFloat = 0.0
    step_cost: StrictFloat = 0.0
    trained: StrictFloat = 0.0
    deciding: StrictFloat = 0.0
    given_up: StrictFloat = 0.0
    campaigns: Count = 0
    legs: Count = 0
    failures: Count = 0
    measured: StrictBool = False
    precision: StrictStr = "float32"


class TrunkAttribute(Trunk, StudyAttribute):
    """The trunk of a run after it was trained alone; ``growsearch.study.trunk`` reads it."""

    attribute: ClassVar[str] = "trunk"


class Reading(Stored):
    """The best network of a run at a moment: a point of its anytime curve.

    Parameters
    ----------
    elapsed : float
        Seconds since the run began; without a time budget, updates of the first network.
    validation_accuracy, validation_loss, parameters
        Of the network.
    trial : int or None
        The last growth that it descends from.
    sha256 : str
        Of a network that is kept; "" of one that was only read.
    mark : float
        The time for which a commit was due; 0 of any other reading.
    legs : int
        Trainings of the trunk so far.
    seconds : float
        Seconds of the updates that the network descends from.
    cooling : float
        Seconds of the updates of all forks that were cooled for it.
    """

    elapsed: StrictFloat
    validation_accuracy: StrictFloat
    validation_loss: StrictFloat
    parameters: Count
    trial: Count | None = None
    sha256: StrictStr = ""
    mark: StrictFloat = 0.0
    legs: Count = 0
    seconds: StrictFloat = 0.0
    cooling: StrictFloat = 0.0


class ReadingsAttribute(OneValue):
    """The anytime curve of a run with a trunk."""

    attribute: ClassVar[str] = "readings"
    value: tuple[Reading, ...] = ()

    @property
    def commits(self) -> tuple[Reading, ...]:
        """The readings whose networks are kept."""
        return tuple(each for each in self.value if each.sha256)


class PolishAttribute(StudyAttribute):
    """The state of a polish.

    Parameters
    ----------
    of : str
        SHA-256 of the network that is polished.
    sha256, validation_accuracy
        Of the best network so far.
    done : int
        Parts that are finished.
    last : str
        SHA-256 of the last part's network, from which the next part goes on.
    failure : str
        Why the polish ended before its last part.
    lasts : tuple of str
        Of a trunk's decay: SHA-256 of each fork's network, from which its next part goes on; none
        after the last part.
    validation_loss, seconds, cooling
        Of a trunk's decay: the loss of the best network so far; the seconds of the updates that it
        descends from; those of the updates of all forks.
    """

    attribute: ClassVar[str] = "polish"
    of: StrictStr = ""
    sha256: StrictStr
    validation_accuracy: StrictFloat
    done: Count
    last: StrictStr
    failure: StrictStr = ""
    lasts: tuple[Sha256, ...] = ()
    validation_loss: StrictFloat | None = None
    seconds: StrictFloat = 0.0
    cooling: StrictFloat = 0.0


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
