"""A training of the trunk itself: its job, and the trunk after it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from growsearch.driver.costs import Costs
from growsearch.driver.plans import on_plan
from growsearch.driver.run import Run
from growsearch.errors import DivergedError, RunError
from growsearch.study.attributes import Trunk, TrunkAttribute
from growsearch.study.trunk import trunk_of
from growsearch.trials.job import ALWAYS, TrialJob
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.race import Reading


class LegDivergedError(DivergedError):
    """A training of the trunk diverged: it is repeated at a lower learning rate."""


@dataclass(frozen=True)
class Leg:
    """A training of the trunk that ended.

    Parameters
    ----------
    trunk : Trunk
        After it.
    readings : tuple of (cost, loss)
        From its begin on.
    cost : float
    losses : float32 array, shape (n,), or None
        Of the single selection images, at the end.
    """

    trunk: Trunk
    readings: tuple[Reading, ...]
    cost: float
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


def leg_job(run: Run, trunk: Trunk, updates: int, *, readings: int = 1) -> TrialJob:
    """Return the job that trains the trunk on."""
    number = trunk.legs + 1
    return TrialJob(
        name=f"trunk {number}",
        parent=trunk.weights,
        plan=on_plan(run.paced_space, trunk, updates, readings=readings),
        data=run.data,
        start_seed=0,  # nothing is drawn
        order_seed=run.seed_of(number, "trunk"),
        keep_above=ALWAYS,
        goes_on=True,
    )


def leg_of(costs: Costs, trunk: Trunk, outcome: TrialOutcome, flops: int) -> Leg:
    """Return the trunk after a training of its own.

    Parameters
    ----------
    costs : Costs
    trunk : Trunk
        Before it.
    outcome : TrialOutcome
    flops : int
        FLOPs of one image's forward pass through the trunk.

    Raises
    ------
    LegDivergedError
        When the training diverged.
    TrainingFailedError
        When it could not end for another reason.
    """
    if outcome.failure is not None and outcome.failure.kind == "diverged":
        raise LegDivergedError(outcome.failure.reason)
    if outcome.failure is not None:
        raise outcome.failure.error("the trunk")
    step_cost = costs.of_update(flops, outcome)
    steps = outcome.final.step
    after = advanced(
        trunk,
        outcome,
        step_cost=step_cost,
        trained=trunk.trained + steps * step_cost,
        legs=trunk.legs + 1,
    )
    # At its begin the trunk is read by the averages of before, since there are no others yet.
    read = ((point.step * step_cost, point.loss) for point in outcome.trained)
    readings = ((0.0, trunk.validation_loss), *read)
    return Leg(after, readings, steps * step_cost, outcome.losses)


def resting(trunk: Trunk) -> Leg:
    """Return the leg of a trunk that is not trained while something else is."""
    return Leg(trunk, ((0.0, trunk.validation_loss),), 0.0)


def advanced(trunk: Trunk, outcome: TrialOutcome, **changed: object) -> Trunk:
    """Return the trunk after updates of an outcome, its own or those of a growth."""
    if outcome.sha256 is None or outcome.last is None:
        raise RunError("the trunk: expected the executor to store its networks, got none")
    return trunk.model_copy(
        update={
            "version": trunk.version + 1,
            "weights": outcome.last,
            "average": outcome.sha256,
            "validation_accuracy": outcome.final.accuracy,
            "validation_loss": outcome.final.loss,
            "updates": trunk.updates + outcome.final.step,
            "seconds": trunk.seconds + outcome.seconds,
            "training_flops": trunk.training_flops + outcome.training_flops,
            "failures": 0,
            **changed,
        }
    )


def store_trunk(run: Run, trunk: Trunk) -> None:
    """Store the trunk as an attribute of the study, after a training of its own."""
    before = trunk_of(run.study, run.study.get_trials(deepcopy=False))
    run.guard.check()
    TrunkAttribute(**trunk.model_dump()).write(run.study)
    if before is not None:
        run.forget(before.weights, before.average)
