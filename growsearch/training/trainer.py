"""What a trainer does: the protocol, and the result it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.training.plan import TrainingPlan


@dataclass(frozen=True)
class Evaluation:
    """Accuracy (a fraction) and mean cross-entropy (nats) of a network on a split.

    ``losses`` are the images' own, in the split's order, shape (n,), for comparisons on the same
    images; None where a trainer does not give them.
    """

    accuracy: float
    loss: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Point:
    """One evaluation on the way: after how many updates, and what it gave."""

    step: int
    accuracy: float
    loss: float


@dataclass(frozen=True)
class TrainingResult:
    """The trained network with its slots, its curve, and what it cost.

    Parameters
    ----------
    network : Network
    curve : tuple of Point
        From step 0, before the first update, to the last.
    seconds : float
        Wall-clock time of the updates, without evaluations.
    images_per_second : float
        Training images a second of that time; 0 without an update.
    losses : float32 array, shape (n,), or None
        The images' own losses at the last evaluation.
    precision : "float32" or "bfloat16"
        What the updates were computed with.
    """

    network: Network
    curve: tuple[Point, ...]
    seconds: float
    images_per_second: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    precision: str = "float32"

    @property
    def final(self) -> Point:
        """The last evaluation."""
        return self.curve[-1]


OnEvaluation = Callable[[Point], bool | None]


class Trainer(Protocol):
    """Trains and evaluates networks; one call serves every arm.

    An implementation passes ``tests/backend_contract.py``.
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
            Where to start: weights, and slots if they are the plan's optimizer's.
        data : Split
            What to train on.
        plan : TrainingPlan
        evaluate_on : Split
            What the curve is measured on.
        seed : int
            Of the order of the images, of dropout, and of what becomes of the images.
        on_evaluation : callable, optional
            Called with each point of the curve; a true result ends the training there.

        Raises
        ------
        DivergedError
            When a loss, a weight or a slot becomes NaN or infinite.
        InvalidInputError
            When the images are not of the network's input shape, a label is not below its number
            of outputs, or there is nothing to train.
        """
        ...

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Accuracy and loss in evaluation mode."""
        ...

    def logits(self, network: Network, images: Any) -> Any:
        """The network's outputs in evaluation mode, float32, shape (n, classes).

        Without the softmax, where the network ends in one.
        """
        ...
