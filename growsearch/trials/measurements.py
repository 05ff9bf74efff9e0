"""Jobs that measure and train nothing: an evaluation of a stored network, its speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.errors import InvalidInputError
from growsearch.networks import Architecture, Network
from growsearch.training import MeasuresSpeed, Speed, TrainingPlan
from growsearch.training.class_weights import class_weights, weighted
from growsearch.trials.confusion import Confusion
from growsearch.trials.metrics import measured
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
    class_weight : "none" or "balanced"
        The weights that losses are multiplied by, as of :class:`growsearch.TrainingPlan`.
    counts : bool
        True to count the predictions by class.
    """

    name: str
    network: str
    part: Part
    data: str
    class_weight: str = "none"
    counts: bool = False

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Evaluated:
        """Return the network's figures on the images, and how long the evaluation took."""
        del on_point
        context.check(self.data)
        network, images = context.networks.get(self.network), context.images[self.part]
        began = time.monotonic()
        found = evaluated(context, network, images, self.class_weight, counts=self.counts)
        return replace(found, seconds=time.monotonic() - began)


def evaluated(
    context: WorkerContext,
    network: Network,
    images: Split,
    class_weight: str = "none",
    *,
    counts: bool = False,
) -> Evaluated:
    """Evaluate a network on images; see :class:`EvaluationJob`.

    The weights of classes follow from the training images, as in a training.

    Raises
    ------
    InvalidInputError
        When classes have weights, and the trainer does not give the losses of the single images.
    """
    found, metric = context.trainer.evaluate(network, images), context.metric
    if class_weight != "none" and found.losses is None:
        raise InvalidInputError(
            "training.class_weight: expected a trainer that gives the losses of the single images "
            '(Evaluation.losses), got none: use class_weight = "none"'
        )
    shapes, output = network.architecture.shapes, network.architecture.output
    classes = shapes[output.name][-1]
    weights = class_weights(class_weight, context.images["train"].labels, classes)
    found = weighted(found, images.labels, weights)
    score, shares, confusion = found.accuracy, None, None
    if counts or metric != "accuracy":
        logits = found.logits
        if logits is None:
            logits = np.asarray(context.trainer.logits(network, images.images))
        if counts:
            confusion = Confusion.of(images.labels, logits.argmax(axis=1), classes)
        if metric != "accuracy":
            score, shares = measured(metric, logits, images.labels)
    return Evaluated(
        found.accuracy,
        found.losses,
        loss=found.loss,
        score=score,
        shares=shares,
        confusion=confusion,
    )


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
        The mean cross-entropy, nats.
    score : float
        The value of the run's metric: the accuracy, unless the run has another one.
    shares : float32 array, shape (n,), or None
        The images' shares of a metric other than accuracy.
    confusion : Confusion or None
        The predictions by class, where the job counts them.
    """

    accuracy: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    seconds: float = 0.0
    loss: float = 0.0
    score: float = 0.0
    shares: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    confusion: Confusion | None = None


@dataclass(frozen=True)
class SpeedJob:
    """Measure how fast a stored network trains by a plan.

    Parameters
    ----------
    name : str
    network : str or Architecture
        The SHA-256 of a stored network, or the architecture of one that is not.
    plan : TrainingPlan
    """

    name: str
    network: str | Architecture
    plan: TrainingPlan

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Speed | None:
        """Return the speed; None with a trainer that does not measure."""
        del on_point
        if not isinstance(context.trainer, MeasuresSpeed):
            return None
        network = self.network
        if isinstance(network, str):
            network = context.networks.get(network).architecture
        return context.trainer.speed_of(network, self.plan)
