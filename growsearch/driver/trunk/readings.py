"""The readings of a trunk: points of the anytime curve of the run."""

from __future__ import annotations

from growsearch.driver.events import TrunkRead
from growsearch.driver.run import Run
from growsearch.study.attributes import Reading, ReadingsAttribute, Trunk


def read_trunk(run: Run, trunk: Trunk) -> None:
    """Add the trunk's averages to the anytime curve."""
    parameters = run.store.get(trunk.average).parameters
    reading = Reading(
        elapsed=elapsed(run, trunk),
        validation_accuracy=trunk.validation_accuracy,
        validation_loss=trunk.validation_loss,
        parameters=parameters,
        trial=trunk.trial,
        seconds=trunk.seconds,
    )
    add_reading(run, reading)
    run.on_event(TrunkRead(reading.elapsed, reading.validation_accuracy, parameters))


def add_reading(run: Run, reading: Reading) -> None:
    """Add a point to the anytime curve."""
    known = ReadingsAttribute.read(run.study) or ReadingsAttribute()
    run.guard.check()
    ReadingsAttribute(value=(*known.value, reading)).write(run.study)


def elapsed(run: Run, trunk: Trunk) -> float:
    """Return the time of the run, by the unit of its costs."""
    return trunk.trained if run.clock.budget is None else round(run.clock.passed, 3)
