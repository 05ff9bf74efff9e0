"""Jobs that measure and train nothing: an evaluation of a stored network, its speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from growsearch.training import MeasuresSpeed, Speed, TrainingPlan
from growsearch.trials.progress import OnPoint
from growsearch.trials.worker import Part, WorkerContext


@dataclass(frozen=True)
class EvaluationJob:
    """Evaluate a stored network on one part of the run's images.

    Parameters
    ----------
    name : str
    network : str
        The network's SHA-256.
    part : "selection", "held_out" or "test"
    data : str
        The fingerprint of the run's images.
    """

    name: str
    network: str
    part: Part
    data: str

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Evaluated:
        """Return accuracy and losses, and how long the evaluation took."""
        del on_point
        context.check(self.data)
        network, images = context.networks.get(self.network), context.images[self.part]
        began = time.monotonic()
        found = context.trainer.evaluate(network, images)
        return Evaluated(found.accuracy, found.losses, time.monotonic() - began, found.loss)


@dataclass(frozen=True)
class Evaluated:
    """The outcome of an evaluation job.

    Parameters
    ----------
    accuracy : float
        A fraction.
    losses : float32 array, shape (n,), or None
        The images' own losses, where the trainer gives them.
    seconds : float
    loss : float
        The mean cross-entropy, in nats.
    """

    accuracy: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    seconds: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True)
class SpeedJob:
    """Measure how fast a stored network trains by a plan.

    Parameters
    ----------
    name : str
    network : str
        The network's SHA-256.
    plan : TrainingPlan
    """

    name: str
    network: str
    plan: TrainingPlan

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Speed | None:
        """Return the speed; None with a trainer that does not measure."""
        del on_point
        if not isinstance(context.trainer, MeasuresSpeed):
            return None
        return context.trainer.speed_of(context.networks.get(self.network).architecture, self.plan)
