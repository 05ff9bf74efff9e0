"""A commit: forks of the trunk are cooled, and the network worth having at this time is stored."""

from __future__ import annotations

from growsearch.driver.events import Committed
from growsearch.driver.plans import cooled_plan, over_time
from growsearch.driver.run import Run
from growsearch.driver.trunk.forks import Forked, train_forks
from growsearch.driver.trunk.readings import add_reading, elapsed
from growsearch.driver.trunk.timetable import Cool
from growsearch.networks.outline import outline
from growsearch.study.attributes import Reading
from growsearch.study.run_state import RunState


def cool(run: Run, state: RunState, stage: Cool) -> None:
    """Cool forks of the trunk, and commit to their average, or to the trunk's if that is better.

    The trunk goes on from where it was: nothing of it is annealed.
    """
    trunk, count = state.trunk, run.space.trunk_section.forks
    assert trunk is not None
    costs = run.costs
    plan = cooled_plan(run.paced_space, trunk, costs.updates(stage.cost, trunk.step_cost))
    if costs.measured:
        plan = over_time(plan, stage.cost)
    found = train_forks(
        run,
        f"commit {stage.mark:g}",
        "trunk",
        [trunk.weights] * count,
        plan,
        [run.seed_of(trunk.legs, f"commit {place}") for place in range(count)],
    )
    cooled = isinstance(found, Forked) and found.loss < trunk.validation_loss
    sha256, accuracy, loss = trunk.average, trunk.validation_accuracy, trunk.validation_loss
    seconds = trunk.seconds
    if isinstance(found, Forked) and cooled:
        sha256, accuracy, loss = found.sha256, found.accuracy, found.loss
        seconds += found.share * found.seconds
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
        seconds=seconds,
        cooling=found.seconds if isinstance(found, Forked) else 0.0,
    )
    add_reading(run, reading)
    run.write_spent()
    drawn = outline(network.architecture)
    run.on_event(Committed(reading.elapsed, accuracy, network.parameters, cooled, drawn))
    if isinstance(found, Forked):
        run.forget(*found.lasts, *found.networks)
