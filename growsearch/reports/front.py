"""The front of a run with two objectives as lines: its members, and its course in one line."""

from __future__ import annotations

from collections.abc import Sequence

from growsearch.driver.events import FrontRead
from growsearch.networks.outline import outline
from growsearch.study.front import FrontMember
from growsearch.trials.demands import DEMANDS, DemandName
from growsearch.trials.metrics import METRICS


def front_line(event: FrontRead) -> str:
    """Return a front as one line: the number of members, and its two ends.

    Examples
    --------
    >>> front_line(FrontRead("parameters", ((None, 0.9, 1234.0), (3, 0.95, 5678.0))))
    'Front: 2 networks, 0.9000 at 1,234 parameters to 0.9500 at 5,678 parameters'
    """
    points = [(accuracy, demand) for _, accuracy, demand in event.members]
    return f"Front: {_ends(points, _demand(event.demand))}"


def front_row(front: Sequence[FrontMember], demand: DemandName) -> str:
    """Return a front as the text of a summary: the number of members, and its two ends."""
    return _ends([(each.accuracy, each.values[demand]) for each in front], demand)


def front_table(
    front: Sequence[FrontMember], demand: DemandName, metric: str = "accuracy"
) -> list[str]:
    """Return a front as a table: trial, accuracy and demands of each member, and its outline.

    Below a line that explains it; members stand by rising demand.
    """
    words = METRICS[metric].words
    rows = front_cells(front, metric)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return [
        f"Front of validation {words} and {DEMANDS[demand].words}: each network is more "
        "accurate than those that demand less.",
        *(
            "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), text])
            for *row, text in rows
        ),
    ]


def front_cells(front: Sequence[FrontMember], metric: str = "accuracy") -> list[tuple[str, ...]]:
    """Return the names of a front's columns, then the cells of each member; outlines are last."""
    named = {name: each for name, each in DEMANDS.items() if any(name in m.values for m in front)}
    ends = any(member.test_accuracy is not None for member in front)
    further = ("held-out", "test") if ends else ()
    columns = (each.column for each in named.values())
    rows = [("trial", METRICS[metric].column, *further, *columns, "network")]
    for member in front:
        trial = "first" if member.trial_number is None else str(member.trial_number)
        cells = (
            each.number(member.values[name]) if name in member.values else "-"
            for name, each in named.items()
        )
        figures = (member.held_out_accuracy, member.test_accuracy) if ends else ()
        shown = ("-" if value is None else f"{value:.4f}" for value in figures)
        text = outline(member.network.architecture)
        rows.append((trial, f"{member.accuracy:.4f}", *shown, *cells, text))
    return rows


def _ends(points: list[tuple[float, float]], demand: DemandName) -> str:
    """Return the number of points on a front, and the two at its ends."""
    text = DEMANDS[demand].text
    ends = [f"{accuracy:.4f} at {text(value)}" for accuracy, value in (points[0], points[-1])]
    if len(points) == 1:
        return f"1 network, {ends[0]}"
    return f"{len(points)} networks, {' to '.join(ends)}"


def _demand(name: str) -> DemandName:
    """Return a name as that of a demand."""
    return next(each for each in DEMANDS if each == name)
