"""How fast an architecture trains on this machine, and at which precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from growsearch.networks import Architecture
from growsearch.training.plan import TrainingPlan
from growsearch.training.trainer import Trainer


@dataclass(frozen=True)
class Speed:
    """How an architecture trains on this machine: at which precision, and seconds an update."""

    precision: str
    step_seconds: float


@runtime_checkable
class MeasuresSpeed(Protocol):
    """A trainer that can say beforehand how fast an architecture trains."""

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        """What the plan's precision comes to, and how long an update then takes, by some of them.

        The answer for an architecture and batch size is kept: asking twice costs nothing.
        """
        ...


def at_one_precision(
    trainer: Trainer, architecture: Architecture, plan: TrainingPlan
) -> TrainingPlan:
    """The plan with its precision chosen for an architecture, to be followed by every arm.

    A trainer that does not measure gets the plan as it is.

    Examples
    --------
    >>> at_one_precision(trainer, candidate.architecture, plan).precision     # doctest: +SKIP
    'bfloat16'
    """
    if plan.precision != "auto" or not isinstance(trainer, MeasuresSpeed):
        return plan
    return replace(plan, precision=trainer.speed_of(architecture, plan).precision)
