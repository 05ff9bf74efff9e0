"""A commit: forks of the trunk are cooled, and the network worth having at this time is stored."""

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
    """Cool forks of the trunk, and commit to their average, or to the trunk's if that is better.

    The trunk goes on from where it was: nothing of it is annealed.
    """
    trunk = state.trunk
    assert trunk is not None
    *before, found = _cooled(run, trunk, stage)
    forked = [each for each in (*before, found) if isinstance(each, Forked)]
    seconds = sum(each.seconds for each in forked)
    cooled = isinstance(found, Forked) and found.loss < trunk.validation_loss
    sha256, accuracy, loss = trunk.average, trunk.validation_accuracy, trunk.validation_loss
    descended = trunk.seconds
    if isinstance(found, Forked) and cooled:
        sha256, accuracy, loss = found.sha256, found.accuracy, found.loss
        descended += seconds - (1.0 - found.share) * found.seconds
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
        seconds=descended,
        cooling=seconds,
    )
    add_reading(run, reading)
    run.write_spent()
    drawn = outline(network.architecture)
    run.on_event(Committed(reading.elapsed, accuracy, network.parameters, cooled, drawn))
    run.forget(*(sha256 for each in forked for sha256 in (*each.lasts, *each.networks)))


def _cooled(run: Run, trunk: Trunk, stage: Cool) -> list[Forked | TrialOutcome]:
    """Cool one fork with all processors, and several for the last part, as the decay does.

    Returns
    -------
    list
        The forks of each part; the last is a failure where a part could not end.
    """
    section, costs = run.space.trunk_section, run.costs
    updates = max(costs.updates(stage.cost, trunk.step_cost), section.parts)
    seconds = stage.cost / section.parts if costs.measured else None
    starts: tuple[str, ...] = (trunk.weights,)
    found: list[Forked | TrialOutcome] = []
    for part in range(section.parts):
        plan = cooled_plan(
            run.paced_space, trunk, updates, part=part, parts=section.parts, seconds=seconds
        )
        starts *= section.forks if part + 1 == section.parts else 1
        seeds = [run.seed_of(trunk.legs, f"commit {part} {fork}") for fork in range(len(starts))]
        name = f"commit {stage.mark:g} {part + 1}"
        found.append(forked := train_forks(run, name, "trunk", starts, plan, seeds))
        if not isinstance(forked, Forked):
            break
        starts = forked.lasts
    return found
