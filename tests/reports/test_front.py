"""The front of a run as lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import growsearch as gs
from growsearch.driver.events import FrontRead
from growsearch.reports.front import front_row, front_table
from growsearch.reports.progress import RunDisplay
from growsearch.study.front import FrontMember
from growsearch.trials.demands import known_demands


def member(width: int, accuracy: float, trial: int | None, **more: float) -> FrontMember:
    architecture = gs.Architecture.parse(f"3x3x{width}(a)-pool1-3(b)", (4, 4, 1))
    network = gs.Network.initial(architecture, rng=0)
    return FrontMember(network, accuracy, known_demands(architecture) | more, trial)


FRONT = (member(2, 0.8, 5), member(8, 0.9, None))


def test_the_table_has_a_row_a_member() -> None:
    """Trial, accuracy, each demand that is known, and the outline; numbers stand on the right."""
    assert front_table(FRONT, "parameters")[1:] == [
        "trial  accuracy  parameters  flash, B  arena, B  network",
        "    5    0.8000          47       182        48  2",
        "first    0.9000         179       476       160  8",
    ]


def test_times_have_a_column_where_they_were_measured() -> None:
    """A first network without a time has a dash there."""
    timed = (member(2, 0.8, 5, milliseconds=0.021), FRONT[1])
    lines = front_table(timed, "parameters", "f1_macro")
    assert lines[0].startswith("Front of validation macro F1 and parameters: ")
    assert [line.split()[3] for line in lines[2:]] == ["0.021", "-"]
    assert "macro F1" in lines[1]


@pytest.mark.parametrize(
    ("front", "text"),
    [
        (FRONT, "2 networks, 0.8000 at 47 parameters to 0.9000 at 179 parameters"),
        (FRONT[:1], "1 network, 0.8000 at 47 parameters"),
    ],
)
def test_the_summary_has_its_ends(front: tuple[FrontMember, ...], text: str) -> None:
    """The number of members and the two ends; of one member, that one."""
    assert front_row(front, "parameters") == text


def test_the_display_prints_a_line() -> None:
    """An event of the front is one line on any console."""
    console = Console(file=io.StringIO(), width=200)
    with RunDisplay(console) as display:
        display(FrontRead("flash_bytes", ((3, 0.8, 1000.0), (None, 0.9, 2000.0))))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == (
        "Front: 2 networks, 0.8000 at 1,000 bytes of flash to 0.9000 at 2,000 bytes of flash\n"
    )
