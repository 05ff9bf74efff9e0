"""Progress on the screen: bars on a terminal of any width, plain lines everywhere else."""

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
    JobEnded,
    JobLost,
    NoWorker,
    Started,
    TeacherReady,
    Training,
    TrialFinished,
    TrunkRead,
)
from growsearch.reports import campaigns
from growsearch.reports.glance import sparkline
from growsearch.reports.progress import ReproductionDisplay, RunDisplay
from growsearch.reports.trials import line
from growsearch.reproduction.progress import ReproductionProgress
from growsearch.trials.records import ArmResult, TrialRecord

NOTATION = "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def record(number: int, *, reason: str = "", layer: str = "conv1") -> TrialRecord:
    failed = bool(reason)
    return TrialRecord(
        number=number,
        state="FAIL" if failed else "COMPLETE",
        parent=None,
        growth=f"widen({layer}, 48)",
        operation="widen",
        layer=layer,
        old_size="32",
        new_size="48",
        learning_rate=1e-3,
        architecture=NOTATION,
        parameters=1,
        flops=1,
        arms={
            "net2net": ArmResult(None if failed else 0.98, None, 1.0),
            **({} if failed else {"random": ArmResult(0.97, None, 1.0)}),
        },
        gain=None if failed else 0.01,
        seconds=1.0,
        kept=not failed,
        reason=reason or "0.9800 beats the best so far, 0.9700",
    )


LONG = record(
    1, reason="[red]the loss[/red] became NaN " + "after very many words " * 6 + "at last"
)
EVENTS: tuple[Event, ...] = (
    Started(Path("runs/mnist"), "mnist", 12, 0, "IDX files in data", stand_in=False, seed=0),
    Training("teacher", 0, 1000, 0.1),
    Training("teacher", 1000, 1000, 0.97),
    JobEnded("teacher"),
    TeacherReady(NOTATION, 3_274_634, 0.97, 33.0),
    Training("trial 0", 0, 300, 0.97),
    Training("trial 0", 100, 300, 0.975),
    JobEnded("trial 0"),
    TrialFinished(record(0), 1, 12),
    Training("trial 1 continued", 0, 300, 0.97),
    Training("trial 1 continued", 300, 300, 0.97),
    JobEnded("trial 1 continued"),
    TrialFinished(LONG, 2, 12),
)


def screen(width: int, *, terminal: bool = True, events: tuple[Event, ...] = EVENTS) -> str:
    """Return the text that a display of events writes."""
    written = io.StringIO()
    console = Console(
        file=written, force_terminal=terminal, width=width, color_system=None, _environ={}
    )
    with RunDisplay(console) as display:
        for event in events:
            display(event)
    return written.getvalue()


def lines_of(written: str) -> list[str]:
    """Return all lines, overwritten ones too, without the signs that move the cursor."""
    return [CONTROL.sub("", text).rstrip() for text in re.split(r"[\r\n]+", written)]


@pytest.mark.parametrize("width", [80, 120])
def test_a_trial_is_one_whole_line_of_a_terminal(width: int) -> None:
    """The line of an ordinary trial is not broken, on a narrow terminal either."""
    assert line(record(0)) in lines_of(screen(width))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_long_reason_goes_on_below_its_trial(width: int) -> None:
    """A line that is too long is broken between words and goes on indented; none is lost."""
    lines = lines_of(screen(width))
    start = next(n for n, text in enumerate(lines) if text.startswith("    1 widen"))
    told = [lines[start]]
    for text in lines[start + 1 :]:
        if not text.startswith(" " * 6):
            break
        told.append(text)
    assert len(told) > 1
    assert all(len(text) <= width for text in told)
    assert " ".join(" ".join(told).split()) == " ".join(line(LONG).split())


STARTED = Started(Path("a"), "mnist", 12, 0, "files", stand_in=False, seed=0, workers=2)
FAR = "growsearch-worker-7f9c8d-abcde:1234711"  # longer than a line has room for
BESIDE: tuple[Event, ...] = (
    STARTED,
    *(Training("trial 3", 50 * n, 300, 0.9 + 0.01 * n, "node7.cluster:4711") for n in range(5)),
    Training("trial 2 scratch_compute/1", 0, 1200, 0.1, FAR),
    Training("trial 2 scratch_compute/1", 100, 1200, 0.86, FAR),
)


def bars(width: int, *events: Event) -> list[str]:
    """Return the bars that stand on the screen after the events."""
    frames = re.split(r"(?:\r|\x1b\[\d[AK])+", screen(width, events=events))
    last = [CONTROL.sub("", each) for each in frames if CONTROL.sub("", each).strip()][-1]
    return [each.rstrip() for each in last.splitlines()]


@pytest.mark.parametrize("width", [20, 40, 50, 70, 80, 100, 120])
def test_bars_fit_the_terminal(width: int) -> None:
    """Every bar is one line, however narrow the terminal and however long the names."""
    lines = bars(width, *BESIDE)
    assert len(lines) == 3
    assert all(len(each) <= width for each in lines)


def test_every_running_job_has_a_line_of_its_own() -> None:
    """A line has the job, its steps, curve, last accuracy, the time taken, the time left, worker.

    On a narrow terminal the curve gives way, and the worker has the place of the time left.
    """
    trials, first, second = bars(120, *BESIDE)
    assert re.fullmatch(r"trials +0/12 +0:00:\d\d --:-- left", trials)
    assert re.fullmatch(
        r"trial 3 +━+╸? +200/300 ▁▃▅▆█ +0\.9400 0:00:\d\d \d\d:\d\d left node7:4711", first
    )
    assert re.fullmatch(
        r"trial 2 scratch_compute/1 ━*╸? +100/1200 ▁█ +0\.8600 .* …d-abcde:1234711", second
    )
    _, first, _ = bars(80, *BESIDE)
    assert re.fullmatch(r"trial 3 +━+╸? +200/300 0\.9400 0:00:\d\d node7:4711", first)
    _, first, _ = bars(50, *BESIDE)
    assert re.fullmatch(r"trial 3 +━+╸? +200/300 0\.9400", first)


def test_without_another_process_no_worker_is_named() -> None:
    """The time left stands in its place."""
    _, training = bars(80, STARTED, *(Training("trial 0", n, 300, 0.9) for n in (0, 10, 20)))
    assert re.fullmatch(r"trial 0 +━* *╸? +20/300 0\.9000 0:00:\d\d \d\d:\d\d left", training)


def test_a_bar_goes_when_its_job_ends_or_is_lost() -> None:
    """A job that is sent again begins a new bar and a new curve."""
    assert len(bars(120, *BESIDE, JobEnded("trial 3"))) == 2
    lost = JobLost("trial 3", "its worker died", 1)
    assert len(bars(120, *BESIDE, lost)) == 2
    *_, again = bars(120, *BESIDE, lost, Training("trial 3", 0, 300, 0.5, "node8:1"))
    assert re.fullmatch(r"trial 3 +0/300 ▁ +0\.5000 .* node8:1", again)
    assert len(bars(120, *BESIDE, JobEnded("test"))) == 3  # a job that had no bar


def test_the_screen_is_not_empty_before_the_first_training() -> None:
    """A bar says that something starts: workers, and TensorFlow in them."""
    assert [each.split()[0] for each in bars(80, STARTED)] == ["trials", "starting"]


def test_a_terminal_without_blocks_has_no_curve() -> None:
    """Its encoding has question marks for them."""
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    console = Console(file=written, force_terminal=True, width=120, _environ={})
    with RunDisplay(console) as display:
        for event in BESIDE[:-2]:
            display(event)
    written.flush()
    assert isinstance(written.buffer, io.BytesIO)
    assert "0.9400" in written.buffer.getvalue().decode()
    assert "?" not in written.buffer.getvalue().decode().replace("0/?", "").replace("[?25", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_lost_workers_are_told_everywhere(terminal: bool) -> None:
    """On a terminal and in a file: a job that is sent again, and one that no worker takes."""
    events = (
        *BESIDE,
        JobLost("trial 3", "its worker died (signal 9, as the kernel does)", 2),
        NoWorker("trial 5", 61.2, "the cluster has [4] processors"),
    )
    lines = lines_of(screen(80, terminal=terminal, events=events))
    told = "trial 3: its worker died (signal 9, as the kernel does): sent again (2 of 2)"
    assert told in lines
    assert "trial 5: no worker for 61 s: the cluster has [4] processors" in lines


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0.5], "▁"),
        ([0.5, 0.5], "▁▁"),
        ([0.0, 1.0], "▁█"),
        ([1.0, 0.0, 0.5], "█▁▅"),
        ([n / 100 for n in range(101)], "▁▃▆█"),
    ],
)
def test_a_curve_is_drawn_between_its_least_and_its_largest_value(
    values: list[float], drawn: str
) -> None:
    """It has at most the width, and ends with the last value."""
    assert sparkline(values, 4) == drawn


def test_bars_are_gone_at_the_end() -> None:
    """The cursor is shown again, and the lines of the bars are erased."""
    written = screen(80)
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    assert written.endswith("\x1b[1A\x1b[2K")


def test_bars_are_gone_after_an_error() -> None:
    """An exception leaves the terminal as it was."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, _environ={})

    def interrupted() -> None:
        with RunDisplay(console) as display:
            display(EVENTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert written.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize("width", [20, 80])
def test_a_file_gets_plain_whole_lines(width: int) -> None:
    """Without a terminal no bar is drawn and no line is broken, however narrow the file is."""
    assert screen(width, terminal=False).splitlines() == [
        "Run mnist: 0 of 12 trials done, seed 0, in runs/mnist",
        "Images: IDX files in data",
        f"Teacher {NOTATION}: 3,274,634 parameters, validation accuracy 0.9700, trained in 33 s",
        "trial growth                     parent  accuracy    gain outcome  controls",
        line(record(0)),
        line(LONG),
    ]


def test_what_looks_like_markup_is_text() -> None:
    """Brackets in a reason or a path are printed, not obeyed."""
    assert "[red]the loss[/red]" in screen(80, terminal=False)


def test_a_resumed_run_begins_where_it_was() -> None:
    """The bar of trials counts those of earlier sessions."""
    started = Started(Path("a"), "mnist", 12, 5, "files", stand_in=False, seed=0)
    written = screen(80, events=(started, Training("trial 5", 0, 300, 0.9)))
    assert re.search(r"trials .* 5/12 ", CONTROL.sub("", written))


def test_stand_in_data_are_loud_on_the_screen() -> None:
    """The notice is unbroken on a narrow terminal."""
    started = Started(Path("a"), "mnist", 12, 0, "digits", stand_in=True, seed=0)
    lines = lines_of(screen(80, events=(started,)))
    assert any(text.startswith("!! STAND-IN DATA.") for text in lines)
    assert lines.count("!" * 78) == 2


@pytest.mark.parametrize("width", [80, 120])
def test_a_reproduction_shows_how_far_it_is(width: int) -> None:
    """One bar with the experiment's name and a percentage."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, _environ={})
    with ReproductionDisplay(console) as display:
        display(ReproductionProgress(done=250, total=1000, label="seed 0: wider"))
    lines = lines_of(written.getvalue())
    assert any(re.match(r"seed 0: wider .* 25%", text) for text in lines)
    assert all(len(text) <= width for text in lines)


def test_a_reproduction_writes_a_plain_line_for_what_has_ended() -> None:
    """A file gets a line for each milestone; on a terminal the bar shows it."""
    written = io.StringIO()
    with ReproductionDisplay(Console(file=written, force_terminal=False, _environ={})) as display:
        display(ReproductionProgress(0, 2, "images: [mine]", milestone=True))
        display(ReproductionProgress(0.5, 2, "seed 0: teacher, 0: 0.1000"))
        display(ReproductionProgress(1, 2, "seed 0: teacher, 900: 0.9583", milestone=True))
    lines = [line.strip() for line in written.getvalue().splitlines() if line.strip()]
    assert lines == ["images: [mine]", "seed 0: teacher, 900: 0.9583"]


GROWTH = replace(record(2), reason="now: ahead of the trunk at equal cost", elapsed=64.7)
TRUNK: tuple[Event, ...] = (
    Started(
        Path("runs/mnist"),
        "mnist",
        1000,
        0,
        "IDX files in data",
        stand_in=False,
        seed=0,
        workers=2,
        pending_trials=3,
        time_budget=300.0,
        passed=10.0,
        length=300.0,
    ),
    Training("teacher", 0, 800, 0.1),
    JobEnded("teacher"),
    TeacherReady(NOTATION, 24_314, 0.87, 33.0, "16-32-64"),
    TrunkRead(20.0, 0.87, 24_314),
    *(Training("trunk 1", step, 200, 0.5 + step / 500) for step in (0, 100, 200)),
    JobEnded("trunk 1"),
    TrunkRead(30.0, 0.9, 24_314),
    Training("trial 2", 0, 150, 0.7),
    Training("trunk 2", 0, 100, 0.4),
)
ENDING: tuple[Event, ...] = (
    JobEnded("trial 2"),
    JobEnded("trunk 2"),
    TrialFinished(GROWTH, 3, 1000),
    Training("commit 60", 0, 10_000, 0.9),
    JobEnded("commit 60"),
    Committed(60.3, 0.92, 70_000, cooled=True, outline="[16-16]-32-64"),
    Training("decay 1 1", 0, 10_000, 0.9),
)


def test_the_trunk_has_one_bar() -> None:
    """Its readings are that bar's state; the first bar is of the time, and tests have their own."""
    best, run, trunk, growth = bars(120, *TRUNK)
    assert best.startswith("best    0.9000")
    assert re.fullmatch(r"run, seconds +━.* 1\d/300 .*", run)
    assert re.fullmatch(r"trunk +0/100 ▁█ +0\.9000 .*", trunk)
    assert growth.startswith("trial 2 ")


def test_the_trunks_bar_goes_with_its_decay() -> None:
    """The updates that fit into the time of a fork are not known."""
    shown = bars(120, *TRUNK, *ENDING)
    assert [each.split()[0] for each in shown] == ["best", "decided", "run,", "decay"]
    assert "0/?" in shown[3]


def test_commits_and_growths_are_lines_and_readings_are_not() -> None:
    """A file has few lines: the opening, the first network, each growth and each commit."""
    lines = screen(80, terminal=False, events=(*TRUNK, *ENDING)).splitlines()
    assert lines[5:] == [
        "First network 16-32-64: 24,314 parameters, validation accuracy 0.8700, trained in 33 s",
        campaigns.header(in_seconds=True),
        campaigns.line(GROWTH, in_seconds=True),
        "Commit at 1:00: [16-16]-32-64, 70,000 parameters, validation accuracy 0.9200 (a "
        "cooled fork)",
    ]
    assert "KEPT: now: ahead of the trunk at equal cost" in lines[7]


def test_a_growth_that_was_kept_stands_out() -> None:
    """On a terminal with colours it is bold; a growth that was not kept is plain."""
    for kept in (True, False):
        written = io.StringIO()
        console = Console(file=written, force_terminal=True, width=120, color_system="standard")
        with RunDisplay(console) as display:
            for event in (*TRUNK[:1], TrialFinished(replace(GROWTH, kept=kept), 3, 1000)):
                display(event)
        assert ("\x1b[1;32m    2 " in written.getvalue()) is kept


def test_without_a_time_budget_the_bar_counts_updates() -> None:
    """Of the first network, as readings and commits tell them."""
    assert isinstance(TRUNK[0], Started)
    started = replace(TRUNK[0], time_budget=None, length=20_000.0)
    _, run, *_ = bars(120, started, *TRUNK[1:5])
    assert re.fullmatch(r"run, updates +━* *╸?.* 20/20000 .*", run)
