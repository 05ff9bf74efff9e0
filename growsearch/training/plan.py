"""How a network is trained: the plan that every arm follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from growsearch.checks import whole_number
from growsearch.errors import InvalidInputError

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
