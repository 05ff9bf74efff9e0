"""What a trainer is: the plan it is given, the result it returns, the protocol between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import whole_number
from growsearch.datasets import Split
from growsearch.errors import InvalidInputError
from growsearch.networks import Architecture, Network

Optimizer = Literal["adam", "adamw", "momentum", "sgd"]
Precision = Literal["auto", "float32", "bfloat16"]
Schedule = Literal["constant", "cosine", "one_cycle"]
DECAYS = {"adamw": 1e-2, "momentum": 0.0}  # the weight decay of a plan that names none


@dataclass(frozen=True)
class TrainingPlan:
    """How a network is trained; the same plan for every arm.

    Parameters
    ----------
    steps : int
        Updates; with ``seconds`` only the unit in which the schedule is written.
    batch_size : int
        Images an update.
    learning_rate : float
        Of "constant" at every step, of the other schedules at their highest.
    optimizer : "adam", "adamw", "momentum" or "sgd"
    evaluate_every : int
        Updates between two evaluations; the start and the end are always evaluated.
    momentum : float
        Of the "momentum" optimizer (Nesterov's).
    weight_decay : float, optional
        Decoupled, of "adamw" and "momentum", relative to the learning rate; kernels decay, biases
        and normalisations do not. By default 0.01 with "adamw" and none with "momentum"; the
        other optimizers have none.
    precision : "float32", "bfloat16" or "auto"
        What the updates compute with. Weights, slots, the loss and every evaluation are float32
        in any case. "auto" leaves it to the trainer, which says in its result what it took.
    schedule : "constant", "cosine" or "one_cycle"
        The learning rate over the steps; see ``growsearch.training.schedules``.
    schedule_start : int
        Position in the schedule of this plan's first step, so that one schedule can run through
        several trainings.
    schedule_steps : int, optional
        Steps of the whole schedule; by default it ends with this plan.
    seconds : float, optional
        The training ends when so much time has passed since it was asked for, the preparation of
        the graph and all evaluations but the last included, after as many updates as there was
        time for. The ``steps`` of the schedule pass evenly with the time: after half of it half
        of them.
    label_smoothing : float
        Share of the label that is spread evenly over all classes, 0 <= share < 1.
    ema : float
        Decay of the exponential moving average of all weights, batch-norm statistics included:
        ``average = ema · average + (1 - ema) · weight`` after each update, from the weights at
        the start. If it is above 0, evaluations measure the averages, and the averages are the
        weights of the network returned; the slots are those of the weights behind them.
    shift : int
        Each training image is moved by up to so many whole pixels along each axis; zeros follow.
    rotate : float
        Each training image is turned by up to so many degrees about its centre, bilinearly.
    zoom : float
        Each training image is scaled about its centre, along each axis by a factor of its own, from
        1 / (1 + zoom) to 1 + zoom, 0 <= zoom <= 1.
    erase : int
        In each training image a square of so many pixels a side, inside the image, becomes 0.

    Raises
    ------
    InvalidInputError
        When a value is none of these; the message names it.
    """

    steps: int
    batch_size: int = 50
    learning_rate: float = 1e-4
    optimizer: str = "adam"
    evaluate_every: int = 100
    momentum: float = 0.9
    weight_decay: float | None = None
    precision: str = "float32"
    schedule: str = "constant"
    schedule_start: int = 0
    schedule_steps: int | None = None
    seconds: float | None = None
    label_smoothing: float = 0.0
    ema: float = 0.0
    shift: int = 0
    rotate: float = 0.0
    zoom: float = 0.0
    erase: int = 0

    def __post_init__(self) -> None:
        least = dict.fromkeys(("steps", "batch_size", "evaluate_every"), 1)
        least |= dict.fromkeys(("schedule_start", "shift", "erase"), 0)
        for name, bound in least.items():
            object.__setattr__(self, name, whole_number(name, getattr(self, name), bound))
        if self.schedule_steps is not None:
            ends = self.schedule_start + self.steps
            whole = whole_number("schedule_steps", self.schedule_steps, ends)
            object.__setattr__(self, "schedule_steps", whole)
        for name in ("learning_rate", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < float("inf"):
                raise InvalidInputError(f"{name}: expected more than 0, got {value}")
        for name, kind in (
            ("optimizer", Optimizer),
            ("precision", Precision),
            ("schedule", Schedule),
        ):
            choices = get_args(kind)
            if (value := getattr(self, name)) not in choices:
                raise InvalidInputError(
                    f"{name}: expected one of {', '.join(choices)}, got {value!r}"
                )
        for name in ("momentum", "label_smoothing", "ema"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InvalidInputError(
                    f"{name}: expected 0 <= {name} < 1, got {getattr(self, name)}"
                )
        if not 0.0 <= self.decay < float("inf"):
            raise InvalidInputError(f"weight_decay: expected 0 or more, got {self.weight_decay}")
        if self.decay and self.optimizer not in DECAYS:
            raise InvalidInputError(f"weight_decay: {no_decay(self.optimizer)}")
        if not 0.0 <= self.rotate <= 180.0:
            raise InvalidInputError(f"rotate: expected 0 to 180 degrees, got {self.rotate}")
        if not 0.0 <= self.zoom <= 1.0:
            raise InvalidInputError(f"zoom: expected 0 to 1, got {self.zoom}")

    @property
    def decay(self) -> float:
        """The weight decay; the optimizer's own where the plan names none."""
        return DECAYS.get(self.optimizer, 0.0) if self.weight_decay is None else self.weight_decay


def no_decay(optimizer: str) -> str:
    """Why a weight decay is refused with an optimizer."""
    return f"expected none with {optimizer}: weights decay with {' and '.join(DECAYS)}"


def check_augmentation(plan: TrainingPlan, shape: tuple[int, ...]) -> None:
    """Refuse a plan whose augmentation inputs of this shape cannot bear.

    Raises
    ------
    InvalidInputError
        Names the option, what was expected and what came.
    """
    if len(shape) != 3:
        for name in ("shift", "rotate", "zoom", "erase"):
            if getattr(plan, name):
                raise InvalidInputError(f"{name}: expected images, got inputs of shape {shape}")
        return
    smaller = min(shape[:2])
    for name, most in (("shift", smaller - 1), ("erase", smaller)):
        if (value := getattr(plan, name)) > most:
            raise InvalidInputError(
                f"{name}: expected at most {most} pixels for images of {shape[0]} x {shape[1]}, "
                f"got {value}"
            )


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
