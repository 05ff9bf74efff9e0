"""The readings of a trunk: points of the anytime curve of the run."""

from __future__ import annotations

from growsearch.driver.events import TrunkRead
from growsearch.driver.run import Run
from growsearch.study.attributes import Reading, ReadingsAttribute, Trunk
from growsearch.study.run_state import RunState


def read_trunk(run: Run, state: RunState) -> None:
    """Add the trunk's averages to the anytime curve, unless they are there."""
    trunk, parameters = state.trunk, state.incumbent.network.parameters
    assert trunk is not None
    known = ReadingsAttribute.read(run.study)
    if known is not None and any(each.legs >= trunk.legs for each in known.value):
        return
    reading = Reading(
        elapsed=elapsed(run, trunk),
        validation_accuracy=trunk.validation_accuracy,
        validation_loss=trunk.validation_loss,
        parameters=parameters,
        trial=trunk.trial,
        legs=trunk.legs,
        seconds=trunk.seconds,
    )
    add_reading(run, reading)
    run.on_event(TrunkRead(reading.elapsed, reading.validation_accuracy, parameters))


def add_reading(run: Run, reading: Reading) -> None:
    """Add a point to the anytime curve, unless an interrupted session did."""
    known = ReadingsAttribute.read(run.study) or ReadingsAttribute()
    if reading in known.value:
        return
    run.guard.check()
    ReadingsAttribute(value=(*known.value, reading)).write(run.study)


def elapsed(run: Run, trunk: Trunk) -> float:
    """Return the time of the run, by the unit of its costs."""
    return trunk.trained if run.clock.budget is None else round(run.clock.passed, 3)
