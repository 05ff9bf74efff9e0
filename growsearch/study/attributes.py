"""The attributes of a run's studies and trials: their names, their checks, both directions.

One class a thing that is stored. ``to_attributes`` gives what is written; ``read`` takes what the
database gives, as untrusted input: an attribute that is missing has its default, one that is
unknown is ignored, and one of another type or out of range is a RunError.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Self

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from growsearch.errors import GrowsearchError
from growsearch.growth import Growth, growth_from_json
from growsearch.networks import Architecture
from growsearch.study.untrusted import untrusted
from growsearch.trials.job import TrialOutcome
from growsearch.trials.records import ArmResult

Count = Annotated[StrictInt, Field(ge=0)]
CurvePoint = tuple[StrictInt, StrictFloat, StrictFloat]  # step, accuracy, loss

FAILURE = "failure"  # why a trial failed: of a candidate and of a control
INTERRUPTED = "interrupted"  # the failure of a trial whose process ended: it is repeated


class Stored(BaseModel):
    """A frozen value that the study holds as attributes."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def to_attributes(self) -> dict[str, Any]:
        """Return the attributes that were given to the constructor, as plain JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


class StudyAttribute(Stored):
    """A value that is one attribute of the study."""

    attribute: ClassVar[str]

    @classmethod
    def read(cls, study: Study) -> Self | None:
        """Return what the study holds; None where it holds nothing.

        Raises
        ------
        RunError
            When it is not what growsearch writes.
        """
        value = study.user_attrs.get(cls.attribute)
        if value is None:
            return None
        with untrusted(f"the study's attribute {cls.attribute}"):
            return cls.model_validate(cls._unwrapped(value))

    def write(self, study: Study) -> None:
        """Store the value in the study."""
        study.set_user_attr(self.attribute, self._wrapped(self.to_attributes()))

    @classmethod
    def _unwrapped(cls, value: Any) -> Any:
        return value

    @classmethod
    def _wrapped(cls, attributes: dict[str, Any]) -> Any:
        return attributes


class _OneValue(StudyAttribute):
    """A study's attribute that is no table: the value stands in the field ``value``."""

    @classmethod
    def _unwrapped(cls, value: Any) -> Any:
        return {"value": value}

    @classmethod
    def _wrapped(cls, attributes: dict[str, Any]) -> Any:
        return attributes["value"]


class SpaceAttribute(_OneValue):
    """The search space of the run, as plain values."""

    attribute: ClassVar[str] = "space"
    value: dict[str, Any]

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


class _ControlArms(Stored):
    arms: dict[str, StrictFloat] = Field(default_factory=dict)


class SeedAttribute(_OneValue):
    """The seed of the run."""

    attribute: ClassVar[str] = "seed"
    value: Annotated[StrictInt, Field(ge=0, le=2**63)]


class WidthMultipleAttribute(_OneValue):
    """The measured step of widths, for a space whose ``limits.width_multiple`` is "auto"."""

    attribute: ClassVar[str] = "width_multiple"
    value: Annotated[StrictInt, Field(ge=1, le=10**9)]


class DataAttribute(StudyAttribute):
    """The images of the run."""

    attribute: ClassVar[str] = "data"
    name: StrictStr = ""
    source: StrictStr = ""
    stand_in: StrictBool = False
    fingerprint: StrictStr


class SpentAttribute(_OneValue):
    """Seconds of the whole run by phase."""

    attribute: ClassVar[str] = "spent"
    value: dict[str, StrictFloat]


class LapsAttribute(StudyAttribute):
    """The last trial of which nothing is left to do, and the seconds of the longest trial.

    The seconds include controls and callbacks, by a clock that nobody sets: the times that Optuna
    keeps follow the system's clock.
    """

    attribute: ClassVar[str] = "laps"
    last: StrictInt = -1
    longest: StrictFloat = 0.0


class TestAttribute(StudyAttribute):
    """Accuracies at the end of the run, of the network that is kept and of the teacher."""

    __test__: ClassVar[bool] = False  # not one of pytest's classes
    attribute: ClassVar[str] = "test"
    sha256: StrictStr = ""
    accuracy: StrictFloat | None = None
    held_out_accuracy: StrictFloat | None = None
    teacher_accuracy: StrictFloat | None = None
    teacher_held_out_accuracy: StrictFloat | None = None


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
    """

    attribute: ClassVar[str] = "polish"
    of: StrictStr = ""
    sha256: StrictStr
    validation_accuracy: StrictFloat
    done: Count
    last: StrictStr
    failure: StrictStr = ""


class _Trained(Stored):
    """What a training took and gave."""

    curve: tuple[CurvePoint, ...] = ()
    seconds: StrictFloat = 0.0
    images_per_second: StrictFloat = 0.0
    training_flops: StrictFloat = 0.0


def _of_training(outcome: TrialOutcome) -> dict[str, Any]:
    """Return the fields of ``_Trained``."""
    return {
        "curve": tuple((p.step, p.accuracy, p.loss) for p in outcome.curve),
        "seconds": outcome.seconds,
        "images_per_second": outcome.images_per_second,
        "training_flops": outcome.training_flops,
    }


class TeacherAttribute(_Trained, StudyAttribute):
    """The network that the search started from."""

    attribute: ClassVar[str] = "teacher"
    sha256: StrictStr
    validation_accuracy: StrictFloat
    architecture: StrictStr = ""
    parameters: Count = 0

    @classmethod
    def of(cls, outcome: TrialOutcome, architecture: Architecture) -> Self:
        """Return the attribute of a teacher whose training ended."""
        return cls(
            sha256=outcome.sha256,
            validation_accuracy=outcome.accuracy,
            architecture=str(architecture),
            parameters=architecture.parameters,
            **_of_training(outcome),
        )


class Candidate(_Trained):
    """The attributes of a candidate's trial: its description before, its outcome after training.

    Parameters
    ----------
    index : int
        The trial's place among those that count; its repetition after a crash has the same.
    parent : int or None
        The trial whose network grew; None is the teacher.
    growth, growth_json, operation, layer, layer_kind, old, new
        The growth in words, as JSON, and its parts for tables.
    architecture, parameters, flops
        Of the grown network.
    precision : str
        What the updates of all the trial's arms compute with.
    sha256 : str
        Of the network, if it was kept.
    gain : float
        Validation accuracy less the parent's.
    kept, reason
        The judge's decision.
    failure : str
        Why the trial failed.
    """

    index: Count = 0
    parent: Count | None = None
    operation: StrictStr = ""
    growth: StrictStr = ""
    growth_json: dict[str, Any] = Field(default_factory=dict)
    layer: StrictStr = ""
    layer_kind: StrictStr = ""
    old: StrictStr = ""
    new: StrictStr = ""
    architecture: StrictStr = ""
    parameters: Count = 0
    flops: Count = 0
    precision: StrictStr | None = None
    sha256: StrictStr = ""
    gain: StrictFloat | None = None
    kept: StrictBool = False
    reason: StrictStr = ""
    failure: StrictStr | None = None

    @classmethod
    def described(
        cls, index: int, parent: int | None, growth: Growth, before: Architecture
    ) -> Self:
        """Return what is known of a candidate before its training."""
        old, new = growth.sizes(before)
        grown = growth.grown(before)
        return cls(
            index=index,
            parent=parent,
            operation=growth.operation,
            growth=str(growth),
            growth_json=growth.to_json(),
            layer=growth.place,
            layer_kind=before[growth.place].layer.kind,
            old=old,
            new=new,
            architecture=str(grown),
            parameters=grown.parameters,
            flops=grown.flops,
        )

    @classmethod
    def judged(cls, outcome: TrialOutcome, *, gain: float, kept: bool, reason: str) -> Self:
        """Return what is known of a candidate after its training."""
        stored = {"sha256": outcome.sha256} if kept else {}
        return cls(**stored, **_of_training(outcome), gain=gain, kept=kept, reason=reason)

    @classmethod
    def read(cls, trial: FrozenTrial) -> Self:
        """Return the attributes of a trial.

        Raises
        ------
        RunError
            When they are not what growsearch writes.
        """
        with untrusted(f"trial {trial.number}"):
            candidate = cls.model_validate(trial.user_attrs)
            if candidate.parent is not None and candidate.parent >= trial.number:
                raise ValueError(f"{candidate.parent} is no earlier trial")
            return candidate

    def grown_from(self, parent: Architecture, number: int) -> Growth:
        """Return the growth, held against what the trial says that it gave.

        Raises
        ------
        RunError
            When the growth and the architecture do not belong together.
        """
        with untrusted(f"the growth of trial {number}"):
            try:
                growth = growth_from_json(self.growth_json)
                grown = str(growth.grown(parent))
            except GrowsearchError as error:  # one that no candidate can have made
                raise ValueError(str(error)) from None
            if grown != self.architecture:
                raise ValueError(f"{growth} does not give {self.architecture[:80]}")
        return growth


class Control(_Trained):
    """The attributes of a control's trial, in the sibling study.

    Parameters
    ----------
    candidate : int
        Number of the candidate's trial.
    arm : str
    repeat : int
        0 has the candidate's own seeds; each repeat has seeds of its own.
    learning_rate, tried
        Of a tuned control: the best rate, and all rates with their accuracies.
    """

    candidate: Count | None = None
    arm: StrictStr = ""
    repeat: Count = 0
    index: Count = 0
    growth: StrictStr = ""
    architecture: StrictStr = ""
    parameters: Count = 0
    learning_rate: StrictFloat | None = None
    tried: tuple[tuple[StrictFloat, StrictFloat | None], ...] = ()
    failure: StrictStr | None = None

    @staticmethod
    def is_of(trial: FrozenTrial, candidate: int) -> bool:
        """Return whether a trial is a control of that candidate, by this one attribute."""
        return bool(trial.user_attrs.get("candidate") == candidate)

    @classmethod
    def read(cls, trial: FrozenTrial) -> Self:
        """Return the attributes of a control.

        Raises
        ------
        RunError
            When they are not what growsearch writes.
        """
        with untrusted(f"control {trial.number}"):
            return cls.model_validate(trial.user_attrs)


def control_outcome(outcome: TrialOutcome) -> dict[str, Any]:
    """Return the attributes of a control that its training gave."""
    about: dict[str, Any] = {"tried": outcome.tried} if outcome.tried else {}
    if outcome.failure is not None:
        return about | {"failure": outcome.failure.reason}
    return about | _of_training(outcome) | {"learning_rate": outcome.learning_rate}


def arm_result(trial: FrozenTrial, stored: Candidate | Control) -> ArmResult:
    """Return the result of one arm: of a candidate or of a control."""
    complete = trial.state == TrialState.COMPLETE
    rate: float | None = trial.params.get("learning_rate")
    if isinstance(stored, Control) and stored.learning_rate is not None:
        rate = stored.learning_rate
    if trial.state == TrialState.FAIL and rate is not None and not math.isfinite(rate):
        rate = None  # which is why it failed
    return ArmResult(
        accuracy=trial.value if complete else (stored.curve[-1][1] if stored.curve else None),
        loss=stored.curve[-1][2] if stored.curve else None,
        seconds=stored.seconds,
        curve=stored.curve,
        failure=stored.failure,
        flops=stored.training_flops,
        learning_rate=rate,
        tried=stored.tried if isinstance(stored, Control) else (),
    )
