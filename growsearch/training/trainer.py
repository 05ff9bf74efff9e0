"""The protocol of a trainer, and the values that it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.training.plan import TrainingPlan


@dataclass(frozen=True)
class Evaluation:
    """Accuracy (a fraction) and mean cross-entropy (nats) of a network on a split.

    ``losses`` are the losses of the single images in the split's order, shape (n,): comparisons
    need them. ``logits``, shape (n, classes), are the outputs that they follow from. Each is None
    if a trainer does not give it.
    """

    accuracy: float
    loss: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Point:
    """One evaluation during a training: number of updates so far, accuracy, loss.

    A point that ``on_evaluation`` gets has the ``logits`` of the images that were evaluated too,
    shape (n, classes): metrics other than accuracy need them. None if a trainer does not give them,
    and in a curve, which would hold them all.
    """

    step: int
    accuracy: float
    loss: float
    logits: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class TrainingResult:
    """The trained network with its slots, its curve and its cost.

    Parameters
    ----------
    network : Network
    curve : tuple of Point
        From step 0, before the first update, to the last.
    seconds : float
        Wall-clock time of the updates, without evaluations.
    images_per_second : float
        Training images a second of that time; 0 after no update.
    losses : float32 array, shape (n,), or None
        Losses of the single images at the last evaluation.
    precision : "float32" or "bfloat16"
        Precision of the updates.
    last : Network or None
        With ``plan.ema``: the network of the last update, from which a training can go on;
        ``network`` holds the averages. None without.
    """

    network: Network
    curve: tuple[Point, ...]
    seconds: float
    images_per_second: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    precision: str = "float32"
    last: Network | None = field(default=None, repr=False)

    @property
    def final(self) -> Point:
        """The last evaluation."""
        return self.curve[-1]


OnEvaluation = Callable[[Point], bool | None]


class Trainer(Protocol):
    """Trains and evaluates networks; one call serves every arm.

    An implementation passes :class:`growsearch.testing.TrainerContract`. It can be pickled and
    copied: the copy is a new trainer with the same options, so that other processes can train.
    """

    def train(
        self,
        network: Network,
        data: Split,
        plan: TrainingPlan,
        *,
        evaluate_on: Split,
        seed: int,
        on_evaluation: OnEvaluation | None = None,
    ) -> TrainingResult:
        """Train a network; two calls with one seed see the same images in the same order.

        Parameters
        ----------
        network : Network
            The start: its weights, and its slots if the plan's optimizer has the same.
        data : Split
            The training images.
        plan : TrainingPlan
        evaluate_on : Split
            The images that the curve is measured on.
        seed : int
            Decides the order of the images, dropout and augmentation.
        on_evaluation : callable, optional
            Called with each point of the curve; the training ends there if it returns True.

        Raises
        ------
        DivergedError
            If a loss, a weight or a slot becomes NaN or infinite.
        InvalidInputError
            If the images do not have the network's input shape, a label is not below the number
            of its outputs, or the network has no weights.
        """
        ...

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Return accuracy and loss in evaluation mode."""
        ...

    def logits(self, network: Network, images: Any) -> Any:
        """Return the logits in evaluation mode, float32, shape (n, classes).

        A softmax at the end of the network is left out.
        """
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A trainer that can load its libraries before its first training."""

    def warm_up(self) -> None:
        """Load what a training needs."""
        ...
