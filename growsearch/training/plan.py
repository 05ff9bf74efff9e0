"""The plan of a training, the same for every arm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from growsearch.errors import InvalidInputError
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.training.augmentation import NO_AUGMENTATION, Augmentation
from growsearch.training.fields import (
    Interval,
    Key,
    Knob,
    OneOf,
    Switch,
    Whole,
    check_fields,
    knobs_of,
)

EVERYWHERE = Key.TRAINING | Key.LAST | Key.CHOICE
PRECISIONS = ("auto", "float32", "bfloat16")
SCHEDULES = ("constant", "linear", "cosine", "one_cycle", "wsd", "inverse_sqrt")
CLASS_WEIGHTS = ("none", "balanced")
ENDLESS = ("constant", "inverse_sqrt")  # no rate of these depends on the last step


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of a training; the same for every arm.

    A field's type, bounds and default stand beside it; search spaces have a key for each field
    that names a ``Key``, with the same default.

    Parameters
    ----------
    steps : int
        Number of updates; with ``seconds`` only the unit of the schedule.
    batch_size : int
        Images an update.
    learning_rate : float
        The constant rate of the schedule "constant", the highest rate of the others.
    optimizer : "adam", "adamw", "momentum" or "sgd"
        A name in ``growsearch.networks.optimizers.OPTIMIZERS``.
    evaluate_every : int
        Updates between two evaluations; the end is always evaluated.
    evaluate_start : bool
        Whether the network is evaluated before the first update too. Without it the curve of a
        training begins after ``evaluate_every`` updates, unless it ends before the first.
    momentum : float
        Of the optimizer "momentum" (Nesterov's).
    weight_decay : float, optional
        Decoupled, relative to the learning rate; kernels decay, biases and normalisations do not.
        By default the optimizer's own: 0.01 of "adamw", 0 of "momentum"; the others have none.
    precision : "float32", "bfloat16" or "auto"
        Precision of the updates. Weights, slots, the loss and every evaluation are float32 in any
        case. With "auto" the trainer chooses, and names its choice in the result.
    schedule : "constant", "linear", "cosine", "one_cycle", "wsd" or "inverse_sqrt"
        The learning rate over the steps; see ``growsearch.training.schedules``.
    warmup : int
        Steps at the start of the schedule over which the rate rises linearly to its highest. All
        schedules have it but "one_cycle", which has a rise of its own.
    decay_share : float
        Of the schedule "wsd": share of its steps, at the end, in which the rate falls.
    timescale : int
        Of the schedule "inverse_sqrt": after three times these steps, the rate is half of the
        highest.
    schedule_start : int
        Position of this plan's first step in the schedule, so that one schedule can run through
        several trainings.
    schedule_steps : int, optional
        Steps of the whole schedule; by default it ends with this plan.
    rewarm : int
        First updates of this training, wherever it begins in the schedule, whose rates are
        multiplied by 1/``rewarm``, 2/``rewarm``, … 1: for a network that has just grown. They are
        updates with ``seconds`` too.
    seconds : float, optional
        Length of the training, counted from the call: it includes the preparation of the graph and
        all evaluations but the last. The ``steps`` of the schedule then pass evenly with the time.
    time_limit : float, optional
        Seconds, counted in the same way, after which the training ends though ``steps`` are left:
        the schedule passes with the updates all the same.
    label_smoothing : float
        Share of the label that is spread evenly over all classes.
    ema : float
        Decay of the exponential moving average of all weights, batch-norm statistics included:
        ``average = ema · average + (1 - ema) · weight`` after each update, from the weights at
        the start. Above 0, the averages are evaluated and returned as the network's weights; the
        slots remain those of the weights themselves.
    class_weight : "none" or "balanced"
        With "balanced" the loss of each image is multiplied by the weight of its class, in the
        updates and in the evaluations; see ``growsearch.training.class_weights``.
    augmentation : Augmentation
        Random changes of the training images.

    Raises
    ------
    InvalidInputError
        Names the field, what was expected and what came.

    Examples
    --------
    >>> plan = TrainingPlan(100, optimizer="adamw", augmentation=Augmentation(shift=2))
    >>> plan.decay
    0.01
    """

    steps: Annotated[int, Whole(1), Key.TRAINING]
    batch_size: Annotated[int, Whole(1), Key.TRAINING] = 50
    learning_rate: Annotated[float, Interval(above=True, space_most=100.0), Key.LAST] = 1e-4
    optimizer: Annotated[str, OneOf(tuple(OPTIMIZERS)), Key.TRAINING] = "adam"
    evaluate_every: Annotated[int, Whole(1), Key.TRAINING] = 100
    evaluate_start: Annotated[bool, Switch()] = True
    momentum: Annotated[float, Interval(0.0, 1.0, below=True), Key.TRAINING] = 0.9
    weight_decay: Annotated[float | None, Interval(space_most=10.0), Key.TRAINING | Key.CHOICE] = (
        None
    )
    precision: Annotated[str, OneOf(PRECISIONS), Key.TRAINING] = "float32"
    schedule: Annotated[str, OneOf(SCHEDULES), Key.TRAINING | Key.LAST] = "constant"
    warmup: Annotated[int, Whole(0), Key.TRAINING] = 0
    decay_share: Annotated[float, Interval(0.0, 1.0, above=True), Key.TRAINING | Key.LAST] = 0.3
    timescale: Annotated[int, Whole(1), Key.TRAINING] = 10_000
    schedule_start: Annotated[int, Whole(0)] = 0
    schedule_steps: Annotated[int | None, Whole(1)] = None
    rewarm: Annotated[int, Whole(0), Key.TRAINING] = 0
    seconds: Annotated[float | None, Interval(above=True)] = None
    time_limit: Annotated[float | None, Interval(above=True)] = None
    label_smoothing: Annotated[float, Interval(0.0, 1.0, below=True), EVERYWHERE] = 0.0
    ema: Annotated[float, Interval(0.0, 1.0, below=True), EVERYWHERE] = 0.0
    class_weight: Annotated[str, OneOf(CLASS_WEIGHTS)] = "none"
    augmentation: Augmentation = NO_AUGMENTATION

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.augmentation, Augmentation):
            raise InvalidInputError(
                "augmentation: expected an Augmentation, such as Augmentation(shift=2), "
                f"got {self.augmentation!r}"
            )
        ends = self.schedule_start + self.steps
        if self.schedule_steps is not None and self.schedule_steps < ends:
            raise InvalidInputError(
                f"schedule_steps: expected a whole number of at least {ends}, where this plan "
                f"ends, got {self.schedule_steps}"
            )
        self._check_warmup()
        if self.decay and OPTIMIZERS[self.optimizer].decay is None:
            raise InvalidInputError(f"weight_decay: {no_decay(self.optimizer)}")

    @classmethod
    def of_keys(cls, keys: Mapping[str, Any]) -> Self:
        """Make a plan of the flat keys of a search space.

        Examples
        --------
        >>> TrainingPlan.of_keys({"steps": 100, "shift": 2}).augmentation.shift
        2
        """
        own, changes = _apart(keys)
        return cls(**own, augmentation=Augmentation(**changes))

    def with_keys(self, keys: Mapping[str, Any]) -> Self:
        """Return the plan with some flat keys of a search space changed."""
        own, changes = _apart(keys)
        return replace(self, **own, augmentation=replace(self.augmentation, **changes))

    def with_steps(self, steps: int) -> Self:
        """Return the plan with other steps, and a warm-up that its schedule still has room for.

        Examples
        --------
        >>> TrainingPlan(100, schedule="cosine", warmup=20).with_steps(10).warmup
        9
        """
        bare = replace(self, steps=steps, warmup=0)
        return replace(bare, warmup=int(min(self.warmup, bare._longest_warmup)))

    @property
    def schedule_end(self) -> int:
        """Steps of the whole schedule."""
        return self.schedule_steps or self.schedule_start + self.steps

    @property
    def fall(self) -> float:
        """Steps of the linear fall at the end of "linear" and "wsd"; at least 1."""
        if self.schedule == "wsd":
            return max(self.decay_share * self.schedule_end, 1.0)
        return float(self.schedule_end - self.warmup)

    @property
    def decay(self) -> float:
        """The weight decay: the plan's, else the optimizer's own."""
        if self.weight_decay is not None:
            return self.weight_decay
        return OPTIMIZERS[self.optimizer].decay or 0.0

    @property
    def _longest_warmup(self) -> float:
        """The most steps of a warm-up: it is over where the schedule's fall begins."""
        if self.schedule in ENDLESS:
            return math.inf
        if self.schedule == "one_cycle":
            return 0
        fall = self.fall if self.schedule == "wsd" else 1.0
        return int(self.schedule_end - fall + 1e-9)  # 0.07 * 100 is above 7

    def _check_warmup(self) -> None:
        if self.warmup and self.schedule == "one_cycle":
            raise InvalidInputError(
                f"warmup: expected 0 with one_cycle, which has a rise of its own, got {self.warmup}"
            )
        if self.warmup > (most := self._longest_warmup):
            raise InvalidInputError(
                f"warmup: expected at most {most}, which {self.schedule} leaves of its "
                f"{self.schedule_end} steps, got {self.warmup}"
            )


def plan_knobs() -> tuple[Knob, ...]:
    """Return the fields of a plan and of its augmentation, in their order."""
    return knobs_of(TrainingPlan) + knobs_of(Augmentation)


def no_decay(optimizer: str) -> str:
    """Return the reason why an optimizer refuses a weight decay."""
    decaying = (name for name, row in OPTIMIZERS.items() if row.decay is not None)
    return f"expected none with {optimizer}: weights decay with {' and '.join(decaying)}"


def _apart(keys: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part flat keys into those of the plan itself and those of its augmentation."""
    inner = {knob.name for knob in knobs_of(Augmentation)}
    own = {name: value for name, value in keys.items() if name not in inner}
    return own, {name: value for name, value in keys.items() if name in inner}
