"""A session as lines: its opening, teacher and polish, lost workers, workers that do not come."""

from __future__ import annotations

from pathlib import Path

import pytest

from growsearch.driver.events import (
    Committed,
    JobLost,
    NoWorker,
    Polished,
    Started,
    TeacherReady,
)
from growsearch.reports import session
from growsearch.reports.trials import stand_in_notice


def test_the_opening_says_where_and_on_what() -> None:
    """A run begins with its name, how far it is, its seed, folder and images."""
    event = Started(Path("runs/a"), "digits", 12, 5, "IDX files in x", stand_in=False, seed=7)
    assert session.opening(event) == [
        "Run digits: 5 of 12 trials done, seed 7, in runs/a",
        "Images: IDX files in x",
    ]


def test_a_run_with_more_trials_than_asked_for_says_so() -> None:
    """The line does not say that six of none are done."""
    event = Started(Path("runs/a"), "digits", 0, 6, "IDX files in x", stand_in=False, seed=7)
    first = session.opening(event)[0]
    assert first == "Run digits: 6 trials done, 0 asked for, seed 7, in runs/a"


def test_stand_in_data_come_first_and_loud() -> None:
    """With stand-in data, nothing is said before they are announced."""
    lines = session.opening(Started(Path("a"), "mnist", 1, 0, "digits", stand_in=True, seed=0))
    assert lines[: len(stand_in_notice())] == stand_in_notice()
    assert "STAND-IN DATA" in lines[1]
    assert all(len(line) < 80 for line in stand_in_notice())


def test_the_teacher_has_a_line() -> None:
    """The first network is named with size and accuracy."""
    line = session.teacher_line(TeacherReady("8(fc1)-10(fc2)", 6410, 0.97125, 33.4))
    assert line == (
        "Teacher 8(fc1)-10(fc2): 6,410 parameters, validation accuracy 0.9712, trained in 33 s"
    )


@pytest.mark.parametrize(("better", "told"), [(True, "kept"), (False, "not better")])
def test_a_part_of_the_polish_has_a_line(better: bool, told: str) -> None:
    """The line has the part, its accuracy, and the outcome."""
    line = session.polish_line(Polished(2, 4, 0.99512, better))
    assert line == f"Polish 2 of 4: validation accuracy 0.9951, {told}"


@pytest.mark.parametrize(
    ("workers", "pending", "told"),
    [
        (0, 1, []),
        (1, 1, ["Workers: 1 process"]),
        (2, 1, ["Workers: 2 processes"]),
        (8, 4, ["Workers: 8 processes, 4 pending trials"]),
        (0, 3, ["Workers: this process, 3 pending trials"]),
    ],
)
def test_the_opening_says_how_many_workers_there_are(
    workers: int, pending: int, told: list[str]
) -> None:
    """Pending trials are told where there is more than one; a plain run here has no such line."""
    started = Started(
        Path("a"),
        "digits",
        9,
        0,
        "x",
        stand_in=False,
        seed=0,
        workers=workers,
        pending_trials=pending,
    )
    assert session.opening(started)[2:] == told


def test_a_lost_worker_has_a_line() -> None:
    """The line has the job, the reason, and how often the job is sent again at most."""
    lost = JobLost("trial 3 random", "its worker died (signal 9)", 1)
    assert session.lost_line(lost) == (
        "trial 3 random: its worker died (signal 9): sent again (1 of 2)"
    )


def test_a_worker_that_does_not_come_has_a_line() -> None:
    """The line has the job, the time, and what the cluster lacks."""
    waiting = NoWorker("trial 5", 61.4, "no node has 8 processors")
    assert session.no_worker_line(waiting) == (
        "trial 5: no worker for 61 s: no node has 8 processors"
    )


def trunk_opening(**changed: object) -> list[str]:
    """The opening of a run with a trunk, with some of the event's values changed."""
    values: dict[str, object] = {
        "stand_in": False,
        "seed": 7,
        "workers": 2,
        "pending_trials": 3,
        "time_budget": 300.0,
        "length": 300.0,
    }
    return session.opening(
        Started(Path("runs/a"), "mnist", 1000, 0, "files", **(values | changed))  # type: ignore[arg-type]
    )


def test_a_run_with_a_trunk_opens_with_what_it_does_and_for_how_long() -> None:
    """The first line has what, how long and where; the words are explained once."""
    first, images, workers, *words = trunk_opening()
    assert first == ("Run mnist: trains and grows one network for 5 min 0 s, seed 7, in runs/a")
    assert images == "Images: files"
    assert workers == "Workers: 2 processes; at most 3 growths in a campaign, 1,000 in all"
    assert [word for word in ("Trunk:", "Campaign:", "Commit:") if word in " ".join(words)]
    assert all(len(line) <= 80 for line in words)


def test_a_run_with_a_trunk_that_continues_says_how_far_it_is() -> None:
    """Its updates stand for the time where it has no budget; stand-in data come first."""
    values = {"time_budget": None, "length": 20000.0, "stand_in": True}
    lines = trunk_opening(**values)
    assert lines[: len(stand_in_notice())] == stand_in_notice()
    assert lines[len(stand_in_notice())].startswith(
        "Run mnist: trains and grows one network for 20,000 updates of the first network, seed 7"
    )


def test_a_time_budget_is_told() -> None:
    """Of a run without a trunk too."""
    started = Started(Path("a"), "digits", 9, 5, "x", stand_in=False, seed=0, time_budget=90.0)
    assert session.opening(started)[0] == (
        "Run digits: 5 of 9 trials done, for 1 min 30 s, seed 0, in a"
    )


def test_a_commit_has_a_line() -> None:
    """The line has time, network, size, accuracy, and what the network was made of."""
    commit = Committed(60.4, 0.88931, 24314, cooled=True, outline="16-32-64")
    assert session.commit_line(commit, in_seconds=True) == (
        "Commit at 1:00: 16-32-64, 24,314 parameters, validation accuracy 0.8893 (a cooled fork)"
    )
    averages = Committed(1234.0, 0.88931, 24314, cooled=False, outline="16-32-64")
    told = session.commit_line(averages, in_seconds=False)
    assert told.startswith("Commit at 1,234 updates: ")
    assert told.endswith("(the trunk's averages)")


@pytest.mark.parametrize(("better", "told"), [(True, "the best so far"), (False, "not the best")])
def test_a_part_of_the_decay_has_a_line(better: bool, told: str) -> None:
    """The line has the part, its accuracy, and the outcome."""
    line = session.decay_line(Polished(2, 2, 0.99512, better))
    assert line == f"Decay 2 of 2: validation accuracy 0.9951, {told}"
