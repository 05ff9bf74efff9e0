"""Progress on the screen: bars on a terminal of any width, plain lines everywhere else."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from growsearch.driver.events import Event, Started, TeacherReady, Training, TrialFinished
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
    TeacherReady(NOTATION, 3_274_634, 0.97, 33.0),
    Training("trial 0", 0, 300, 0.97),
    Training("trial 0", 100, 300, 0.975),
    TrialFinished(record(0), 1, 12),
    Training("trial 1 continued", 0, 300, 0.97),
    Training("trial 1 continued", 300, 300, 0.97),
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


@pytest.mark.parametrize("width", [80, 120])
def test_bars_fit_the_terminal(width: int) -> None:
    """A bar is one line: what trains, how far it is, the time taken and the time left."""
    bars = [text for text in lines_of(screen(width)) if text.endswith(" left")]
    assert bars
    assert all(len(text) <= width for text in bars)
    assert any(text.startswith("trials ") and "1/12" in text for text in bars)
    assert any(text.startswith("trial 1 continued ") and "300/300" in text for text in bars)


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
