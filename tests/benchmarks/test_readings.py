"""Growths in a run's anytime curve, and shares of its time."""

from __future__ import annotations

from benchmarks.readings import descent, early, growths

PARENTS = {0: None, 1: 0, 2: 0, 5: 2}


def test_growths_are_counted_along_the_parents() -> None:
    """Siblings do not count: trial 5 grew out of 2, which grew out of 0."""
    assert [growths(trial, PARENTS) for trial in (None, 0, 1, 5)] == [0, 1, 2, 3]


def test_early_growths_are_those_of_the_last_reading_in_time() -> None:
    """A reading behind the time does not count, in whatever order they lie."""
    readings = [(30.0, None), (60.0, 0), (250.0, 5), (240.0, 2)]
    assert early(readings, PARENTS, until=240.0) == 2
    assert early(readings, PARENTS, until=59.0) == 0
    assert early(readings, PARENTS, until=300.0) == 3
    assert early([], PARENTS) == 0


def test_shares_are_of_all_workers() -> None:
    """Of 1,200 s, 400 in the trunk and 500 in the decay went into the final network."""
    assert descent(1200.0, trunk=400.0, decay=500.0, deciding=120.0) == {
        "descent": 0.75,
        "deciding": 0.1,
    }
    assert descent(0.0, trunk=0.0, decay=0.0, deciding=0.0) == {}
    beyond = descent(100.0, trunk=90.0, decay=60.0, deciding=50.0)
    assert sum(beyond.values()) == 1.0
