"""The base of all that a study stores as attributes: checks of untrusted values, both directions.

``to_attributes`` gives what is written; ``read`` takes what the database gives, as untrusted input.
A missing attribute has its default, an unknown one is ignored, and one of another type or out of
range is a RunError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol, Self

from optuna.study import Study
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from growsearch.study.untrusted import untrusted
from growsearch.trials.outcome import TrialOutcome

Count = Annotated[StrictInt, Field(ge=0)]
Sha256 = Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")]
CurvePoint = tuple[StrictInt, StrictFloat, StrictFloat]  # step, accuracy, loss


class Stored(BaseModel):
    """A frozen value that the study holds as attributes."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def to_attributes(self) -> dict[str, Any]:
        """Return the attributes that were given to the constructor, as plain JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


class HoldsAttributes(Protocol):
    """The part of a study that its attributes are read from."""

    @property
    def user_attrs(self) -> dict[str, Any]:
        """The attributes by name."""
        ...


@dataclass(frozen=True)
class AttributesNow:
    """The attributes of a study at one moment; a study reads all of them for each that is asked."""

    user_attrs: dict[str, Any]

    @classmethod
    def of(cls, study: Study) -> Self:
        """Read them from the database."""
        return cls(study.user_attrs)


class StudyAttribute(Stored):
    """A value that is one attribute of the study."""

    attribute: ClassVar[str]

    @classmethod
    def read(cls, study: HoldsAttributes) -> Self | None:
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


class OneValue(StudyAttribute):
    """A study's attribute that is no table: the value stands in the field ``value``."""

    @classmethod
    def _unwrapped(cls, value: Any) -> Any:
        return {"value": value}

    @classmethod
    def _wrapped(cls, attributes: dict[str, Any]) -> Any:
        return attributes["value"]


class Trained(Stored):
    """The costs and the curve of a training."""

    curve: tuple[CurvePoint, ...] = ()
    seconds: StrictFloat = 0.0
    images_per_second: StrictFloat = 0.0
    training_flops: StrictFloat = 0.0


def of_training(outcome: TrialOutcome) -> dict[str, Any]:
    """Return the fields of ``Trained``."""
    return {
        "curve": tuple((p.step, p.accuracy, p.loss) for p in outcome.curve),
        "seconds": outcome.seconds,
        "images_per_second": outcome.images_per_second,
        "training_flops": outcome.training_flops,
    }
