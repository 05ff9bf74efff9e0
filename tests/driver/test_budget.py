"""The time of a run: phases sum to the whole, earlier sessions count, a budget runs out."""

from __future__ import annotations

import pytest

from growsearch.driver.budget import PHASES, Clock


class Time:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr("growsearch.driver.budget.time", fake)
    return fake


def test_phases_sum_to_the_whole(time: Time) -> None:
    """Each second is in one phase; what no phase counted is "other"."""
    clock = Clock(None, time.now - 2.0, {})  # two seconds before it was made
    for phase, seconds in (("teacher", 5.0), ("candidates", 3.0), ("candidates", 4.0)):
        with clock.on(phase):
            time.pass_by(seconds)
        time.pass_by(0.5)
    expected = dict.fromkeys(PHASES, 0.0) | {"teacher": 5.0, "candidates": 7.0, "other": 3.5}
    assert clock.spent() == expected
    assert sum(clock.spent().values()) == clock.passed == 15.5


def test_earlier_sessions_count(time: Time) -> None:
    """Their seconds are in their phase, in the whole, and gone from the budget."""
    first = Clock(100.0, time.now, {})
    with first.on("teacher"):
        time.pass_by(30.0)
    time.pass_by(10.0)
    before = first.spent()
    time.pass_by(1e6)  # nobody works between two sessions
    second = Clock(100.0, time.now, before)
    assert (second.passed, second.left) == (40.0, 60.0)
    with second.on("teacher"):
        time.pass_by(1.0)
    assert second.spent()["teacher"] == 31.0
    assert second.spent()["other"] == 10.0
    assert (second.passed, second.left) == (41.0, 59.0)


def test_a_budget_runs_out_and_none_never_does(time: Time) -> None:
    """Below zero says by how much it is overrun."""
    limited, unlimited = Clock(10.0, time.now, {}), Clock(None, time.now, {})
    time.pass_by(12.5)
    assert limited.left == -2.5
    assert unlimited.left == float("inf")


def test_a_phase_that_ends_in_an_error_is_counted(time: Time) -> None:
    """Ctrl-C in the middle of a training is time spent on it."""
    clock = Clock(None, time.now, {})

    def interrupted() -> None:
        with clock.on("controls"):
            time.pass_by(3.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert clock.spent()["controls"] == 3.0


def test_a_phase_that_is_running_is_counted(time: Time) -> None:
    """Seconds stored in the middle of a phase are no time of "other"."""
    clock = Clock(None, time.now, {})
    with clock.on("polish"):
        time.pass_by(3.0)
        assert (clock.spent()["polish"], clock.spent()["other"]) == (3.0, 0.0)
        time.pass_by(1.0)
    assert (clock.spent()["polish"], clock.spent()["other"]) == (4.0, 0.0)


def test_phases_that_no_longer_exist_are_left_out(time: Time) -> None:
    """An attribute of another version of growsearch is no KeyError."""
    clock = Clock(None, time.now, {"teacher": 1.0, "warm-up": 5.0})
    assert clock.spent() == dict.fromkeys(PHASES, 0.0) | {"teacher": 1.0}
