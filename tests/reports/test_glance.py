"""A running search at a glance: the best network so far, the last decisions, on any terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from growsearch.driver.events import (
    Committed,
    Event,
    FrontRead,
    Polished,
    Started,
    TeacherReady,
    Training,
    TrialFinished,
    TrunkRead,
)
from growsearch.reports.glance import Glance
from growsearch.reports.progress import RunDisplay
from growsearch.trials.records import ArmResult
from tests.reports.test_progress import CONTROL, GROWTH, NOTATION, record, screen

STARTED = Started(Path("runs/a"), "a", 12, 0, "files", stand_in=False, seed=0)
TEACHER = TeacherReady(NOTATION, 3_274_634, 0.97, 33.0, "32-64")
BETTER = replace(record(0), arms={"net2net": ArmResult(0.98, None, 1.0)}, parameters=4_000_000)
WORSE = replace(record(1), kept=False, gain=-0.02, reason="worse")
FAILED = record(2, reason="the loss became NaN")


def told(*events: Event, width: int = 200, has_signs: bool = True) -> list[str]:
    """The lines after some events."""
    glance = Glance(has_signs=has_signs)
    for event in events:
        glance.take(event)
    return [line.plain for line in glance.lines(width)]


def finished(*records: object) -> tuple[TrialFinished, ...]:
    """The events of trials that have ended."""
    return tuple(TrialFinished(each, n + 1, 12) for n, each in enumerate(records))  # type: ignore[arg-type]


def test_nothing_is_said_before_something_is_known() -> None:
    """A new run has no best network."""
    assert told(STARTED) == []


def test_the_best_is_the_last_that_was_kept() -> None:
    """With its curve, its growth, its parameters, and the first network's accuracy."""
    assert told(STARTED, TEACHER) == ["best    0.9700  the first network, 3,274,634 parameters"]
    lines = told(STARTED, TEACHER, *finished(BETTER, WORSE, FAILED))
    assert lines == [
        "best    0.9800 ▁█  trial 0 widen conv1 32 → 48, 4,000,000 parameters "
        "(first network 0.9700)",
        "decided ●○×  1 kept, 1 not kept, 1 failed; last: 2 widen conv1 32 → 48 failed",
    ]


def test_a_polish_that_helped_is_the_best() -> None:
    """One that did not help changes nothing."""
    before = told(STARTED, TEACHER, *finished(BETTER))
    assert told(STARTED, TEACHER, *finished(BETTER), Polished(1, 2, 0.9, better=False)) == before
    best, _ = told(STARTED, TEACHER, *finished(BETTER), Polished(2, 2, 0.985, better=True))
    assert best.startswith("best    0.9850 ▁▆█  trial 0 widen conv1 32 → 48, ")
    assert "trained on" in best


def test_a_resumed_run_has_the_best_of_its_earlier_sessions() -> None:
    """Though the teacher is told again."""
    started = replace(STARTED, done=5, best_accuracy=0.99, best_parameters=77)
    assert told(started, TEACHER) == [
        "best    0.9900  77 parameters, of an earlier session (first network 0.9700)"
    ]


def test_of_a_trunk_the_highest_reading_is_the_best() -> None:
    """A growth that was kept is read by the trunk's averages, which follow."""
    started = replace(STARTED, time_budget=300.0, length=300.0)
    events = (
        *(started, TEACHER, TrunkRead(65.0, 0.975, 5000)),
        *finished(GROWTH),
        Committed(70.0, 0.972, 5000, cooled=True, outline="48-64"),
    )
    best, decided = told(*events)
    assert best.startswith("best    0.9750 ▁█  5,000 parameters, the trunk's averages at 1:05")
    assert decided.startswith("decided ●  1 kept; last: 2 ")


def test_of_a_front_the_most_accurate_is_the_best() -> None:
    """A smaller network that joined it is kept, and is not the best."""
    small = replace(BETTER, arms={"net2net": ArmResult(0.9, None, 1.0)}, demand=10.0)
    front = FrontRead("flash_bytes", ((0, 0.9, 10.0), (None, 0.97, 5000.0)))
    best, decided = told(STARTED, TEACHER, *finished(small), front)
    assert best == "best    0.9700  the first network, 3,274,634 parameters"
    assert decided.startswith("decided ●  1 kept")
    front = FrontRead("flash_bytes", ((0, 0.9, 10.0), (1, 0.98, 6000.0)))
    best, _ = told(STARTED, TEACHER, *finished(small), front)
    assert best == "best    0.9800 ▁█  trial 1, 6,000 flash bytes (first network 0.9700)"


@pytest.mark.parametrize("width", [10, 20, 40, 80, 200])
@pytest.mark.parametrize("has_signs", [True, False])
def test_no_line_is_longer_than_the_terminal(width: int, has_signs: bool) -> None:
    """On a terminal of letters only, no sign is used either."""
    lines = told(
        STARTED, TEACHER, *finished(BETTER, WORSE, FAILED), width=width, has_signs=has_signs
    )
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    if not has_signs:
        assert all(line.isascii() for line in lines)
        assert lines[1].startswith("decided +.x"[:width].rstrip()) or width < 20


def test_only_the_last_decisions_are_drawn() -> None:
    """All are counted."""
    (_, decided) = told(STARTED, TEACHER, *finished(BETTER, *[WORSE] * 40))
    assert re.match(r"decided ○{16}  1 kept, 40 not kept; last: 1 ", decided)


EVENTS = (STARTED, TEACHER, Training("trial 0", 0, 300, 0.97), *finished(BETTER, FAILED))


def shown(**environment: str) -> str:
    """The text that is written on a terminal with an environment."""
    written = io.StringIO()
    variables = {"TERM": "xterm-256color", **environment}
    console = Console(file=written, force_terminal=True, width=100, _environ=variables)
    with RunDisplay(console) as display:
        for event in EVENTS:
            display(event)
    return written.getvalue()


def test_no_colour_is_shown_where_none_is_wanted() -> None:
    """NO_COLOR leaves bold letters, and the view."""
    colours = re.compile(r"\x1b\[[\d;]*\b[349]\dm")
    assert colours.search(shown())
    without = shown(NO_COLOR="1")
    assert not colours.search(without)
    assert "decided" in without


def test_a_dumb_terminal_gets_lines() -> None:
    """It cannot move its cursor: no view, no sign that only a terminal obeys."""
    written = shown(TERM="dumb")
    assert "\x1b" not in written
    assert "decided" not in written
    assert written.splitlines()[0].startswith("Run a: ")


def test_a_plain_display_gets_lines_on_a_terminal() -> None:
    """As a file does."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, _environ={})
    with RunDisplay(console, is_plain=True) as display:
        for event in EVENTS:
            display(event)
    assert "\x1b[?25l" not in written.getvalue()
    assert "decided" not in written.getvalue()


def test_more_trainings_than_lines_are_counted() -> None:
    """The best network and the first trainings stay on a low terminal."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, height=12, _environ={})
    with RunDisplay(console) as display:
        display(TEACHER)
        for number in range(30):
            display(Training(f"trial {number}", 0, 300, 0.9))
        frame = list(display._progress.get_renderables())
    assert len(frame) == 3
    assert str(frame[-1]) == "and 22 more trainings"


def test_letters_stand_in_for_signs_in_lines() -> None:
    """A console of another encoding gets "->" for an arrow, not a question mark."""
    written = io.TextIOWrapper(io.BytesIO(), encoding="cp437", errors="replace")
    console = Console(file=written, force_terminal=True, width=100, _environ={})
    with RunDisplay(console) as display:
        for event in EVENTS:
            display(event)
    written.flush()
    assert isinstance(written.buffer, io.BytesIO)
    text = CONTROL.sub("", written.buffer.getvalue().decode("cp437"))
    assert "widen conv1 32 -> 48" in text
    assert "decided +x  1 kept, 1 failed" in text


def test_a_time_budget_bounds_the_time_left() -> None:
    """Of a run without a trunk too: before its first trial nothing else is known."""
    started = replace(STARTED, time_budget=300.0, passed=40.0)
    assert re.search(r"trials .* 0/12 .* 04:(20|19) left", screen(100, events=(started,)))
