"""Speed of training on this machine, and the precision that is chosen by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from growsearch.networks import Architecture
from growsearch.training.plan import TrainingPlan
from growsearch.training.trainer import Trainer


@dataclass(frozen=True)
class Speed:
    """Precision of a training on this machine, and its seconds an update."""

    precision: str
    step_seconds: float


@runtime_checkable
class MeasuresSpeed(Protocol):
    """A trainer that can measure how fast an architecture trains."""

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        """Return the precision that the plan gets, and the seconds of an update, by measurement.

        The result for an architecture and batch size is cached.
        """
        ...


def at_one_precision(
    trainer: Trainer, architecture: Architecture, plan: TrainingPlan
) -> TrainingPlan:
    """Return the plan with its precision chosen for an architecture, the same for every arm.

    A plan for a trainer that does not measure is returned unchanged.

    Examples
    --------
    >>> at_one_precision(trainer, candidate.architecture, plan).precision     # doctest: +SKIP
    'bfloat16'
    """
    if plan.precision != "auto" or not isinstance(trainer, MeasuresSpeed):
        return plan
    return replace(plan, precision=trainer.speed_of(architecture, plan).precision)
