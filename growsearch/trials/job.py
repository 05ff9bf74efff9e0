"""One training as a value: the job that a worker gets.

The teacher, candidates, controls, their repeats and the cycles of a polish are all trial jobs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import DivergedError, InvalidInputError
from growsearch.growth import Growth, Treatment
from growsearch.networks import Architecture, Network
from growsearch.networks.network import Initializer
from growsearch.training import (
    MeasuresSpeed,
    Point,
    Trainer,
    TrainingPlan,
    TrainingResult,
)
from growsearch.trials.arms import ARMS, CANDIDATE, Start, training_flops
from growsearch.trials.cutoffs import Cutoffs
from growsearch.trials.metrics import measured
from growsearch.trials.outcome import TRAINING_FAILED, Failure, TrialOutcome
from growsearch.trials.progress import OnPoint
from growsearch.trials.worker import WorkerContext

NEVER, ALWAYS = math.inf, -math.inf  # of TrialJob.keep_above


@dataclass(frozen=True)
class First:
    """A network with random weights, as the parent of the teacher's training."""

    architecture: Architecture
    initializer: Initializer


@dataclass(frozen=True)
class TrialJob:
    """One training: all that a worker needs, and nothing that belongs to the driver.

    Parameters
    ----------
    name : str
        For progress displays: "trial 3 random".
    parent : str or First
        The SHA-256 of a stored network, or the specification of a first one.
    growth : Growth or None
        None where the parent is trained on as it is.
    arm : str
        A row of ``growsearch.trials.arms.ARMS``: how the parent becomes the network to train.
    plan : TrainingPlan
    data : str
        The fingerprint of the run's images.
    start_seed : int
        Seed of all that is drawn before the training: copied units, new weights.
    order_seed : int
        Seed of the order of the images, of dropout and of augmentation.
    slots : "reset", "carry", "carry-rescaled" or "carry-old"
        The treatment of the optimizer's slots in a growth.
    learning_rates : tuple of float
        Rates of a tuned control, instead of the plan's: the outcome is that of the best.
    step_milliseconds : float or None
        Refuse a network whose update takes longer on the worker's machine.
    keep_above : float
        Store the trained network if its accuracy, or its value by the run's metric, is above this
        one and its training was not ended early; ``NEVER`` and ``ALWAYS`` are values too.
    cutoffs : Cutoffs or None
        End the training early where its gain is below them.
    goes_on : bool
        True if trainings may go on from this one: the network of the last update is stored with
        its slots, and the averages of its weights without.
    """

    name: str
    parent: str | First
    plan: TrainingPlan
    data: str
    start_seed: int
    order_seed: int
    growth: Growth | None = None
    arm: str = CANDIDATE
    slots: Treatment = "carry-rescaled"
    learning_rates: tuple[float, ...] = ()
    step_milliseconds: float | None = None
    keep_above: float = NEVER
    cutoffs: Cutoffs | None = None
    goes_on: bool = False

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> TrialOutcome:
        """Build the network, train it and store it if it may be kept.

        A training that cannot end gives an outcome with a failure; any other exception is an
        error of the program or of the machine, and passes through.
        """
        context.check(self.data)
        try:
            network = self._network(context)
            plan, speed_failure = self._within_limit(context.trainer, network.architecture)
        except TRAINING_FAILED as error:
            return TrialOutcome(failure=Failure.of(error))
        if speed_failure is not None:
            return TrialOutcome(failure=speed_failure, precision=plan.precision)
        rates = self.learning_rates or (plan.learning_rate,)
        tries = [
            self._train(context, network, replace(plan, learning_rate=r), on_point) for r in rates
        ]
        tried = tuple((o.learning_rate, o.accuracy) for o in tries) if self.learning_rates else ()
        finished = [each for each in tries if each.accuracy is not None]
        # The first of the best: max returns the first of equals.
        best = max(finished, key=lambda each: each.accuracy or 0.0) if finished else tries[-1]
        return replace(best, tried=tried)

    def _network(self, context: WorkerContext) -> Network:
        """Return the network to train."""
        rng = np.random.default_rng(self.start_seed)
        if isinstance(self.parent, First):
            first = self.parent
            parent = Network.initial(first.architecture, rng=rng, initializer=first.initializer)
            parent = parent.named(context.images["train"].class_names)
        else:
            parent = context.networks.get(self.parent)
        return ARMS[self.arm].start(Start(parent, self.growth, self.slots, context.sample), rng)

    def _within_limit(
        self, trainer: Trainer, architecture: Architecture
    ) -> tuple[TrainingPlan, Failure | None]:
        """Return the plan with its precision, and the failure of a network that is too slow.

        Without a limit of the speed the trainer chooses the precision, and need not measure.
        """
        limit = self.step_milliseconds
        if limit is None or not isinstance(trainer, MeasuresSpeed):
            return self.plan, None
        speed = trainer.speed_of(architecture, self.plan)
        plan = replace(self.plan, precision=speed.precision)
        if speed.step_seconds * 1000.0 <= limit:
            return plan, None
        return plan, Failure(
            "too slow",
            f"too slow: {speed.step_seconds * 1000.0:.1f} ms an update, over "
            f"limits.step_milliseconds = {limit:g}",
        )

    def _train(
        self, context: WorkerContext, network: Network, plan: TrainingPlan, on_point: OnPoint
    ) -> TrialOutcome:
        """Train once by a plan; the points of the curve are by the run's metric."""
        metric, labels = context.metric, context.images["selection"].labels
        points: list[Point] = []
        shares: list[NDArray[np.float32]] = []
        answers: list[bool] = []
        steps = [-1]

        def on_evaluation(point: Point) -> bool:
            if metric != "accuracy":
                value, last = _measured_at(point, metric, labels)
                shares[:] = [last]
                point = Point(point.step, value, point.loss)
                points.append(point)
            on_point(point)
            ends = self.cutoffs is not None and self.cutoffs.end(
                point.accuracy, point.step, steps[-1]
            )
            steps.append(point.step)
            answers.append(ends)
            return ends

        try:
            result = context.trainer.train(
                network,
                context.images["train"],
                plan,
                evaluate_on=context.images["selection"],
                seed=self.order_seed,
                on_evaluation=on_evaluation,
            )
            if metric != "accuracy":
                result = replace(result, curve=tuple(points))
            _check_finite(result)
            is_whole = plan.seconds is None and result.final.step >= plan.steps
            ended_early = any(answers) and not is_whole  # an answer at the last step ends nothing
            names = network.class_names  # a trainer need not keep them
            outcome = self._outcome(
                context, result, plan, ended_early=ended_early, class_names=names
            )
            return replace(outcome, shares=shares[0]) if shares else outcome
        except TRAINING_FAILED as error:
            return TrialOutcome(
                failure=Failure.of(error),
                learning_rate=plan.learning_rate,
                precision=plan.precision,
            )

    def _outcome(
        self,
        context: WorkerContext,
        result: TrainingResult,
        plan: TrainingPlan,
        *,
        ended_early: bool,
        class_names: tuple[str, ...] | None,
    ) -> TrialOutcome:
        """Return the outcome of a training that ended, its network stored if it may be kept."""
        final, flops = result.final, result.network.architecture.flops
        may_be_kept = not ended_early and final.accuracy > self.keep_above
        network, last = result.network.named(class_names), None
        if may_be_kept and self.goes_on:
            last = context.networks.put((result.last or network).named(class_names))
            if result.last is not None:
                network = replace(network, slots=None)
        return TrialOutcome(
            sha256=context.networks.put(network) if may_be_kept else None,
            last=last,
            curve=result.curve,
            losses=result.losses,
            seconds=result.seconds,
            images_per_second=result.images_per_second,
            training_flops=training_flops(flops, final.step, plan.batch_size),
            precision=result.precision,
            learning_rate=plan.learning_rate,
            ended_early=ended_early,
        )


def _measured_at(
    point: Point, metric: str, labels: NDArray[Any]
) -> tuple[float, NDArray[np.float32]]:
    """Return the value of a metric at a point of a curve, and the images' shares of it."""
    if point.logits is None:
        raise InvalidInputError(
            f"judge.metric: expected a trainer that gives the logits of each evaluation "
            f'(Point.logits) for {metric}, got none: use metric = "accuracy"'
        )
    return measured(metric, point.logits, labels)


def _check_finite(result: TrainingResult) -> None:
    """Refuse the curve of a trainer that lets NaN or infinity pass: no database can hold them."""
    for point in result.curve:
        if not (math.isfinite(point.accuracy) and math.isfinite(point.loss)):
            raise DivergedError(
                f"at step {point.step}: expected a finite accuracy and loss, got "
                f"{point.accuracy} and {point.loss}: lower the learning rate"
            )
