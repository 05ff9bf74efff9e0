"""A commit: a fork of the trunk is cooled, and the network worth having at this time is stored."""

from __future__ import annotations

from growsearch.driver.events import Committed
from growsearch.driver.plans import cooled_plan
from growsearch.driver.run import Run
from growsearch.driver.trunk.forks import Forked, train_forks
from growsearch.driver.trunk.readings import add_reading, elapsed
from growsearch.driver.trunk.timetable import Cool
from growsearch.networks.outline import outline
from growsearch.study.attributes import Reading, Trunk
from growsearch.study.run_state import RunState
from growsearch.trials.outcome import TrialOutcome


def cool(run: Run, state: RunState, stage: Cool) -> None:
    """Cool a fork of the trunk, and commit to it, or to the trunk's average if that is better.

    The trunk goes on from where it was: nothing of it is annealed. Several forks that share the
    processors would give no better average than one that has them all (benchmarks/README.md).
    """
    trunk = state.trunk
    assert trunk is not None
    sha256, accuracy, loss = trunk.average, trunk.validation_accuracy, trunk.validation_loss
    seconds, cooled = 0.0, False
    if isinstance(found := _cooled(run, trunk, stage), Forked):
        seconds, cooled = found.seconds, found.loss < loss
        if cooled:
            sha256, accuracy, loss = found.sha256, found.accuracy, found.loss
    network = state.incumbent.network
    reading = Reading(
        elapsed=elapsed(run, trunk),
        validation_accuracy=accuracy,
        validation_loss=loss,
        parameters=network.parameters,
        trial=trunk.trial,
        sha256=sha256,
        mark=stage.mark,
        legs=trunk.legs,
        seconds=trunk.seconds + (seconds if cooled else 0.0),
        cooling=seconds,
    )
    add_reading(run, reading)
    run.write_spent()
    drawn = outline(network.architecture)
    run.on_event(Committed(reading.elapsed, accuracy, network.parameters, cooled, drawn))
    if isinstance(found, Forked):
        run.forget(*found.lasts, *found.networks)


def _cooled(run: Run, trunk: Trunk, stage: Cool) -> Forked | TrialOutcome:
    """Cool one fork with all processors; the outcome is a failure where it could not end."""
    costs = run.costs
    plan = cooled_plan(
        run.paced_space,
        trunk,
        costs.updates(stage.cost, trunk.step_cost),
        seconds=stage.cost if costs.measured else None,
    )
    seed = run.seed_of(trunk.legs, "commit")
    return train_forks(run, f"commit {stage.mark:g}", "trunk", (trunk.weights,), plan, (seed,))
